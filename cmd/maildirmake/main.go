// Maildirmake makes a maildir. See maildirmake(1).
package main

import (
	"errors"
	"io"
	"os"
	"syscall"

	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/local"
)

func main() { exitcode.Main(run) }

func run() int {
	syscall.Umask(0o077)
	if len(os.Args) < 2 {
		io.WriteString(os.Stderr, "maildirmake: usage: maildirmake name\n")
		return exitcode.Hard
	}
	var f *fault.Error
	if err := local.MakeMaildir(os.Args[1]); errors.As(err, &f) {
		io.WriteString(os.Stderr, "maildirmake: fatal: "+f.Text+"\n")
		return exitcode.Soft
	}
	return exitcode.OK
}
