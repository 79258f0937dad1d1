package smtp

import (
	"strings"

	"goqmail/receive"
	"goqmail/receive/certs"
)

// Variables that say how TLS is used. A value of 0 or nothing is as if one were not
// set.
const (
	envSMTPS      = "SMTPS"      // TLS from the first byte on, without STARTTLS (RFC 8314)
	envForceTLS   = "FORCETLS"   // no mail without TLS
	envDisableTLS = "DISABLETLS" // no TLS at all
)

func (s *session) isSet(name string) bool { return s.env.IsSet(name) }

// mayStartTLS reports whether STARTTLS is offered. A user who was let in without it
// would have to be forgotten.
func (s *session) mayStartTLS() bool {
	return s.tls == nil && s.user == "" && !s.isSet(envDisableTLS) && (s.hasUCSPI() || certs.Folder(s.srv.Control).Exist())
}

// mustTLS reports whether mail and users come under TLS only.
func (s *session) mustTLS() bool {
	u, _ := receive.UCSPIOf(s.env)
	return s.isSet(envForceTLS) || u != nil && u.Must
}

func (s *session) hasUCSPI() bool {
	u, _ := receive.UCSPIOf(s.env)
	return u != nil
}

// secured is what TLS came to. With UCSPI-TLS that is not known.
type secured struct{ version, cipher string }

// startTLS is the STARTTLS command, RFC 3207.
func (s *session) startTLS(argument string) error {
	switch {
	case !s.mayStartTLS():
		s.say(replyUnknown)
		return nil
	case argument != "":
		s.say(replyNoArgument)
		return nil
	case s.hasUCSPI():
		return s.switchOver()
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

// handshake goes on under TLS.
func (s *session) handshake() error {
	folder := certs.Folder(s.srv.Control)
	conn, err := folder.Server(s.wire.Conn())
	if err != nil {
		s.srv.Log.event(s, "TLS failed: ", err.Error())
		return s.lostTLS(err)
	}
	s.wire.Use(conn)
	version, cipher := certs.Version(conn)
	s.begun(&secured{version, cipher})
	addr, err := folder.Client(conn, s.srv.Now())
	switch {
	case err != nil:
		s.srv.Log.event(s, "client certificate does not count: ", err.Error())
	case addr != "":
		s.certificate = addr
		s.mayRelay()
	}
	return nil
}

// switchOver has the server that has accepted the connection go on under TLS.
func (s *session) switchOver() error {
	other, err := receive.UCSPIOf(s.env)
	if err != nil {
		s.srv.Log.event(s, "no TLS: ", err.Error())
		s.say(replyNoTLS)
		return nil
	}
	s.say(replyReady)
	if err := s.wire.Flush(); err != nil {
		return s.lost(err)
	}
	conn, err := other.Begin(s.set.Timeout)
	if err != nil {
		s.srv.Log.event(s, "TLS failed: ", err.Error())
		return s.lostTLS(err)
	}
	s.wire.Use(conn)
	s.begun(&secured{})
	return nil
}

// begun notes that there is TLS. What was said before counts no more: somebody else
// may have said it.
func (s *session) begun(tls *secured) {
	s.tls = tls
	s.extended = false
	s.forget()
	s.hello(s.set.Peer.Host)
}

// lostTLS ends a session in which nothing more can be said.
func (s *session) lostTLS(err error) error { return &tlsError{err} }

// Services are the kinds of ports that the server knows, RFC 6409 and RFC 8314.
var Services = []string{"smtp", "smtps", "submission", "submissions"}

// Service is what sessions on such a port have in their environment, beside env.
func Service(name string, env receive.Env) receive.Env {
	set := receive.Env{}
	if name == "smtps" || name == "submissions" {
		set[envSMTPS] = "1"
	}
	if auth := env[envAuth]; strings.HasPrefix(name, "submission") && !strings.Contains(auth, "!") {
		set[envAuth] = "!" + strings.TrimLeft(auth, "-0")
	}
	return set
}

// tlsError is a handshake that came to nothing.
type tlsError struct{ err error }

func (e *tlsError) Error() string { return "TLS: " + e.err.Error() }
func (e *tlsError) Unwrap() error { return e.err }

// Is makes it an [ErrEnded].
func (e *tlsError) Is(target error) bool { return target == ErrEnded }

// protocol is the name of what is spoken, for the Received line (RFC 3848, RFC 6531
// section 4.3). Compat: it is plain SMTP unless there is TLS, a user or SMTPUTF8.
func (s *session) protocol() string {
	name, suffix, comment := "ESMTP", "", ""
	if s.tls != nil {
		suffix, comment = "S", s.cipher()
	}
	if s.user != "" {
		suffix += "A"
	}
	switch {
	case s.mail != nil && s.mail.utf8:
		name = "UTF8SMTP"
	case suffix == "":
		name = "SMTP"
	}
	return name + suffix + comment
}

// cipher is a comment that says what TLS came to.
func (s *session) cipher() string {
	if s.tls.version == "" {
		return ""
	}
	return " (" + s.tls.version + " " + s.tls.cipher + ")"
}
