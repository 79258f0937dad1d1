// Package lmtp hands one message for one recipient to an LMTP server, RFC 2033:
// the protocol in which a mail store such as Dovecot takes mail and says for each
// recipient what became of it.
//
// LMTP is SMTP (RFC 5321) with LHLO in place of EHLO, and one reply for each
// recipient at the end of the data. As there is one recipient here, there is one:
//
//	S: 220 store.test.example
//	C: LHLO mx.test.example
//	S: 250-store.test.example
//	S: 250 8BITMIME
//	C: MAIL FROM:<sue@far.example> BODY=8BITMIME
//	S: 250 ok
//	C: RCPT TO:<kim@test.example>
//	S: 250 ok
//	C: DATA
//	S: 354 go ahead
//	C: (the message, lines ended by CR LF, dots doubled, and a dot)
//	S: 250 2.0.0 saved
//	C: QUIT
//
// Replies are bounded in time and length. What the server refuses with 5xx after
// LHLO is refused for good; everything else that is no success is a failure for
// now, a lost connection too, after which the store may have the message twice.
package lmtp

import (
	"bufio"
	"io"
	"net"
	"strings"
	"time"

	"goqmail/internal/address"
	"goqmail/internal/fault"
	"goqmail/internal/syserr"
)

// Message is a message and its envelope.
type Message struct {
	Sender, Recipient string // envelope addresses, unquoted
	// Body has lines ended by LF, CRLF or CR.
	Body io.Reader
}

// Client says how to talk to servers.
type Client struct {
	Name    string        // what this host calls itself in LHLO
	Timeout time.Duration // for each reply, and for the server to take each piece of the message
	// Limit is how long all of it may take.
	Limit time.Duration
}

// Sizes of buffers, in bytes.
const (
	readSize  = 4 << 10
	writeSize = 32 << 10
)

// session is a conversation with one server.
type session struct {
	conn    net.Conn
	in      *bufio.Reader
	out     *bufio.Writer
	timeout time.Duration
	end     time.Time // of all of it
}

// Deliver hands over a message and returns what the server said of it in the end.
// An error is a [fault.Error] whose text tells what the server said. The connection
// is left for the caller to close.
func (c Client) Deliver(conn net.Conn, m Message) (said string, err error) {
	if !sendable(m.Sender) || !sendable(m.Recipient) {
		return "", fault.Hard("LMTP cannot transfer an address with a line break in it. (#5.1.3)")
	}
	s := &session{conn: conn, timeout: c.Timeout, end: time.Now().Add(c.Limit)}
	s.in = bufio.NewReaderSize(conn, readSize)
	s.out = bufio.NewWriterSize(s, writeSize)
	if err := s.hello(c.Name); err != nil {
		return "", err
	}
	if _, err := s.command("MAIL FROM:<"+address.Quote(m.Sender)+">", 2, "sender was rejected"); err != nil {
		return "", err
	}
	if _, err := s.command("RCPT TO:<"+address.Quote(m.Recipient)+">", 2, "recipient was rejected"); err != nil {
		return "", err
	}
	if _, err := s.command("DATA", 3, "DATA was rejected"); err != nil {
		return "", err
	}
	r, err := s.data(m.Body)
	if err != nil {
		return "", err
	}
	s.quit()
	return r.text, nil
}

// hello waits for the greeting and says who this host is. A server that does not
// like that has trouble of its own, which says nothing about the message.
func (s *session) hello(name string) error {
	r, err := s.reply()
	if err == nil && r.code == 220 {
		s.out.WriteString("LHLO " + name + "\r\n")
		r, err = s.reply()
		if err == nil && r.code == 250 {
			return nil
		}
	}
	if err == nil {
		s.quit()
		err = r.fault("server does not want to talk")
		err.(*fault.Error).Perm = false
	}
	return err
}

// command sends a line and waits for a reply whose code begins with that digit.
func (s *session) command(line string, want int, refused string) (reply, error) {
	s.out.WriteString(line + "\r\n")
	r, err := s.reply()
	if err != nil {
		return r, err
	}
	if r.code/100 != want {
		s.quit()
		return r, r.fault(refused)
	}
	return r, nil
}

// data sends the message, after DATA. If it cannot be read to its end the
// connection ends in the middle of it, and the server throws it away.
func (s *session) data(body io.Reader) (reply, error) {
	if err := writeBody(s.out, body); err != nil {
		if _, ok := err.(*readError); ok {
			return reply{}, fault.Soft("Unable to read message: "+syserr.Text(err)+". (#4.3.0)", err)
		}
		return reply{}, s.died(err)
	}
	r, err := s.reply()
	if err != nil {
		return r, err
	}
	if r.code/100 != 2 {
		s.quit()
		return r, r.fault("message was rejected")
	}
	return r, nil
}

// quit says goodbye. Nobody waits for the answer.
func (s *session) quit() {
	s.out.WriteString("QUIT\r\n")
	_ = s.out.Flush()
}

// reply sends what is written but not sent, and waits for a reply, all of which
// has to come in time.
func (s *session) reply() (reply, error) {
	if err := s.out.Flush(); err != nil {
		return reply{}, s.died(err)
	}
	if err := s.conn.SetReadDeadline(s.deadline()); err != nil {
		return reply{}, s.died(err)
	}
	r, err := readReply(s.in)
	if err != nil {
		return reply{}, s.died(err)
	}
	return r, nil
}

// Write gives the server so long to take each piece.
func (s *session) Write(p []byte) (int, error) {
	if err := s.conn.SetWriteDeadline(s.deadline()); err != nil {
		return 0, err
	}
	return s.conn.Write(p)
}

func (s *session) deadline() time.Time {
	t := time.Now().Add(s.timeout)
	if t.After(s.end) {
		return s.end
	}
	return t
}

func (s *session) died(cause error) error {
	return fault.Soft("Connection to LMTP server died. (#4.4.2)", cause)
}

// sendable reports whether an address fits into one line. No quoting helps a line
// break: what follows it would be a command.
func sendable(addr string) bool { return !strings.ContainsAny(addr, "\r\n\x00") }
