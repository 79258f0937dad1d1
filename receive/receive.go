// Package receive has what the servers share: who the client is, the Received
// field, the hosts that mail is taken for, the size that is too much, and the
// text side of a connection.
//
// The servers themselves are below it: smtp, qmtp (with QMQP), and popup and pop3.
// Listen has many connections served by one process; certs and smtpusers have the
// certificates and passwords. Each server takes its connection, environment, folder
// of control files, queue and clock as arguments and keeps no state outside a
// session, so that the same code serves one connection and exits, or stays and serves
// many.
package receive

import (
	"strconv"
	"strings"
	"time"

	"goqmail/internal/date822"
)

// unknown stands for what the environment does not tell.
const unknown = "unknown"

// Peer is what is known of the two ends of a connection, tcp-environ(5).
type Peer struct {
	IP      string  // of the client
	Host    string  // name of the client
	Info    *string // what the client's host says of it (RFC 1413), nil if nothing
	Local   string  // name or address of this end
	Network bool    // a server program made the connection: it said which kind in PROTO
}

// PeerOf reads the environment that tcpserver, tcp-env and the like set.
func PeerOf(env Env) Peer {
	p := Peer{IP: unknown, Host: unknown, Local: unknown}
	for _, v := range []struct {
		name string
		to   *string
	}{
		{"TCPREMOTEIP", &p.IP}, {"TCPREMOTEHOST", &p.Host},
		{"TCPLOCALIP", &p.Local}, {"TCPLOCALHOST", &p.Local}, // the name, if there is one
	} {
		if value, ok := env.Lookup(v.name); ok {
			*v.to = value
		}
	}
	if info, ok := env.Lookup("TCPREMOTEINFO"); ok {
		p.Info = &info
	}
	_, p.Network = env.Lookup("PROTO")
	return p
}

// Received is the field that a server puts before a message, two lines. Helo is
// left out if it is nil.
//
//	Received: from relay.example.org (HELO mx.example.org) (joe@192.0.2.1)
//	  by mx.test.example with SMTP; 21 Nov 2026 18:04:07 -0000
func (p Peer) Received(protocol string, helo *string, now time.Time) string {
	var b strings.Builder
	b.WriteString("Received: from " + Safe(p.Host))
	if helo != nil {
		b.WriteString(" (HELO " + Safe(*helo) + ")")
	}
	b.WriteString(" (")
	if p.Info != nil {
		b.WriteString(Safe(*p.Info) + "@")
	}
	b.WriteString(Safe(p.IP) + ")\n  by " + Safe(p.Local) + " with " + protocol + "; ")
	b.WriteString(date822.Format(now) + "\n")
	return b.String()
}

// Safe replaces all that could mean something in a header field by ?.
func Safe(s string) string {
	b := []byte(s)
	for i, c := range b {
		if !safe(c) {
			b[i] = '?'
		}
	}
	return string(b)
}

func safe(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return strings.IndexByte(".@%+/=:-[]", c) >= 0
}

// Accepted is the text that tells a client that its message is in the queue:
// when, and as which process.
func Accepted(now time.Time, pid int) string {
	return "ok " + strconv.FormatInt(now.Unix(), 10) + " qp " + strconv.Itoa(pid)
}
