package smtp

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/receive/smtpusers"
)

// maxAttempts is how often a client may try to say who it is.
const maxAttempts = 5

// envAuth says who may use AUTH, and how: nobody (- or 0), everybody has to (!),
// CRAM-MD5 too (+cram, !+cram) or nothing else (cram, !cram).
const envAuth = "SMTPAUTH"

// mayAuth reports whether AUTH is offered: passwords can be checked, and nobody
// listens.
func (s *session) mayAuth() bool {
	return s.hasUsers() && (s.tls != nil || !s.isPublic() && !s.mustTLS())
}

// hasUsers reports whether there is a password file or a checker, and $SMTPAUTH does
// not turn them off.
func (s *session) hasUsers() bool {
	value := s.env[envAuth]
	return value != "-" && value != "0" && (len(s.srv.Checker) > 0 || s.hasFile())
}

func (s *session) usersFile() string { return filepath.Join(s.srv.Control, smtpusers.Name) }

// hasFile reports whether there is a password file. Then no checker is asked.
func (s *session) hasFile() bool {
	_, err := os.Stat(s.usersFile())
	return err == nil
}

// mustAuth reports whether $SMTPAUTH has an exclamation mark: only users may send.
func (s *session) mustAuth() bool { return strings.Contains(s.env[envAuth], "!") }

// isPublic reports whether the client may be anywhere on the Internet. One of which
// no address is known may.
func (s *session) isPublic() bool {
	ip, err := netip.ParseAddr(s.set.Peer.IP)
	ip = ip.Unmap()
	return err != nil || !(ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast())
}

// mechanisms are the ways to say who one is, RFC 4954. Each says what the verdict on
// the client is; an error is a refusal, or that of the connection.
var mechanisms = []struct {
	name string
	do   func(s *session, initial *string) (user string, v verdict, err error)
}{
	{"LOGIN", (*session).login},
	{"PLAIN", (*session).plain},
	{"CRAM-MD5", (*session).cram},
	{"SCRAM-SHA-256", (*session).scram},
}

// methods are the names of the mechanisms that are offered.
func (s *session) methods() []string {
	asked := strings.ToLower(strings.TrimPrefix(s.env[envAuth], "!"))
	cram := []string{"CRAM-MD5"}
	if strings.HasPrefix(asked, "cram") {
		return cram
	}
	all := []string{"LOGIN", "PLAIN"}
	if strings.HasPrefix(asked, "+cram") {
		all = append(all, cram...)
	}
	if s.hasFile() {
		all = append(all, "SCRAM-SHA-256")
	}
	return all
}

// auth is the AUTH command.
func (s *session) auth(argument string) error {
	switch {
	case !s.hasUsers():
		s.say(replyUnknown)
	case s.tls == nil && s.mustTLS():
		s.say(replyMustTLS)
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
	name, rest, given := strings.Cut(argument, " ")
	name = strings.ToUpper(name)
	var initial *string
	if given {
		rest = strings.TrimSpace(rest)
		initial = &rest
	}
	if slices.Contains(s.methods(), name) {
		for _, m := range mechanisms {
			if m.name == name {
				s.attempts++
				user, v, err := m.do(s, initial)
				return s.decide(name, user, v, err)
			}
		}
	}
	s.say(replyAuthType)
	return nil
}

// authRefusal is a reply to a client that does not keep to the protocol.
type authRefusal string

func (r authRefusal) Error() string { return string(r) }

// verdict is that on a client that has said who it is: the exit code of a checker.
// All others mean that there is none.
type verdict int

const (
	right verdict = exitcode.OK
	wrong verdict = 1
)

// decide answers for an exchange that has come to its end.
func (s *session) decide(method, user string, v verdict, err error) error {
	var refusal authRefusal
	reply := replyAuthFailed
	switch {
	case errors.As(err, &refusal):
		reply = string(refusal)
	case err != nil:
		return s.lost(err)
	case v == right:
		return s.become(method, user)
	case v == wrong:
		s.srv.Log.event(s, "AUTH "+method+" failed: user ", user)
		s.wait()
	default:
		s.srv.Log.event(s, "AUTH: no verdict about user ", user)
		reply = replyAuthTrouble
	}
	if s.attempts >= maxAttempts {
		return s.end(replyAuthTooMany, ErrEnded)
	}
	s.say(reply)
	return nil
}

// wait keeps a client waiting that guesses, longer each time.
func (s *session) wait() { time.Sleep(s.srv.AuthDelay * time.Duration(s.attempts)) }

// become notes who the client is. A user may relay.
func (s *session) become(method, user string) error {
	method = strings.ToLower(method)
	if ok, err := s.goesOn(s.spp.AskAuth(method, user)); !ok {
		return err
	}
	s.user = user
	s.env["SMTPAUTHUSER"], s.env["SMTPAUTHMETHOD"] = user, method
	s.set.Peer.Info = &user
	s.env["TCPREMOTEINFO"] = user
	s.mayRelay()
	s.say(replyAuthOK)
	return nil
}

// mayRelay has mail taken from the client for all hosts.
func (s *session) mayRelay() {
	if !s.set.MayRelay {
		s.set.MayRelay = true
		s.env["RELAYCLIENT"] = ""
	}
}
