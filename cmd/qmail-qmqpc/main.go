// Qmail-qmqpc is a qmail-queue that hands messages to another host by QMQP. See
// qmail-qmqpc(8).
package main

import (
	"os"
	"os/signal"
	"syscall"

	"goqmail/control"
	"goqmail/internal/exitcode"
	"goqmail/internal/home"
	"goqmail/remote/qmqp"
)

func main() { exitcode.Main(run) }

func run() int {
	signal.Ignore(syscall.SIGPIPE) // it starts no program
	if os.Chdir(home.Dir()) != nil {
		return exitcode.QueueHome
	}
	files, err := control.Open("control")
	if err != nil {
		return exitcode.QueueConfiguration
	}
	servers, ok, err := files.List("qmqpservers")
	if err != nil || !ok {
		return exitcode.QueueConfiguration
	}
	client := &qmqp.Client{Servers: servers, Dial: qmqp.DialTCP}
	return client.Send(os.Stdin, os.Stdout) // the envelope is on descriptor 1
}
