// Qmail-qmtpd takes mail by QMTP on descriptors 0 and 1. See qmail-qmtpd(8).
package main

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/fdconn"
	"goqmail/internal/home"
	"goqmail/receive"
	"goqmail/receive/qmtp"
)

func main() { exitcode.Main(run) }

func run() int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // the client may be gone
	dir, env := home.Dir(), receive.Environ(os.Environ())
	if os.Chdir(dir) != nil {
		return exitcode.Soft
	}
	server := &qmtp.Server{
		Control: filepath.Join(dir, "control"),
		Queue:   receive.QueueIn(dir),
		Now:     time.Now,
		Open:    !receive.PeerOf(env).Network && !fdconn.IsSocket(0),
	}
	err := server.ServeQMTP(fdconn.New(0, 1), env)
	switch {
	case err == nil:
		return exitcode.OK
	case errors.Is(err, qmtp.ErrProtocol):
		return exitcode.Hard
	}
	return exitcode.Soft
}
