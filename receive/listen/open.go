package listen

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"goqmail/control"
	"goqmail/receive"
)

// Systemd is the address that stands for the sockets that systemd hands over
// (sd_listen_fds(3)).
const Systemd = "systemd"

// firstFD is the first descriptor that systemd hands over.
const firstFD = 3

// Socket is one to accept connections on.
type Socket struct {
	Listener net.Listener
	Name     string      // of the service: the option, or what systemd calls the socket
	Env      receive.Env // is added to that of each session
}

// Address is where to listen: host:port, :port or [Systemd], and for which service.
type Address struct{ Name, Address string }

// Config is what the command line says.
type Config struct {
	Addresses []Address // where to listen
	Rules     string    // a file of rules, or ""
}

// Options reads options such as "-listen :25 -smtps :465 -x tcp.smtp.cdb", of which
// the first service is that of -listen. The rest is what comes after them; ok is
// false if an option has no argument.
func Options(args []string, services ...string) (c Config, rest []string, ok bool) {
	for len(args) > 0 {
		name, option := strings.CutPrefix(args[0], "-")
		if name == "listen" {
			name = services[0]
		}
		if !option || name != "x" && !slices.Contains(services, name) {
			break
		}
		switch {
		case len(args) == 1:
			return c, nil, false
		case name == "x":
			c.Rules = args[1]
		default:
			c.Addresses = append(c.Addresses, Address{name, args[1]})
		}
		args = args[2:]
	}
	return c, args, true
}

// Open opens sockets, all or none.
func Open(addresses []Address, env receive.Env) (sockets []Socket, err error) {
	defer func() {
		if err != nil {
			for _, s := range sockets {
				s.Listener.Close()
			}
			sockets = nil
		}
	}()
	for _, a := range addresses {
		if a.Address == Systemd {
			more, err := handedOver(env)
			sockets = append(sockets, more...)
			if err != nil {
				return sockets, err
			}
			continue
		}
		listener, err := net.Listen("tcp", a.Address)
		if err != nil {
			return sockets, err
		}
		sockets = append(sockets, Socket{Listener: listener, Name: a.Name})
	}
	return sockets, nil
}

// handedOver are the sockets of systemd.
func handedOver(env receive.Env) (sockets []Socket, err error) {
	n, err := strconv.ParseUint(env["LISTEN_FDS"], 10, 10)
	if env["LISTEN_PID"] != strconv.Itoa(os.Getpid()) || err != nil || n == 0 {
		return nil, fmt.Errorf("systemd has not handed over a socket")
	}
	names := strings.Split(env["LISTEN_FDNAMES"], ":")
	for i := range int(n) {
		syscall.CloseOnExec(firstFD + i)
		file := os.NewFile(uintptr(firstFD+i), "socket")
		listener, err := net.FileListener(file)
		file.Close()
		if err != nil {
			return sockets, fmt.Errorf("socket %d of systemd: %w", i, err)
		}
		socket := Socket{Listener: listener}
		if i < len(names) {
			socket.Name = names[i]
		}
		sockets = append(sockets, socket)
	}
	return sockets, nil
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
