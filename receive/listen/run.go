package listen

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"goqmail/internal/become"
	"goqmail/internal/exitcode"
	"goqmail/internal/ids"
)

// Main is Listen as the user qmaild, until TERM or INT, with the log on standard error.
// On HUP there is nothing to do: files are read anew for each connection. It returns the
// program's exit code.
func (s *Server) Main(c Config, home, name string) int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := s.Listen(ctx, c, home, "qmaild", name, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "%s: fatal: %v\n", name, err)
		return exitcode.Soft
	}
	return exitcode.OK
}

// Listen is a program's life as a server: it opens its sockets, gives up root to be
// user, if it has that, and serves until ctx ends. Home has the control files; name
// begins each line of the log.
func (s *Server) Listen(ctx context.Context, c Config, home, user, name string, log io.Writer) error {
	var account become.User
	if os.Geteuid() == 0 {
		var err error
		if account, err = become.Find(ids.System, user); err != nil {
			return err
		}
	}
	sockets, err := Open(c.Addresses, s.Env)
	if err != nil {
		return err
	}
	if account.Name != "" {
		if err := account.Become(); err != nil {
			return err
		}
	}
	if err := s.ReadLimits(filepath.Join(home, "control")); err != nil {
		return err
	}
	if c.Rules != "" {
		s.Rules = Rules(c.Rules)
	}
	s.Log = func(what string, client net.Addr) {
		fmt.Fprintf(log, "%s: turned away: %s client %s\n", name, what, host(client))
	}
	for i := range sockets {
		fmt.Fprintf(log, "%s: listening on %s %s\n", name, sockets[i].Listener.Addr(), sockets[i].Name)
		if s.Service != nil {
			sockets[i].Env = s.Service(sockets[i].Name)
		}
	}
	return s.Run(ctx, sockets...)
}

// host is the address of a client without its port.
func host(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	return addr.String()
}
