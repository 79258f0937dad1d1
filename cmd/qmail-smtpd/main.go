// Qmail-smtpd takes mail by SMTP, on descriptors 0 and 1 or on a port. See
// qmail-smtpd(8).
package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"goqmail/internal/child"
	"goqmail/internal/confine"
	"goqmail/internal/exitcode"
	"goqmail/internal/fdconn"
	"goqmail/internal/home"
	"goqmail/receive"
	"goqmail/receive/listen"
	"goqmail/receive/smtp"
)

func main() { exitcode.Main(run) }

const usage = "qmail-smtpd: usage: qmail-smtpd [ -listen | -smtps | -submission | -submissions address ... ] [ -x rules.cdb ] [ checker [ argument ... ] ]\n"

func run() int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // the client may be gone, and the log too
	env := receive.Environ(os.Environ())
	dir, err := filepath.Abs(home.Dir())
	if err != nil {
		os.Stderr.WriteString("qmail-smtpd: fatal: " + err.Error() + "\n")
		return exitcode.Soft
	}
	server := &smtp.Server{
		Control:   filepath.Join(dir, "control"),
		Queue:     receive.QueueIn(dir),
		Own:       receive.InterfaceAddrs,
		Now:       time.Now,
		Run:       child.In(dir).Start,
		Rcptcheck: filepath.Join(dir, "bin/qmail-rcptcheck"),
		AuthDelay: time.Second,
		Log:       &smtp.Log{Name: "qmail-smtpd", Out: os.Stderr},
	}
	where, rest, ok := listen.Options(os.Args[1:], smtp.Services...)
	server.Checker = rest
	switch {
	case !ok || len(where.Addresses) == 0 && where.Rules != "":
		os.Stderr.WriteString(usage)
		return exitcode.Hard
	case len(where.Addresses) > 0:
		return serve(server, where, dir, env)
	}
	server.Log.Network = receive.PeerOf(env).Network || fdconn.IsSocket(0)
	if !startsOthers(server, env) {
		receive.Narrow(dir, "qmail-smtpd", env, startsCheck(server))
	}
	if server.Serve(fdconn.New(0, 1), env) != nil {
		return exitEnded
	}
	return exitcode.OK
}

// startsOthers reports whether a session may start programs that may need anything: to
// check passwords or recipients, plug-ins, and qmail-rcptcheck if it has capabilities.
func startsOthers(server *smtp.Server, env receive.Env) bool {
	return len(server.Checker) > 0 || env["RCPTCHECK"] != "" || env["ENABLE_SPP"] != "" ||
		startsCheck(server) && confine.GainsRights(server.Rcptcheck)
}

// startsCheck reports whether a session may start qmail-rcptcheck.
func startsCheck(server *smtp.Server) bool {
	_, err := os.Stat(filepath.Join(server.Control, "rcptcheck"))
	return !errors.Is(err, fs.ErrNotExist)
}

// exitEnded is for a session that did not end with QUIT.
const exitEnded = 1

// serve serves many connections.
func serve(server *smtp.Server, where listen.Config, dir string, env receive.Env) int {
	server.Log.Network = true
	many := &listen.Server{
		Env:     env,
		Busy:    smtp.Busy,
		Grace:   30 * time.Second,
		Service: func(name string) receive.Env { return smtp.Service(name, env) },
		Serve:   func(conn net.Conn, env receive.Env) { _ = server.Serve(conn, env) },
	}
	return many.Main(where, dir, "qmail-smtpd")
}
