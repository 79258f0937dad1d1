package receive

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/fdconn"
)

// UCSPI is TLS that the server which has accepted the connection can do (UCSPI-TLS):
// when it is told to, and on two descriptors of its own.
type UCSPI struct {
	Must    bool // mail and passwords come under TLS only
	in, out int
	control int
}

// UCSPIOf reads the variables by which a server offers that: UCSPITLS, which is - if
// there is to be no TLS and ! if there must be, and three numbers. It returns nil if
// there is no such server.
func UCSPIOf(env Env) (*UCSPI, error) {
	value, ok := env["UCSPITLS"]
	if !ok || value == "-" || env["SSLCTLFD"] == "" {
		return nil, nil
	}
	u := &UCSPI{Must: value == "!"}
	for name, to := range map[string]*int{"SSLCTLFD": &u.control, "SSLREADFD": &u.in, "SSLWRITEFD": &u.out} {
		n, err := strconv.ParseUint(env[name], 10, 16)
		if err != nil {
			return u, fmt.Errorf("$%s is no descriptor", name)
		}
		*to = int(n)
	}
	return u, nil
}

// Begin has the server begin TLS, and returns the connection to go on with.
func (u *UCSPI) Begin(timeout time.Duration) (net.Conn, error) {
	control := fdconn.New(u.control, u.control)
	control.SetDeadline(time.Now().Add(timeout))
	if _, err := control.Write([]byte("y")); err != nil {
		return nil, err
	}
	return fdconn.New(u.in, u.out), nil
}

// Files returns copies of the two descriptors, for another program.
func (u *UCSPI) Files() (in, out *os.File, err error) {
	if in, err = copyOf(u.in); err != nil {
		return nil, nil, err
	}
	if out, err = copyOf(u.out); err != nil {
		in.Close()
		return nil, nil, err
	}
	return in, out, nil
}

func copyOf(fd int) (*os.File, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(n), "tls"), nil
}
