// Maildir2mbox moves the mail of a maildir into an mbox. See maildir2mbox(1).
package main

import (
	"io"
	"os"
	"syscall"

	"goqmail/internal/durable"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/syserr"
	"goqmail/local"
)

func main() { exitcode.Main(run) }

func run() int {
	syscall.Umask(0o077)
	if err := move(); err != nil {
		return fault.Fatal(os.Stderr, "maildir2mbox", err)
	}
	return exitcode.OK
}

func move() error {
	var names [3]string
	for i, name := range []string{"MAIL", "MAILTMP", "MAILDIR"} {
		var ok bool
		if names[i], ok = os.LookupEnv(name); !ok {
			return fault.Soft(name+" not set", nil)
		}
	}
	if err := os.Chdir(names[2]); err != nil {
		return fault.Soft("unable to chdir to "+names[2]+": "+syserr.Text(err), err)
	}
	mail := local.ToMbox{
		Host:      local.ThisHost(),
		Files:     durable.NewDir(""), // the working folder, and absolute names as they are
		Mbox:      names[0],
		Temporary: names[1],
		Warn:      func(text string) { io.WriteString(os.Stderr, "maildir2mbox: warning: "+text+"\n") },
	}
	return mail.Move()
}
