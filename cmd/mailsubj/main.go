// Mailsubj sends a message with a subject. See mailsubj(1).
package main

import (
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"goqmail/internal/child"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/home"
)

func main() { exitcode.Main(run) }

func run() int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if len(os.Args) < 2 {
		io.WriteString(os.Stderr, "mailsubj: usage: mailsubj subject [ recipient ... ]\n")
		return exitcode.Hard
	}
	header := "Subject: " + oneLine(os.Args[1]) + "\nTo:"
	for _, recipient := range os.Args[2:] {
		header += " " + oneLine(recipient)
	}
	fed, err := child.Feed([]string{home.Dir() + "/bin/qmail-inject"}, header+"\n\n", os.Stdin)
	if err != nil {
		fault.Fatal(os.Stderr, "mailsubj", err)
		return exitcode.Soft
	}
	return fed.Code
}

// oneLine keeps a text from adding fields to the header.
func oneLine(text string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(text) }
