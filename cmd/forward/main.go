// Forward passes a message on to other addresses. See forward(1).
package main

import (
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/forward"
	"goqmail/internal/home"
	"goqmail/internal/qq"
)

func main() { exitcode.Main(run) }

func run() int {
	// Once the message is queued, a log that went away must not have it sent again.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if len(os.Args) < 2 {
		io.WriteString(os.Stderr, "forward: usage: forward address ...\n")
		return exitcode.Hard
	}
	envelope, err := forward.FromEnv("NEWSENDER")
	if err != nil {
		return fault.Fatal(os.Stderr, "forward", err)
	}
	envelope.To = os.Args[1:]
	pid, err := forward.Send(qq.SystemOnce(home.Dir()), envelope, os.Stdin)
	if err != nil {
		return fault.Fatal(os.Stderr, "forward", err)
	}
	io.WriteString(os.Stderr, "forward: qp "+strconv.Itoa(pid)+"\n")
	return exitcode.OK
}
