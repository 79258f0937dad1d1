// Qmail-popup learns by POP3 on descriptors 0 and 1 who the user is, and asks a
// password checker. See qmail-popup(8).
package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"goqmail/internal/child"
	"goqmail/internal/exitcode"
	"goqmail/internal/fdconn"
	"goqmail/receive/pop3"
)

func main() { exitcode.Main(run) }

// run always returns exitEnded. Compat: the caller learns nothing.
func run() int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // the client may be gone
	if len(os.Args) < 3 {
		pop3.Usage(os.Stdout)
		return exitEnded
	}
	server := &pop3.Popup{
		Host: os.Args[1],
		PID:  os.Getpid(),
		Now:  time.Now,
		Start: func(up *os.File) (*os.Process, error) {
			return child.Start(os.Args[2:], os.Environ(), []*os.File{os.Stdin, os.Stdout, os.Stderr, up})
		},
	}
	_ = server.Serve(fdconn.New(0, 1)) // the client was told
	return exitEnded
}

const exitEnded = 1
