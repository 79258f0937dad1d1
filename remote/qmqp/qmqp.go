// Package qmqp is the client of QMQP, by which a host without a queue hands its
// mail to one that has a queue, qmail-qmqpc(8).
//
// A message goes out as netstrings in a netstring: the message, the sender, the
// recipients. The answer is a netstring that begins with K (taken), Z (not now)
// or D (refused). So with exit codes in place of answers the client is a
// qmail-queue.
package qmqp

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/netstring"
)

// Limits and timeouts.
const (
	Port           = 628
	maxMessage     = 512 << 20 // it is held in memory, for its length goes first
	maxEnvelope    = 64 << 20
	maxAnswer      = 1000
	connectTimeout = 10 * time.Second
	timeout        = 60 * time.Second // of each read and write
)

// Client hands messages to servers.
type Client struct {
	Servers []string // addresses, maybe with a port; others are passed over
	Dial    func(addr netip.AddrPort, timeout time.Duration) (net.Conn, error)
}

// DialTCP is the Dial function of a [Client] on a network.
func DialTCP(addr netip.AddrPort, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp", addr.String(), timeout)
}

// Send reads a message and an envelope, as qmail-queue(8) does, and hands them to
// the first server that can be reached. It returns an exit code of qmail-queue.
func (c *Client) Send(message, envelope io.Reader) int {
	text, code := read(message)
	if code != exitcode.OK {
		return code
	}
	addresses, code := readEnvelope(bufio.NewReader(io.LimitReader(envelope, maxEnvelope)))
	if code != exitcode.OK {
		return code
	}
	return c.send(text, addresses)
}

func read(message io.Reader) (string, int) {
	var b strings.Builder
	n, err := io.Copy(&b, io.LimitReader(message, maxMessage+1))
	switch {
	case err != nil:
		return "", exitcode.QueueRead
	case n > maxMessage:
		return "", exitcode.QueueNoMemory
	}
	return b.String(), exitcode.OK
}

// readEnvelope reads F, the sender and a NUL, T, a recipient and a NUL any number
// of times, and a NUL. It returns the addresses as netstrings.
func readEnvelope(r *bufio.Reader) (addresses []byte, code int) {
	for letter := byte('F'); ; letter = 'T' {
		field, err := r.ReadString(0)
		switch {
		case errors.Is(err, io.EOF):
			return nil, exitcode.QueueEnvelope
		case err != nil:
			return nil, exitcode.QueueRead
		case len(field) == 1 && letter == 'T':
			return addresses, exitcode.OK
		case field[0] != letter:
			return nil, exitcode.QueueEnvelope
		}
		addresses = netstring.Append(addresses, field[1:len(field)-1])
	}
}

// send tries one server after the other until one takes the connection. What that
// one does is the end of it, for it may have the message.
func (c *Client) send(message string, addresses []byte) int {
	code := exitcode.QueueConfiguration
	for _, server := range c.Servers {
		addr, ok := parse(server)
		if !ok {
			continue
		}
		conn, err := c.Dial(addr, connectTimeout)
		if err == nil {
			return talk(conn, message, addresses)
		}
		if code = whyNot(err); code == exitcode.QueueNetwork {
			return code
		}
	}
	return code
}

// parse reads an address with or without a port.
func parse(server string) (netip.AddrPort, bool) {
	if addr, err := netip.ParseAddr(server); err == nil {
		return netip.AddrPortFrom(addr, Port), true
	}
	addr, err := netip.ParseAddrPort(server)
	return addr, err == nil
}

// whyNot is the exit code for a connection that could not be made.
func whyNot(err error) int {
	var timed interface{ Timeout() bool }
	switch {
	case errors.As(err, &timed) && timed.Timeout():
		return exitcode.QueueNetTimeout
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.ENOMEM):
		return exitcode.QueueNetwork // the host has no socket for us
	}
	return exitcode.QueueNetRejected
}

// talk hands over the message and reads the answer.
func talk(conn net.Conn, message string, addresses []byte) int {
	defer conn.Close()
	prefix := strconv.Itoa(len(message)) + ":"
	all := len(prefix) + len(message) + len(",") + len(addresses)
	for _, part := range []string{strconv.Itoa(all) + ":" + prefix, message, "," + string(addresses) + ","} {
		if write(conn, part) != nil {
			return exitcode.QueueNetFailed
		}
	}
	return answer(bufio.NewReader(io.LimitReader(patient{conn}, maxAnswer)))
}

// write sends a text piece by piece, so that the timeout is that of a piece.
func write(conn net.Conn, text string) error {
	const piece = 64 << 10
	for len(text) > 0 {
		n := min(len(text), piece)
		conn.SetWriteDeadline(time.Now().Add(timeout))
		if _, err := io.WriteString(conn, text[:n]); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// patient is a connection whose reads have a timeout.
type patient struct{ conn net.Conn }

func (p patient) Read(b []byte) (int, error) {
	p.conn.SetReadDeadline(time.Now().Add(timeout))
	return p.conn.Read(b)
}

// answer reads as far as the letter that says what became of the message.
func answer(r io.ByteReader) int {
	for {
		c, err := r.ReadByte()
		if err != nil {
			return exitcode.QueueNetFailed
		}
		switch c {
		case 'K':
			return exitcode.OK
		case 'Z':
			return exitcode.QueueTempRejected
		case 'D':
			return exitcode.QueueRejected
		}
	}
}
