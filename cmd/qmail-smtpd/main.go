// Qmail-smtpd takes mail by SMTP on descriptors 0 and 1. See qmail-smtpd(8).
package main

import (
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
	"goqmail/receive/smtp"
)

func main() { exitcode.Main(run) }

func run() int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // the client may be gone, and the log too
	dir, env := home.Dir(), receive.Environ(os.Environ())
	server := &smtp.Server{
		Control: filepath.Join(dir, "control"),
		Queue:   receive.QueueIn(dir),
		Own:     receive.InterfaceAddrs,
		Now:     time.Now,
		Run:     child.Start,
		Checker: os.Args[1:],
		Log: &smtp.Log{Name: "qmail-smtpd", Out: os.Stderr,
			Network: receive.PeerOf(env).Network || fdconn.IsSocket(0)},
	}
	if server.Serve(fdconn.New(0, 1), env) != nil {
		return exitEnded
	}
	return exitcode.OK
}

// exitEnded is for a session that did not end with QUIT.
const exitEnded = 1
