// Qmail-tcpok makes qmail-remote forget which addresses timed out. See
// qmail-tcpok(8).
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"goqmail/internal/exitcode"
	"goqmail/internal/home"
	"goqmail/internal/syserr"
	"goqmail/internal/tcpto"
)

func main() { exitcode.Main(run) }

func run() int {
	base := home.Dir()
	folder := filepath.Join(base, "queue/lock")
	if err := os.Chdir(base); err != nil {
		return fail("chdir to "+base, err)
	}
	if err := os.Chdir("queue/lock"); err != nil {
		return fail("chdir to "+folder, err)
	}
	if err := (tcpto.File{Path: "tcpto"}).Clear(); err != nil {
		return fail(action(err)+" "+filepath.Join(folder, "tcpto"), err)
	}
	return exitcode.OK
}

// action is what went wrong with the file.
func action(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		switch e.Op {
		case "open":
			return "write"
		case "lock":
			return "lock"
		}
	}
	return "clear"
}

func fail(what string, err error) int {
	fmt.Fprintf(os.Stderr, "qmail-tcpok: fatal: unable to %s: %s\n", what, syserr.Text(err))
	return exitcode.Soft
}
