// Package remote sends one message to recipients at one host by SMTP; it is
// qmail-remote(8).
//
// A [Client] has what it needs from the outside (network, DNS, clock) and keeps
// nothing from one message to the next, so that a process may send one message
// and exit, or many at the same time. [Client.Send] finds the addresses of the
// host (a route in control/smtproutes, an address literal, or DNS), connects to
// one after the other until one says hello, with TLS and a password if that is
// wanted, and carries the message over. What became of it goes out as reports.
//
// What a connection has to be like is up to a [TLSPolicy]; [TLSFiles] is the one of
// the control files.
//
// # File format
//
// Reports are what the program prints, for qmail-rspawn to read: first one for
// each recipient that the host was asked about, in order, then one for the
// message. Each is a letter and a text, ended by a zero byte.
//
//	recipient  r  accepted, no text
//	           h  refused for good
//	           s  refused for now
//	message    K  the host has taken it for every accepted recipient
//	           Z  temporary failure
//	           D  permanent failure
//
// Texts end in a newline, unless they end with a reply of the host that is longer
// than 5000 bytes: only so much of it is told. Otherwise a reply is told as it
// came, but without its CRs and with ? in place of zero bytes. For instance, with
// \0 for the zero byte:
//
//	r\0h192.0.2.1 does not like recipient.
//	Remote host said: 550 no such user
//	\0K192.0.2.1 accepted message.
//	Remote host said: 250 ok 1023456789 qp 1234
//	\0
//
// Where TLS was used, or should have been, the report on the message has another
// line at its end that says so: see qmail-remote(8).
//
// If the host accepts no recipient at all, the message report is a D, even if
// all were refused only for now; the recipient reports are what counts.
package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"time"

	"goqmail/internal/tcpto"
)

// Client is what it takes to send mail. Its methods may be called from several
// goroutines at a time.
type Client struct {
	// Dial connects to an address, from one of this host's, or from any if that is
	// the zero one. It gives up when ctx does.
	Dial func(ctx context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error)
	// Resolver answers for the DNS. It is asked only about names, but about
	// several at a time.
	Resolver Resolver
	// Timeouts is the table of addresses that did not answer.
	Timeouts tcpto.File
	// Jitter, 0 to 31, is the argument of tcpto.Entry.Blocks.
	Jitter int
	// Own returns the addresses of this host's interfaces.
	Own func() ([]netip.Addr, error)
	// Now is the clock.
	Now func() time.Time
	// Sessions keeps TLS sessions, so that the next connection to a server costs
	// less; nil for none. Those with a certificate of this host's are not kept.
	Sessions tls.ClientSessionCache
	// Idle keeps connections for the next message; nil for none.
	Idle *Idle
	// Shuffle puts n things in random order; nil for rand.Shuffle.
	Shuffle func(n int, swap func(i, j int))
}

// Mail is a message and its envelope.
type Mail struct {
	Host       string   // a name, an address, or an address in brackets
	Sender     string   // an envelope address, unquoted
	Recipients []string // as the sender; at least one
	// Message has lines ended by LF, CRLF or CR. If it can seek, it is looked
	// through beforehand where the host wants to know its size or kind.
	Message io.Reader

	shared *text // the same message, in place of Message; nil if it is sent but once
}

// searchTime bounds the search for an address that says hello: after so long,
// those that are left are not tried.
const searchTime = time.Hour

// mostTime bounds a delivery from beginning to end. Whatever is going on then is
// broken off: a host that reads one byte a minute must not hold a place for weeks.
const mostTime = 6 * time.Hour

// Send sends a message and writes the reports to out. The error is that of out.
func (c *Client) Send(ctx context.Context, s *Settings, m *Mail, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, mostTime)
	defer cancel()
	reports := newReporter(out)
	reports.put(c.send(ctx, s, m, reports))
	return reports.flush()
}

func (c *Client) send(ctx context.Context, s *Settings, m *Mail, h hearer) verdict {
	if !sendable(m.Sender) {
		return verdictOf(errSender)
	}
	targets, err := c.targets(ctx, s, m.Sender, m.Host)
	if err != nil {
		return verdictOf(err)
	}
	return c.try(ctx, s, m, targets, func(session *session) verdict { return session.transfer(m, h) })
}

// try has the message carried over by the first session that there is with a target. It
// returns what carry does, or why there is no session.
func (c *Client) try(ctx context.Context, s *Settings, m *Mail, targets []target, carry func(*session) verdict) verdict {
	noConnection := verdictOf(errNoConnection)
	failure := noConnection
	start := c.Now()
	for _, to := range targets {
		if c.Now().Sub(start) >= searchTime || ctx.Err() != nil {
			break
		}
		session, no := c.open(ctx, s, m, to)
		for ; no == nil; session, no = c.open(ctx, s, m, to) {
			v := carry(session)
			c.Idle.keep(session)
			if v != stale {
				return v
			}
		}
		if no.met || failure == noConnection {
			failure = no.verdict
		}
		if no.final {
			break
		}
	}
	return failure
}

// connect connects, and keeps the table of timeouts. That the table does not work
// is no reason not to try. The error tells what to report if no other address
// does better.
func (c *Client) connect(ctx context.Context, to target, timeout time.Duration) (net.Conn, error) {
	addr := to.addr.Addr()
	entry, known, err := c.Timeouts.Lookup(addr)
	if err == nil && entry.Blocks(c.Now(), c.Jitter) {
		return nil, errNoConnection
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := c.Dial(ctx, to.from, to.addr)
	switch {
	case to.from.IsValid() && errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, errBind(to.from)
	case err != nil && to.first:
	case err != nil && isTimeout(err):
		_ = c.Timeouts.TimedOut(addr, c.Now())
	case known && !errors.Is(err, context.Canceled):
		_ = c.Timeouts.Answered(addr) // Compat: a refusal is an answer
	}
	if err != nil {
		return nil, errNoConnection
	}
	return conn, nil
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

func (c *Client) shuffle(n int, swap func(i, j int)) {
	if c.Shuffle == nil {
		rand.Shuffle(n, swap)
	} else {
		c.Shuffle(n, swap)
	}
}
