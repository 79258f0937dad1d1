// Qmail-qmqpd takes mail by QMQP on descriptors 0 and 1. See qmail-qmqpd(8).
package main

import (
	"errors"
	"os"
	"os/signal"
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
		Queue: receive.QueueIn(dir),
		Now:   time.Now,
		Log:   &receive.Log{Name: "qmail-qmqpd", Out: os.Stderr, Network: receive.PeerOf(env).Network || fdconn.IsSocket(0)},
	}
	err := server.ServeQMQP(fdconn.New(0, 1), env)
	switch {
	case err == nil:
		return exitcode.OK
	case errors.Is(err, qmtp.ErrProtocol):
		return exitcode.Hard
	}
	return exitcode.Soft
}
