// Qmail-lmtp hands a message to an LMTP server, for .qmail files. See qmail-lmtp(8).
package main

import (
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/lmtp"
	"goqmail/internal/syserr"
	"goqmail/internal/version"
)

const usage = "qmail-lmtp: usage: qmail-lmtp socket-or-host:port [ recipient ]\n"

// How long to wait for a connection, for each reply, and for all of it.
const (
	connectLimit = time.Minute
	replyLimit   = 5 * time.Minute
	limit        = time.Hour
)

func main() { exitcode.Main(run) }

func run() int {
	// Once the message is delivered, a log that went away must not have it sent again.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	args := os.Args[1:]
	if version.Answer(args, "qmail-lmtp", usage, os.Stdout) {
		return exitcode.OK
	}
	if len(args) != 1 && len(args) != 2 {
		io.WriteString(os.Stdout, usage)
		return exitcode.Hard
	}
	m := lmtp.Message{Sender: os.Getenv("SENDER"), Recipient: os.Getenv("RECIPIENT")}
	if len(args) == 2 {
		m.Recipient = args[1]
	}
	_, known := os.LookupEnv("SENDER")
	if !known || m.Recipient == "" {
		return fault.Say(os.Stdout, fault.Hard("qmail-lmtp: SENDER or RECIPIENT not set"))
	}
	m.Body = io.MultiReader(strings.NewReader(os.Getenv("DTLINE")), os.Stdin)
	said, err := deliver(args[0], m)
	if err != nil {
		return fault.Say(os.Stdout, err)
	}
	io.WriteString(os.Stdout, "qmail-lmtp: "+said+"\n")
	return exitcode.OK
}

// deliver connects to a socket, whose name has a slash in it, or to host:port.
func deliver(server string, m lmtp.Message) (said string, err error) {
	network := "tcp"
	if strings.Contains(server, "/") {
		network = "unix"
	}
	conn, err := net.DialTimeout(network, server, connectLimit)
	if err != nil {
		return "", fault.Soft("Unable to connect to "+server+": "+syserr.Text(err)+". (#4.4.1)", err)
	}
	defer conn.Close()
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	return lmtp.Client{Name: name, Timeout: replyLimit, Limit: limit}.Deliver(conn, m)
}
