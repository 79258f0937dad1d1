// Qmail-local delivers a message to one local recipient, or says with -n what it
// would do. See qmail-local(8).
package main

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"goqmail/dot-qmail"
	"goqmail/internal/durable"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/getopt"
	"goqmail/internal/home"
	"goqmail/internal/qq"
	"goqmail/local"
)

const usage = "qmail-local: usage: qmail-local [ -nN ] user homedir local dash ext domain sender aliasempty\n"

func main() { exitcode.Main(run) }

func run() int {
	// Mailboxes, and what programs make, are for their owner alone.
	syscall.Umask(0o077)
	// A reader of our reports that went away must not end a delivery; a mailbox
	// at its size limit must be cut back. Programs find both at their defaults.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGXFSZ)

	if len(os.Args) == 2 && os.Args[1] == "-serve" {
		return stay()
	}
	show := false
	options := getopt.New(os.Args[1:], "nN")
	for {
		switch options.Next() {
		case 'n':
			show = true
			continue
		case 'N':
			show = false
			continue
		case '?':
			io.WriteString(os.Stderr, "qmail-local: illegal option -- "+options.Arg+"\n"+usage)
			return exitcode.Hard
		}
		break
	}
	args := options.Rest()
	if len(args) != 8 || !strings.HasPrefix(args[1], "/") {
		io.WriteString(os.Stderr, usage)
		return exitcode.Hard
	}
	d := delivery(args, os.Stdin)
	d.Host, d.Files = local.ThisHost(), durable.NewDir(d.Home)
	d.Shell = local.NewShell(os.Stdin, os.Stdout, os.Stderr)
	d.Out, d.Warn = os.Stdout, os.Stderr
	if show {
		return report(d.Show(), os.Stderr)
	}
	return report(d.Deliver(), os.Stderr)
}

// delivery is what the arguments and the environment ask for.
func delivery(args []string, message *os.File) *local.Delivery {
	return &local.Delivery{
		User:      args[0],
		Home:      args[1],
		To:        dotqmail.Recipient{Local: args[2], Dash: args[3], Ext: args[4], Host: args[5]},
		Sender:    args[6],
		ByDefault: args[7],
		Message:   message,
		Queue:     queue,
		Env:       os.Environ(),
	}
}

func queue(env []string) (local.Submission, error) {
	q := qq.System(home.Dir())
	q.Env = env
	m, err := q.Open()
	if err != nil {
		return nil, err
	}
	return m, nil
}

// report tells why a delivery failed and returns the exit code.
func report(err error, out io.Writer) int {
	if err == nil {
		return exitcode.OK
	}
	text := err.Error()
	var f *fault.Error
	if errors.As(err, &f) {
		text = f.Text
	}
	if text != "" {
		io.WriteString(out, text+"\n")
	}
	if fault.IsPermanent(err) {
		return exitcode.Hard
	}
	return exitcode.Soft
}
