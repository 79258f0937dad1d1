// Dot-forward does what a .forward file asks for, if there is one. It is for the
// default delivery and for .qmail files. See dot-forward(1).
package main

import (
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"goqmail/aliases"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/getopt"
	"goqmail/internal/home"
	"goqmail/internal/qq"
	"goqmail/local"
)

const usage = "dot-forward: usage: dot-forward [ -nN ] file ...\n"

func main() { exitcode.Main(run) }

func run() int {
	syscall.Umask(0o077)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGXFSZ)
	show := false
	options := getopt.New(os.Args[1:], "nN")
	for letter := options.Next(); letter != 0; letter = options.Next() {
		if letter == '?' {
			io.WriteString(os.Stderr, usage)
			return exitcode.Hard
		}
		show = letter == 'n'
	}
	if len(options.Rest()) == 0 {
		io.WriteString(os.Stderr, usage)
		return exitcode.Hard
	}
	for _, name := range options.Rest() {
		list, ok, err := aliases.ReadForward(name)
		if err != nil {
			return fault.Say(os.Stderr, aliases.Fault(err))
		}
		if ok && len(list) > 0 {
			return obey(list, show)
		}
	}
	return exitcode.OK
}

// obey does what a file says. Unless the user is among the addresses, nothing else
// of the .qmail file is to be done.
func obey(list []aliases.Target, show bool) int {
	e, err := aliases.Expander{Open: aliases.Open}.List(list, own)
	if err != nil {
		return fault.Say(os.Stderr, aliases.Fault(err))
	}
	if show {
		io.WriteString(os.Stdout, e.String())
	} else if err := deliver(e); err != nil {
		return fault.Say(os.Stderr, err)
	}
	if e.Self {
		return exitcode.OK
	}
	return exitcode.CommandStop
}

// own reports whether an address is that of the delivery.
func own(address string) bool {
	user, to, host := os.Getenv("USER"), os.Getenv("LOCAL"), os.Getenv("HOST")
	for _, a := range []string{user, to, user + "@" + host, to + "@" + host} {
		if strings.EqualFold(a, address) {
			return true
		}
	}
	return false
}

func deliver(e aliases.Expansion) error {
	d, err := local.Command(local.ThisHost(), os.Stdin, os.Stdout, os.Stderr)
	if err != nil {
		return err
	}
	d.Queue = func([]string) (local.Submission, error) { return qq.System(home.Dir()).Open() }
	qp, err := d.Carry(e.Lines(), os.Getenv("NEWSENDER"))
	if err == nil && qp != 0 {
		io.WriteString(os.Stderr, "dot-forward: qp "+strconv.Itoa(qp)+"\n")
	}
	return err
}
