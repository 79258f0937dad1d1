// Qmail-qmtpd takes mail by QMTP, on descriptors 0 and 1 or on ports. See
// qmail-qmtpd(8).
package main

import (
	"errors"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/fdconn"
	"goqmail/internal/home"
	"goqmail/receive"
	"goqmail/receive/listen"
	"goqmail/receive/qmtp"
)

func main() { exitcode.Main(run) }

const usage = "qmail-qmtpd: usage: qmail-qmtpd [ -listen address ... ] [ -x rules.cdb ]\n"

func run() int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // the client may be gone, and the log too
	dir, env := home.Dir(), receive.Environ(os.Environ())
	server := &qmtp.Server{
		Control: filepath.Join(dir, "control"),
		Queue:   receive.QueueIn(dir),
		Now:     time.Now,
		Log:     &receive.Log{Name: "qmail-qmtpd", Out: os.Stderr},
	}
	where, _, ok := listen.Options(os.Args[1:], "qmtp")
	switch {
	case !ok || len(where.Addresses) == 0 && where.Rules != "":
		os.Stderr.WriteString(usage)
		return exitcode.Hard
	case len(where.Addresses) > 0:
		return serve(server, where, dir, env)
	case os.Chdir(dir) != nil:
		return exitcode.Soft
	}
	server.Log.Network = receive.PeerOf(env).Network || fdconn.IsSocket(0)
	server.Open = !server.Log.Network
	receive.Narrow(dir, "qmail-qmtpd", env, false)
	err := server.ServeQMTP(fdconn.New(0, 1), env)
	switch {
	case err == nil:
		return exitcode.OK
	case errors.Is(err, qmtp.ErrProtocol):
		return exitcode.Hard
	}
	return exitcode.Soft
}

// serve serves many connections.
func serve(server *qmtp.Server, where listen.Config, dir string, env receive.Env) int {
	server.Log.Network = true
	many := &listen.Server{
		Env:   env,
		Grace: 30 * time.Second,
		Serve: func(conn net.Conn, env receive.Env) { _ = server.ServeQMTP(conn, env) },
	}
	return many.Main(where, dir, "qmail-qmtpd")
}
