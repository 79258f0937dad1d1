// Qmail-newmvrt compiles control/morevalidrcptto into control/morevalidrcptto.cdb. See
// qmail-newmvrt(8).
package main

import (
	"errors"
	"os"
	"syscall"

	"goqmail/internal/durable"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/home"
	"goqmail/internal/syserr"
	"goqmail/users"
)

func main() { exitcode.Main(run) }

func run() int {
	syscall.Umask(0o33)
	if err := os.Chdir(home.Dir()); err != nil {
		return fatal("unable to chdir to " + home.Dir() + ": " + syserr.Text(err))
	}
	defer users.Lock("control")()
	err := users.RebuildList(durable.NewDir("control"), "morevalidrcptto")
	var f *fault.Error
	if errors.As(err, &f) {
		return fatal(f.Text)
	}
	return exitcode.OK
}

func fatal(text string) int {
	os.Stderr.WriteString("qmail-newmvrt: fatal: " + text + "\n")
	return exitcode.Soft
}
