package smtp

import (
	"crypto/tls"
	"strings"
	"time"

	"goqmail/receive/certs"
)

// Variables that say how TLS is used. A value of 0 or nothing is as if one were not
// set.
const (
	envSMTPS      = "SMTPS"      // TLS from the first byte on, without STARTTLS (RFC 8314)
	envForceTLS   = "FORCETLS"   // no mail without TLS
	envDisableTLS = "DISABLETLS" // no TLS at all
)

func (s *session) isSet(name string) bool {
	value := s.env[name]
	return value != "" && value != "0"
}

// mayStartTLS reports whether STARTTLS is offered. A user who was let in without it
// would have to be forgotten.
func (s *session) mayStartTLS() bool {
	return s.tls == nil && s.user == "" && !s.isSet(envDisableTLS) && certs.Folder(s.srv.Control).Exist()
}

// startTLS is the STARTTLS command, RFC 3207.
func (s *session) startTLS(argument string) error {
	switch {
	case !s.mayStartTLS():
		s.say(replyUnknown)
		return nil
	case argument != "":
		s.say(replyNoArgument)
		return nil
	}
	if err := certs.Folder(s.srv.Control).Check(); err != nil {
		s.srv.Log.event(s, "no TLS: ", err.Error())
		s.say(replyNoTLS)
		return nil
	}
	s.say(replyReady)
	if err := s.wire.Flush(); err != nil {
		return s.lost(err)
	}
	return s.handshake()
}

// handshake goes on under TLS. What was said before counts no more: somebody else
// may have said it.
func (s *session) handshake() error {
	conn := tls.Server(s.wire.Conn(), certs.Folder(s.srv.Control).Config())
	conn.SetDeadline(time.Now().Add(min(s.set.Timeout, handshakeTimeout)))
	if err := conn.Handshake(); err != nil {
		s.srv.Log.event(s, "TLS failed: ", err.Error())
		return s.lostTLS(err)
	}
	conn.SetDeadline(time.Time{})
	state := conn.ConnectionState()
	s.wire.Use(conn)
	s.tls = &state
	s.forget()
	s.hello(s.set.Peer.Host)
	return nil
}

const handshakeTimeout = 5 * time.Minute

// lostTLS ends a session in which nothing more can be said.
func (s *session) lostTLS(err error) error { return &tlsError{err} }

// tlsError is a handshake that came to nothing.
type tlsError struct{ err error }

func (e *tlsError) Error() string { return "TLS: " + e.err.Error() }
func (e *tlsError) Unwrap() error { return e.err }

// Is makes it an [ErrEnded].
func (e *tlsError) Is(target error) bool { return target == ErrEnded }

// protocol is the name of what is spoken, for the Received line. Compat: it is
// plain SMTP unless there is TLS or a user, RFC 3848.
func (s *session) protocol() string {
	switch {
	case s.tls != nil && s.user != "":
		return "ESMTPSA" + s.cipher()
	case s.tls != nil:
		return "ESMTPS" + s.cipher()
	case s.user != "":
		return "ESMTPA"
	}
	return "SMTP"
}

// cipher is a comment that says what TLS came to.
func (s *session) cipher() string {
	return " (" + tlsVersion(s.tls) + " " + tls.CipherSuiteName(s.tls.CipherSuite) + ")"
}

func tlsVersion(state *tls.ConnectionState) string {
	return strings.ReplaceAll(tls.VersionName(state.Version), " ", "")
}
