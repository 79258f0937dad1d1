// Qmail-smtpd takes mail by SMTP, on descriptors 0 and 1 or on a port. See
// qmail-smtpd(8).
package main

import (
	"context"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"goqmail/internal/child"
	"goqmail/internal/exitcode"
	"goqmail/internal/fdconn"
	"goqmail/internal/home"
	"goqmail/receive"
	"goqmail/receive/listen"
	"goqmail/receive/smtp"
)

func main() { exitcode.Main(run) }

const usage = "qmail-smtpd: usage: qmail-smtpd [ -listen address ] [ checker [ argument ... ] ]\n"

func run() int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // the client may be gone, and the log too
	dir, env := home.Dir(), receive.Environ(os.Environ())
	server := &smtp.Server{
		Control:   filepath.Join(dir, "control"),
		Queue:     receive.QueueIn(dir),
		Own:       receive.InterfaceAddrs,
		Now:       time.Now,
		Run:       child.Start,
		Checker:   os.Args[1:],
		AuthDelay: time.Second,
		Log:       &smtp.Log{Name: "qmail-smtpd", Out: os.Stderr},
	}
	if len(os.Args) > 1 && os.Args[1] == "-listen" {
		return serve(server, env)
	}
	server.Log.Network = receive.PeerOf(env).Network || fdconn.IsSocket(0)
	if server.Serve(fdconn.New(0, 1), env) != nil {
		return exitEnded
	}
	return exitcode.OK
}

// exitEnded is for a session that did not end with QUIT.
const exitEnded = 1

// serve serves many connections, until TERM or INT.
func serve(server *smtp.Server, env receive.Env) int {
	if len(os.Args) < 3 {
		os.Stderr.WriteString(usage)
		return exitcode.Hard
	}
	server.Checker, server.Log.Network = os.Args[3:], true
	many := &listen.Server{Env: env, Busy: smtp.Busy, Grace: 30 * time.Second}
	many.Serve = func(conn net.Conn, env receive.Env) { _ = server.Serve(conn, env) }
	if err := many.ReadLimits(server.Control); err != nil {
		return fail(err)
	}
	listener, err := listen.Open(os.Args[2], env)
	if err != nil {
		return fail(err)
	}
	os.Stderr.WriteString("qmail-smtpd: listening on " + listener.Addr().String() + "\n")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := many.Run(ctx, listener); err != nil {
		return fail(err)
	}
	return exitcode.OK
}

func fail(err error) int {
	os.Stderr.WriteString("qmail-smtpd: fatal: " + err.Error() + "\n")
	return exitcode.Soft
}
