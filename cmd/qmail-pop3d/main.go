// Qmail-pop3d serves a user's maildir by POP3 on descriptors 0 and 1. See
// qmail-pop3d(8).
package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/fdconn"
	"goqmail/receive"
	"goqmail/receive/pop3"
)

func main() { exitcode.Main(run) }

func run() int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // the client may be gone, and the log too
	if os.Getuid() == 0 {
		os.Stderr.WriteString("qmail-pop3d invoked as uid 0, terminating\n")
		return exitRoot
	}
	env := receive.Environ(os.Environ())
	server := &pop3.Mailbox{
		Now:  time.Now,
		Capa: env.IsSet(pop3.CapaVariable),
		Log:  &receive.Log{Name: "qmail-pop3d", Out: os.Stderr, Network: receive.PeerOf(env).Network || fdconn.IsSocket(0)},
		Who:  pop3.Client(env),
	}
	if len(os.Args) > 1 {
		server.Maildir = os.Args[1]
	}
	_ = server.Serve(fdconn.New(0, 1)) // the client was told
	return exitcode.OK
}

// exitRoot is for a checker that did not become the user.
const exitRoot = 1
