// Qreceipt tells the sender of a message that it was delivered, if asked to. See
// qreceipt(1).
package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"

	"goqmail/inject"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/home"
	"goqmail/internal/qq"
)

func main() { exitcode.Main(run) }

func run() int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	sender, ok := os.LookupEnv("SENDER")
	if len(os.Args) < 2 || !ok {
		io.WriteString(os.Stderr, "qreceipt: usage: qreceipt deliveryaddress\n")
		return exitcode.Hard
	}
	receipt, err := inject.ReadReceipt(os.Stdin, os.Args[1])
	if err != nil {
		return fault.Fatal(os.Stderr, "qreceipt", err)
	}
	if receipt.Asked && sender != "" && sender != "#@[]" {
		if err := queue(receipt.Notice(sender), sender); err != nil {
			return fault.Fatal(os.Stderr, "qreceipt", err)
		}
	}
	io.Copy(io.Discard, os.Stdin) // whoever feeds us may mind if we do not take all
	return exitcode.OK
}

// queue sends a notice, which has no sender itself, to an address.
func queue(notice, to string) error {
	m, err := qq.System(home.Dir()).Open()
	if err != nil {
		return fault.Soft("unable to fork", err)
	}
	m.WriteString(notice)
	m.From("")
	m.To(to)
	switch err := m.Close(); {
	case fault.IsPermanent(err):
		return fault.Hard("permanent qmail-queue error")
	case err != nil:
		return fault.Soft("temporary qmail-queue error", err)
	}
	return nil
}
