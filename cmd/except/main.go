// Except turns the answer of a program around: it succeeds if the program does
// not. See except(1).
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
		io.WriteString(os.Stderr, "except: usage: except program [ arg ... ]\n")
		return exitcode.Hard
	}
	yes, err := child.Succeeds(os.Args[1:])
	if err != nil {
		return fault.Fatal(os.Stderr, "except", err)
	}
	if yes {
		return exitcode.Hard
	}
	return exitcode.OK
}
