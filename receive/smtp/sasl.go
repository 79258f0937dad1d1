package smtp

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"goqmail/internal/scram"
	"goqmail/receive"
	"goqmail/receive/smtpusers"
)

// maxName is the longest name of a user, and the longest password.
const maxName = 1000

// plain is PLAIN, RFC 4616: on whose behalf, name, password. One may act for
// nobody but oneself.
func (s *session) plain(initial *string) (string, verdict, error) {
	text, err := s.first(initial, "")
	if err != nil {
		return "", wrong, err
	}
	user, password, ok := parsePlain(text)
	if !ok {
		return "", wrong, authRefusal(replyAuthInput)
	}
	return s.password(user, password)
}

func parsePlain(text string) (user, password string, ok bool) {
	parts := strings.Split(text, "\x00")
	if len(parts) != 3 || parts[0] != "" && parts[0] != parts[1] {
		return "", "", false
	}
	return parts[1], parts[2], true
}

// login is LOGIN, which has no standard.
func (s *session) login(initial *string) (string, verdict, error) {
	user, err := s.first(initial, "Username:")
	if err != nil {
		return "", wrong, err
	}
	password, err := s.ask("Password:")
	if err != nil {
		return "", wrong, err
	}
	return s.password(user, password)
}

// password checks a password, in the file or by the checker.
func (s *session) password(user, password string) (string, verdict, error) {
	if !isName(user) || !isName(password) {
		return "", wrong, authRefusal(replyAuthInput)
	}
	if !s.hasFile() {
		return user, s.runChecker(user, password, ""), nil
	}
	return user, s.look(user, func(e smtpusers.Entry) bool { return e.IsPassword(password) }), nil
}

func isName(text string) bool {
	return text != "" && len(text) <= maxName && strings.IndexByte(text, 0) < 0
}

// look has a user's entry in the file looked at.
func (s *session) look(user string, is func(smtpusers.Entry) bool) verdict {
	entry, err := smtpusers.Find(s.usersFile(), user)
	switch {
	case err != nil:
		s.srv.Log.event(s, "AUTH: ", err.Error())
		return noVerdict
	case is(entry):
		return right
	}
	return wrong
}

const noVerdict verdict = -1

// cram is CRAM-MD5, RFC 2195.
func (s *session) cram(initial *string) (string, verdict, error) {
	if initial != nil {
		return "", wrong, authRefusal(replyAuthInput)
	}
	host, _, _ := strings.Cut(s.set.Greeting, " ")
	challenge := "<" + scram.Nonce() + "." + strconv.FormatInt(s.srv.Now().Unix(), 10) + "@" + host + ">"
	text, err := s.ask(challenge)
	if err != nil {
		return "", wrong, err
	}
	user, digest, ok := parseCRAM(text)
	if !ok {
		return "", wrong, authRefusal(replyAuthInput)
	}
	if !s.hasFile() {
		return user, s.runChecker(user, digest, challenge), nil
	}
	return user, s.look(user, func(e smtpusers.Entry) bool { return e.IsDigest(challenge, digest) }), nil
}

// parseCRAM cuts a response into the name, which may have blanks, and the digest.
func parseCRAM(text string) (user, digest string, ok bool) {
	i := strings.LastIndexByte(text, ' ')
	if i < 0 || !isName(text[:i]) || !isName(text[i+1:]) {
		return "", "", false
	}
	return text[:i], text[i+1:], true
}

// scram is SCRAM-SHA-256, RFC 7677.
func (s *session) scram(initial *string) (string, verdict, error) {
	text, err := s.first(initial, "")
	if err != nil {
		return "", wrong, err
	}
	trouble := false
	exchange := &scram.Server{Nonce: scram.Nonce(), Lookup: func(user string) (scram.Verifier, bool, error) {
		entry, err := smtpusers.Find(s.usersFile(), user)
		if err != nil {
			s.srv.Log.event(s, "AUTH: ", err.Error())
			trouble = true
			return scram.Verifier{}, false, err
		}
		return entry.Verifier()
	}}
	challenge, err := exchange.Challenge(text)
	if err == nil {
		if text, err = s.ask(challenge); err != nil {
			return "", wrong, err
		}
		challenge, err = exchange.Finish(text)
	}
	switch {
	case trouble:
		return exchange.User, noVerdict, nil
	case errors.Is(err, scram.ErrRefused):
		return exchange.User, wrong, nil
	case err != nil || !isName(exchange.User):
		return "", wrong, authRefusal(replyAuthInput)
	}
	if text, err = s.ask(challenge); err != nil {
		return "", wrong, err
	}
	if text != "" {
		return "", wrong, authRefusal(replyAuthInput)
	}
	return exchange.User, right, nil
}

// first is what the client has sent with the command, or says when it is asked.
func (s *session) first(initial *string, question string) (string, error) {
	if initial == nil {
		return s.ask(question)
	}
	if *initial == "=" { // stands for nothing, RFC 4954 section 4
		return "", nil
	}
	return decode(*initial)
}

// ask asks for a line of base64.
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
	return decode(line)
}

// decode reads base64.
func decode(text string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", authRefusal(replyAuthInput)
	}
	return string(b), nil
}
