package listen

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"goqmail/control"
	"goqmail/receive"
)

// Systemd is the address that stands for the socket that systemd hands over
// (sd_listen_fds(3)).
const Systemd = "systemd"

// firstFD is the first descriptor that systemd hands over.
const firstFD = 3

// Open returns a listener on an address, host:port or :port, or [Systemd].
func Open(address string, env receive.Env) (net.Listener, error) {
	if address != Systemd {
		return net.Listen("tcp", address)
	}
	if env["LISTEN_PID"] != strconv.Itoa(os.Getpid()) || env["LISTEN_FDS"] != "1" {
		return nil, fmt.Errorf("systemd has not handed over one socket")
	}
	file := os.NewFile(firstFD, "socket")
	defer file.Close()
	return net.FileListener(file)
}

// ReadLimits reads how many connections there may be from a folder of control
// files.
func (s *Server) ReadLimits(folder string) error {
	files, err := control.Open(folder)
	if err != nil {
		return err
	}
	for _, limit := range []struct {
		name string
		to   *int
	}{{"concurrencyincoming", &s.Max}, {"concurrencyperaddress", &s.MaxOne}} {
		if *limit.to, err = files.Number(limit.name); err != nil {
			return err
		}
		*limit.to = min(max(*limit.to, 1), most)
	}
	return nil
}

// most is the largest number of connections that makes sense.
const most = 10_000
