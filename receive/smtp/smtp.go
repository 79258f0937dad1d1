// Package smtp is the SMTP server of qmail-smtpd(8), RFC 5321.
//
// A [Server] is what sessions share; [Server.Serve] is one session, over any
// connection and with an environment of its own. It keeps little: a message goes
// to qmail-queue as it comes, and all else has a limit (see the constants below
// and maxrcpt).
package smtp

import (
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"time"

	"goqmail/receive"
	"goqmail/receive/spp"
)

// Server is what sessions have in common.
type Server struct {
	Control string                       // the folder of control files
	Queue   receive.Queue                // takes messages
	Own     func() ([]netip.Addr, error) // addresses of this host
	Now     func() time.Time
	Log     *Log     // may be nil
	Run     Runner   // starts the checkers below
	Checker []string // of passwords, with its arguments; nil for none

	// AuthDelay is how long a client waits that has named a wrong password, and as
	// much longer each time.
	AuthDelay time.Duration

	Rcptcheck string // path of qmail-rcptcheck
}

// Limits of a session. A client that meets one of the first two is told 421 and
// may come again.
const (
	maxErrors  = 500            // replies 4xx and 5xx since the last message
	maxSession = 24 * time.Hour // from its beginning
)

// ErrEnded is wrapped by the error for a session that did not end with QUIT.
var ErrEnded = errors.New("session ended")

// errQuit ends a session as it should.
var errQuit = errors.New("quit")

// Serve serves one client. It returns nil after QUIT; otherwise the client went
// away, or was told why it had to.
func (srv *Server) Serve(conn net.Conn, env receive.Env) error {
	env = maps.Clone(env) // a session changes it
	if env == nil {
		env = receive.Env{}
	}
	wire := receive.NewWire(conn, firstTimeout)
	wire.End = time.Now().Add(maxSession)
	s := &session{srv: srv, wire: wire, env: env}
	err := s.open()
	if err == nil {
		defer s.set.Hosts.Close()
		err = s.commands()
		s.forget()
	}
	if err == errQuit {
		err = nil
	}
	if flushed := wire.Flush(); err == nil {
		err = flushed
	}
	if conn, ok := wire.Conn().(*tls.Conn); ok {
		conn.CloseWrite() // or the client cannot tell this from a connection that was cut
	}
	return err
}

// firstTimeout goes for replies before the settings are read.
const firstTimeout = time.Minute

// session is the state of one connection.
type session struct {
	srv  *Server
	wire *receive.Wire
	env  receive.Env
	set  *Settings
	own  []netip.Addr

	tls         *secured // nil without TLS
	certificate string   // the mail address in the client's certificate, if it counts
	user        string   // who the client has shown to be, "" if it has not

	helo     *string      // what the client calls itself, nil if the peer's name says the same
	extended bool         // it has said EHLO
	mail     *mail        // nil before MAIL
	failures int          // since the last message
	spp      *spp.Session // plug-ins; nil for none
	badTo    int          // recipients that were refused
	attempts int          // at AUTH
}

// mail is a transaction: the envelope so far.
type mail struct {
	sender string
	bad    bool // badmailfrom has the sender
	utf8   bool // the client said SMTPUTF8
	to     []string

	arrival *arrival // nil before the message
}

// open reads the settings and greets.
func (s *session) open() error {
	set, err := ReadSettings(s.srv.Control, s.env)
	if err != nil {
		return s.end(replyControls, err)
	}
	s.set = set
	if s.own, err = s.srv.Own(); err != nil {
		set.Hosts.Close()
		return s.end(replyAddresses, err)
	}
	s.wire.Timeout = set.Timeout
	s.hello(set.Peer.Host)
	if s.isSet(envSMTPS) {
		if err := s.handshake(); err != nil {
			set.Hosts.Close()
			return err
		}
	}
	if err := s.await(); err != nil {
		set.Hosts.Close()
		return err
	}
	if err := s.greet(); err != nil {
		set.Hosts.Close()
		return err
	}
	return nil
}

// greet greets, unless a plug-in does not want that.
func (s *session) greet() error {
	for _, line := range s.set.Lists.Broken {
		s.srv.Log.event(s, "badrcptto has what is no regular expression: ", line)
	}
	if err := s.readPlugins(); err != nil {
		return s.end(replyControls, err)
	}
	greets, err := s.goesOn(s.spp.Ask(spp.Connection))
	if greets {
		s.write("220 " + s.set.Greeting + " ESMTP")
	}
	return err
}

// commands serves commands until one ends the session.
func (s *session) commands() error {
	for {
		verb, argument, err := s.wire.Command()
		switch {
		case errors.Is(err, receive.ErrLineTooLong):
			s.say(replyTooLong)
			err = nil
		case err != nil:
			return s.lost(err)
		default:
			err = s.command(verb, argument)
		}
		if err == nil && s.failures >= maxErrors {
			err = s.end(replyTooManyErrs, ErrEnded)
		}
		if err != nil {
			return err
		}
	}
}

// say writes a reply.
func (s *session) say(reply string) {
	if reply[0] == '4' || reply[0] == '5' {
		s.failures++
	}
	if s.set != nil && s.set.Enhanced {
		reply = enhance(reply)
	}
	s.write(reply)
}

// write writes a reply as it is.
func (s *session) write(reply string) { s.wire.WriteString(reply + "\r\n") }

// end writes a last reply; the session is over because of err.
func (s *session) end(reply string, err error) error {
	s.say(reply)
	s.wire.Flush()
	return errors.Join(ErrEnded, err)
}

// lost ends a session whose client was not to be read from.
func (s *session) lost(err error) error {
	if s.mail != nil && s.mail.arrival != nil {
		s.srv.Log.event(s, "lost within a message: ", err.Error())
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && !time.Now().Before(s.wire.End):
		s.wire.End = time.Time{} // for the last reply
		return s.end(replyOver, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return s.end(replyTimeout, err)
	case errors.Is(err, receive.ErrFlood):
		return s.end(replyTooLong, err)
	case errors.Is(err, io.EOF):
		return ErrEnded
	}
	return errors.Join(ErrEnded, err)
}
