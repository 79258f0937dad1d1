// Fastforward sends a message on to where a compiled table of aliases says, as
// newaliases makes it of /etc/aliases. It is for .qmail files and the default
// delivery. See fastforward(1).
package main

import (
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"goqmail/aliases"
	"goqmail/internal/address"
	"goqmail/internal/cdb"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/getopt"
	"goqmail/internal/home"
	"goqmail/internal/qq"
	"goqmail/local"
)

const usage = "fastforward: usage: fastforward [ -nNpPdD ] data.cdb\n"

func main() { exitcode.Main(run) }

func run() int {
	syscall.Umask(0o077)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGXFSZ)
	var show, pass, byDefault bool
	options := getopt.New(os.Args[1:], "nNpPdD")
	for letter := options.Next(); letter != 0; letter = options.Next() {
		switch letter {
		case 'n', 'N':
			show = letter == 'n'
		case 'p', 'P':
			pass = letter == 'p'
		case 'd', 'D':
			byDefault = letter == 'd'
		default:
			io.WriteString(os.Stderr, usage)
			return exitcode.Hard
		}
	}
	args := options.Rest()
	if len(args) != 1 {
		io.WriteString(os.Stderr, usage)
		return exitcode.Hard
	}
	to, host, err := recipient(byDefault)
	if err != nil {
		return fault.Fatal(os.Stderr, "fastforward", err)
	}
	e, ok, err := expand(args[0], to, host)
	switch {
	case err != nil:
		return fault.Say(os.Stderr, aliases.Fault(err))
	case !ok && pass:
		return exitcode.OK
	case !ok:
		return fault.Say(os.Stderr, fault.Hard("Sorry, no mailbox here by that name. (#5.1.1)"))
	case e.Self && !pass && !show:
		return fault.Say(os.Stderr, fault.Hard("Sorry, this alias names itself, and there is no other mailbox by that name. (#5.4.6)"))
	case show:
		io.WriteString(os.Stdout, e.String())
	default:
		if err := deliver(e); err != nil {
			return fault.Say(os.Stderr, err)
		}
	}
	if pass && !e.Self {
		return exitcode.CommandStop
	}
	return exitcode.OK
}

// recipient is the address to look up: that of the delivery, or with -d the part
// that "default" stands for in the name of the .qmail file.
func recipient(byDefault bool) (local, host string, err error) {
	name := "RECIPIENT"
	if byDefault {
		name = "DEFAULT"
	}
	local, ok := os.LookupEnv(name)
	if !ok {
		return "", "", fault.Hard(name + " not set")
	}
	if !byDefault {
		local, host, _ = address.Split(local)
		return local, host, nil
	}
	if host, ok = os.LookupEnv("HOST"); !ok {
		return "", "", fault.Hard("HOST not set")
	}
	return local, host, nil
}

func expand(table, to, host string) (aliases.Expansion, bool, error) {
	file, err := os.Open(table)
	if err != nil {
		return aliases.Expansion{}, false, err
	}
	defer file.Close()
	return aliases.Expander{Table: cdb.NewReader(file), Open: aliases.Open}.Recipient(to, host)
}

// deliver does what the aliases ask for. Owners of lists get the failures, but not
// those of failures.
func deliver(e aliases.Expansion) error {
	d, err := local.Command(local.ThisHost(), os.Stdin, os.Stdout, os.Stderr)
	if err != nil {
		return err
	}
	d.Queue = func([]string) (local.Submission, error) { return qq.System(home.Dir()).Open() }
	sender := os.Getenv("NEWSENDER")
	if e.Owner != "" && d.Sender != "" && d.Sender != "#@[]" {
		sender = e.Owner
	}
	qp, err := d.Carry(e.Lines(), sender)
	if err == nil && qp != 0 {
		io.WriteString(os.Stderr, "fastforward: qp "+strconv.Itoa(qp)+"\n")
	}
	return err
}
