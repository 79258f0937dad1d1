package smtp

import (
	"encoding/base64"
	"errors"
	"io"
	"net/netip"
	"os"
	"strings"

	"goqmail/internal/exitcode"
	"goqmail/receive"
)

// maxAttempts is how often a client may try to say who it is.
const maxAttempts = 5

// mayAuth reports whether AUTH is offered: there is a checker, and nobody listens.
func (s *session) mayAuth() bool {
	return s.hasChecker() && (s.tls != nil || !s.isPublic())
}

// hasChecker reports whether there is a password checker, and $SMTPAUTH does not
// turn it off.
func (s *session) hasChecker() bool { return len(s.srv.Checker) > 0 && s.env["SMTPAUTH"] != "-" }

// mustAuth reports whether $SMTPAUTH has an exclamation mark: only users may send.
func (s *session) mustAuth() bool { return strings.Contains(s.env["SMTPAUTH"], "!") }

// isPublic reports whether the client may be anywhere on the Internet. One of which
// no address is known may.
func (s *session) isPublic() bool {
	ip, err := netip.ParseAddr(s.set.Peer.IP)
	ip = ip.Unmap()
	return err != nil || !(ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast())
}

// mechanisms are the ways to say who one is, RFC 4954.
var mechanisms = []struct {
	name string
	do   func(s *session, initial string, given bool) (user, password string, err error)
}{
	{"PLAIN", (*session).plain},
	{"LOGIN", (*session).login},
}

// auth is the AUTH command.
func (s *session) auth(argument string) error {
	switch {
	case !s.hasChecker():
		s.say(replyUnknown)
	case !s.mayAuth():
		s.say(replyNeedTLS)
	case s.user != "":
		s.say(replyAuthTwice)
	case s.mail != nil:
		s.say(replyAuthMail)
	default:
		return s.authenticate(argument)
	}
	return nil
}

func (s *session) authenticate(argument string) error {
	name, initial, given := strings.Cut(argument, " ")
	for _, m := range mechanisms {
		if !strings.EqualFold(m.name, name) {
			continue
		}
		user, password, err := m.do(s, strings.TrimSpace(initial), given)
		var refusal authRefusal
		switch {
		case errors.As(err, &refusal):
			s.say(string(refusal))
			return nil
		case err != nil:
			return s.lost(err)
		}
		return s.check(m.name, user, password)
	}
	s.say(replyAuthType)
	return nil
}

// authRefusal is a reply to a client that does not keep to the protocol.
type authRefusal string

func (r authRefusal) Error() string { return string(r) }

// plain is PLAIN, RFC 4616: on whose behalf, name, password. One may act for
// nobody but oneself.
func (s *session) plain(initial string, given bool) (user, password string, err error) {
	if !given {
		if initial, err = s.ask(""); err != nil {
			return "", "", err
		}
	}
	text, err := decode(initial)
	if err != nil {
		return "", "", err
	}
	parts := strings.Split(text, "\x00")
	if len(parts) != 3 || parts[0] != "" && parts[0] != parts[1] {
		return "", "", authRefusal(replyAuthInput)
	}
	return parts[1], parts[2], nil
}

// login is LOGIN, which has no standard.
func (s *session) login(initial string, given bool) (user, password string, err error) {
	if !given {
		if initial, err = s.ask("Username:"); err != nil {
			return "", "", err
		}
	}
	if user, err = decode(initial); err != nil {
		return "", "", err
	}
	answer, err := s.ask("Password:")
	if err != nil {
		return "", "", err
	}
	password, err = decode(answer)
	return user, password, err
}

// ask asks for a line.
func (s *session) ask(question string) (string, error) {
	s.say("334 " + base64.StdEncoding.EncodeToString([]byte(question)))
	line, err := s.wire.Line()
	switch {
	case errors.Is(err, receive.ErrLineTooLong):
		return "", authRefusal(replyAuthInput)
	case err != nil:
		return "", err
	case line == "*":
		return "", authRefusal(replyAuthCanceled)
	}
	return line, nil
}

// decode reads base64; = stands for nothing, RFC 4954 section 4.
func decode(text string) (string, error) {
	if text == "=" {
		return "", nil
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", authRefusal(replyAuthInput)
	}
	return string(b), nil
}

// check asks the checker. A user may relay.
func (s *session) check(method, user, password string) error {
	if user == "" || password == "" || strings.ContainsRune(user+password, 0) {
		s.say(replyAuthInput)
		return nil
	}
	s.attempts++
	switch code := s.runChecker(user, password); code {
	case exitcode.OK:
		if ok, err := s.goesOn(s.spp.AskAuth(strings.ToLower(method), user)); !ok {
			return err
		}
		s.become(method, user)
		s.say(replyAuthOK)
	case exitRefused:
		s.srv.Log.event(s, "AUTH "+method+" failed: user ", user)
		if s.attempts >= maxAttempts {
			return s.end(replyAuthTooMany, ErrEnded)
		}
		s.say(replyAuthFailed)
	default:
		s.srv.Log.event(s, "AUTH: no verdict of the password checker about user ", user)
		s.say(replyAuthTrouble)
	}
	return nil
}

// exitRefused is the code of a checker for a wrong password.
const exitRefused = 1

// become notes who the client is.
func (s *session) become(method, user string) {
	s.user = user
	s.env["SMTPAUTHUSER"], s.env["SMTPAUTHMETHOD"] = user, strings.ToLower(method)
	s.set.Peer.Info = &user
	s.env["TCPREMOTEINFO"] = user
	if !s.set.MayRelay {
		s.set.MayRelay = true
		s.env["RELAYCLIENT"] = ""
	}
}

// runChecker runs the checker and returns its exit code, or -1. On its descriptor 3
// it reads the name, the password and an empty word, each with a NUL at its end. It
// gets nothing of the connection.
func (s *session) runChecker(user, password string) int {
	r, w, err := os.Pipe()
	if err != nil {
		return -1
	}
	code := s.run(s.srv.Checker, s.env, 3, r, func() {
		io.WriteString(w, user+"\x00"+password+"\x00\x00") // one that does not read says no
		w.Close()
	})
	w.Close()
	return code
}
