// Condredirect passes a message on to another address if a program says so. See
// condredirect(1).
package main

import (
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"goqmail/internal/child"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/forward"
	"goqmail/internal/home"
	"goqmail/internal/qq"
	"goqmail/internal/syserr"
)

func main() { exitcode.Main(run) }

func run() int {
	// Once the message is queued, a log that went away must not have it sent again.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if len(os.Args) < 3 {
		io.WriteString(os.Stderr, "condredirect: usage: condredirect newaddress program [ arg ... ]\n")
		return exitcode.Hard
	}
	yes, err := child.Succeeds(os.Args[2:])
	if err != nil {
		return fault.Fatal(os.Stderr, "condredirect", err)
	}
	if !yes {
		return exitcode.OK
	}
	pid, err := redirect(os.Args[1])
	if err != nil {
		return fault.Fatal(os.Stderr, "condredirect", err)
	}
	io.WriteString(os.Stderr, "condredirect: qp "+strconv.Itoa(pid)+"\n")
	return exitcode.CommandStop
}

// redirect sends the message, of which the program may have read some.
func redirect(to string) (pid int, err error) {
	if _, err := os.Stdin.Seek(0, io.SeekStart); err != nil {
		return 0, fault.Soft("unable to rewind: "+syserr.Text(err), err)
	}
	envelope, err := forward.FromEnv("SENDER")
	if err != nil {
		return 0, err
	}
	envelope.To = []string{to}
	return forward.Send(qq.SystemOnce(home.Dir()), envelope, os.Stdin)
}
