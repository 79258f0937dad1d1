// Predate feeds a program the message with a Date line in front. See predate(1).
package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"goqmail/internal/child"
	"goqmail/internal/date822"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
)

func main() { exitcode.Main(run) }

func run() int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if len(os.Args) < 2 {
		io.WriteString(os.Stderr, "predate: usage: predate child\n")
		return exitcode.Hard
	}
	now := time.Now().In(date822.Zone(os.Getenv("TZ")))
	// A child that needs no more of the message may say so by its exit code.
	fed, err := child.Feed(os.Args[1:], "Date: "+date822.FormatLocal(now)+"\n", os.Stdin)
	if err != nil {
		fault.Fatal(os.Stderr, "predate", err)
		return exitcode.Soft
	}
	return fed.Code
}
