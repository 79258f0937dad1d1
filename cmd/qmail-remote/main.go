// Qmail-remote sends the message on descriptor 0 to recipients at a host by
// SMTP, and reports on descriptor 1. See qmail-remote(8).
package main

import (
	"context"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"goqmail/internal/confine"
	"goqmail/internal/exitcode"
	"goqmail/internal/home"
	"goqmail/internal/tcpto"
	"goqmail/remote"
)

func main() { exitcode.Main(run) }

// run always returns 0: the verdict is in the reports. Compat: for wrong usage too.
func run() int {
	signal.Ignore(syscall.SIGPIPE) // whoever reads the reports may be gone
	serving := len(os.Args) == 2 && os.Args[1] == "-serve"
	if len(os.Args) < 4 && !serving {
		return fail(remote.ErrUsage)
	}
	if err := os.Chdir(home.Dir()); err != nil {
		return fail(remote.ErrHome)
	}
	client := &remote.Client{
		Dial:     remote.DialTCP,
		Resolver: remote.NewDNS("/etc/resolv.conf"),
		Timeouts: tcpto.File{Path: "queue/lock/tcpto"},
		Jitter:   rand.IntN(32),
		Own:      remote.InterfaceAddrs,
		Now:      time.Now,
	}
	profile := confine.Remote
	if serving {
		profile = confine.Staying
	}
	profile(".").Enter(".", "qmail-remote", io.Discard) // the reports go to standard error, too
	if serving {
		return stay(client)
	}
	settings, err := remote.ReadSettings("control")
	if err != nil {
		return fail(err)
	}
	mail := &remote.Mail{Host: os.Args[1], Sender: os.Args[2], Recipients: os.Args[3:], Message: os.Stdin}
	_ = client.Send(context.Background(), settings, mail, os.Stdout)
	return exitcode.OK
}

func fail(err error) int {
	_ = remote.Fail(os.Stdout, err)
	return exitcode.OK
}
