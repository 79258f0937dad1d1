// Bouncesaying bounces a message with a text, always or if a program says so. See
// bouncesaying(1).
package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"

	"goqmail/internal/child"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
)

func main() { exitcode.Main(run) }

func run() int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // the exit code counts, not the text
	if len(os.Args) < 2 {
		io.WriteString(os.Stderr, "bouncesaying: usage: bouncesaying error [ program [ arg ... ] ]\n")
		return exitcode.Hard
	}
	if len(os.Args) > 2 {
		yes, err := child.Succeeds(os.Args[2:])
		if err != nil {
			return fault.Fatal(os.Stderr, "bouncesaying", err)
		}
		if !yes {
			return exitcode.OK
		}
	}
	io.WriteString(os.Stderr, os.Args[1]+"\n")
	return exitcode.Hard
}
