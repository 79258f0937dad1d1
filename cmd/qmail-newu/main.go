// Qmail-newu compiles users/assign into users/cdb. See qmail-newu(8).
package main

import (
	"errors"
	"os"
	"syscall"

	"goqmail/internal/durable"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/home"
	"goqmail/users"
)

func main() { exitcode.Main(run) }

func run() int {
	syscall.Umask(0o33)
	if os.Chdir(home.Dir()) != nil {
		return fatal("unable to chdir")
	}
	defer users.Lock("users")()
	err := users.Rebuild(durable.NewDir("users"))
	var f *fault.Error
	if errors.As(err, &f) {
		return fatal(f.Text)
	}
	return exitcode.OK
}

func fatal(text string) int {
	os.Stderr.WriteString("qmail-newu: fatal: " + text + "\n")
	return exitcode.Soft
}
