// Qmail-popup learns by POP3 on descriptors 0 and 1 who the user is, and asks a
// password checker. See qmail-popup(8).
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
	"goqmail/receive/certs"
	"goqmail/receive/popup"
)

func main() { exitcode.Main(run) }

// run always returns exitEnded. Compat: the caller learns nothing.
func run() int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // the client may be gone, and the log too
	if len(os.Args) < 3 {
		popup.Usage(os.Stdout)
		return exitEnded
	}
	env := receive.Environ(os.Environ())
	other, err := receive.UCSPIOf(env)
	if err != nil {
		other = nil // it cannot be spoken with
	}
	server := &popup.Server{
		Host:     os.Args[1],
		PID:      os.Getpid(),
		Now:      time.Now,
		Implicit: env.IsSet("POP3S"),
		MustTLS:  env.IsSet("FORCETLS") || other != nil && other.Must,
		Peer:     receive.PeerOf(env),
		Log:      &receive.Log{Name: "qmail-popup", Out: os.Stderr, Network: receive.PeerOf(env).Network || fdconn.IsSocket(0)},
		Start: func(in, out, up *os.File, more []string) (*os.Process, error) {
			if in == nil {
				in, out = os.Stdin, os.Stdout
			}
			return child.Start(os.Args[2:], append(os.Environ(), more...), []*os.File{in, out, os.Stderr, up})
		},
	}
	if !env.IsSet("DISABLETLS") {
		server.Other = other
		server.Certs = certs.Folder(filepath.Join(home.Dir(), "control"))
	}
	_ = server.Serve(fdconn.New(0, 1)) // the client was told
	return exitEnded
}

const exitEnded = 1
