package remote

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"

	"goqmail/internal/scram"
)

// mechanism is a way to prove who this host is, RFC 4422.
type mechanism struct {
	name  string
	first bool // the client speaks first
	heeds bool // what the challenges say matters
	begin func(user, password string) dialogue
}

// dialogue is one proof. Answer gets each challenge, and nil if the client speaks
// first; done reports whether it has heard all that it has to.
type dialogue struct {
	answer func(challenge []byte) (string, error)
	done   func() bool
}

// mechanisms are those that this host knows, best first. The first two keep the
// password from the server, and from whoever plays it.
var mechanisms = []mechanism{
	{scram.Name, true, true, scramProof},
	{"CRAM-MD5", false, true, cramProof},
	{"PLAIN", true, false, plainProof},
	{"LOGIN", false, false, loginProof},
}

var errChallenge = errors.New("unexpected challenge")

// inTurn makes a dialogue of so many answers.
func inTurn(answers ...func(challenge string) (string, error)) dialogue {
	turn := 0
	return dialogue{
		answer: func(challenge []byte) (string, error) {
			if turn == len(answers) {
				return "", errChallenge
			}
			turn++
			return answers[turn-1](string(challenge))
		},
		done: func() bool { return turn == len(answers) },
	}
}

func always(answer string) func(string) (string, error) {
	return func(string) (string, error) { return answer, nil }
}

// plainProof is RFC 4616.
func plainProof(user, password string) dialogue {
	return inTurn(always("\x00" + user + "\x00" + password))
}

// loginProof is what was there before; what the challenges say does not matter.
func loginProof(user, password string) dialogue {
	return inTurn(always(user), always(password))
}

// cramProof is RFC 2195.
func cramProof(user, password string) dialogue {
	return inTurn(func(challenge string) (string, error) {
		mac := hmac.New(md5.New, []byte(password))
		mac.Write([]byte(challenge))
		return user + " " + hex.EncodeToString(mac.Sum(nil)), nil
	})
}

// scramProof is RFC 5802. The server has to prove that it knows the user, too.
func scramProof(user, password string) dialogue {
	c := &scram.Client{User: user, Password: password, Nonce: scram.Nonce()}
	return inTurn(
		always(c.First()),
		c.Prove,
		func(message string) (string, error) { return "", c.Verify(message) },
	)
}

// choose returns the best mechanism that a server offers in its reply to EHLO,
// RFC 4954 section 3. Some old servers write = after AUTH.
func choose(offered extensions) (mechanism, bool) {
	names := strings.Fields(strings.ToUpper(offered["AUTH"]))
	for keyword := range offered {
		if name, ok := strings.CutPrefix(keyword, "AUTH="); ok {
			names = append(names, name)
			names = append(names, strings.Fields(strings.ToUpper(offered[keyword]))...)
		}
	}
	for _, m := range mechanisms {
		for _, name := range names {
			if name == m.name {
				return m, true
			}
		}
	}
	return mechanism{}, false
}

// mostInitial is the longest answer that goes out with the AUTH command itself:
// the line has to stay below 512 bytes, RFC 4954 section 4.
const mostInitial = 400

// authenticate logs in, RFC 4954. If ok is false, v is why not: whoever has
// listed the user and password does not want mail to go without.
func (s *session) authenticate(user, password string) (v verdict, ok bool) {
	m, known := choose(s.extensions)
	if !known {
		return s.noAuth("it offers no AUTH that I know"), false
	}
	proof := m.begin(user, password)
	line, secrets := "AUTH "+m.name, []string{password}
	held := "" // the first answer, if it has to wait
	if m.first {
		first, err := proof.answer(nil)
		if err != nil {
			return s.noAuth("AUTH " + m.name + " failed: " + reason(err)), false
		}
		if held = encode(first); len(held) <= mostInitial {
			line, held = line+" "+held, ""
		}
		secrets = append(secrets, encode(first))
	}
	for {
		r, err := s.command(line)
		if err != nil {
			return s.died(), false
		}
		if r.code != 334 {
			return s.loggedIn(m, proof, r, secrets)
		}
		line, err = m.responseTo(proof, held, r)
		if err != nil {
			_, _ = s.command("*") // RFC 4954 section 4: give up
			return s.noAuth("AUTH " + m.name + " failed: " + reason(err)), false
		}
		held, secrets = "", append(secrets, line)
	}
}

// responseTo returns what to say to a challenge.
func (m mechanism) responseTo(proof dialogue, held string, r reply) (string, error) {
	challenge, err := decodeChallenge(r.text)
	if err != nil && m.heeds {
		return "", err
	}
	if held != "" {
		return held, nil
	}
	text, err := proof.answer(challenge)
	return encode(text), err
}

// loggedIn looks at the reply that ends a dialogue.
func (s *session) loggedIn(m mechanism, proof dialogue, r reply, secrets []string) (verdict, bool) {
	switch {
	case r.code != 235:
		return s.says('Z', "Connected to ", " but authentication was rejected (AUTH "+m.name+")", r.without(secrets)), false
	case !proof.done():
		return s.noAuth("it did not go through with AUTH " + m.name), false
	}
	return verdict{}, true
}

// noAuth is the verdict if there is no way to log in.
func (s *session) noAuth(why string) verdict {
	return verdict{'Z', "Connected to " + s.peer + " but " + why + ". Nothing was sent. (#4.7.0)\n"}.with(s.tls.note)
}

// without returns a reply that has none of the secrets in it: a server may say
// what it was told.
func (r reply) without(secrets []string) reply {
	for _, secret := range secrets {
		if secret != "" && bytes.Contains(r.text, []byte(secret)) {
			r.text = nil
		}
	}
	return r
}

// encode writes an answer for SMTP.
func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

var errNotBase64 = errors.New("challenge is not in base64")

// decodeChallenge reads a reply of one line, 334 and base64 or nothing.
func decodeChallenge(text []byte) ([]byte, error) {
	line, rest, ok := bytes.Cut(text, []byte{'\n'})
	if !ok || len(rest) > 0 || len(line) < 3 {
		return nil, errNotBase64
	}
	line = bytes.TrimSpace(line[3:])
	challenge, err := base64.StdEncoding.AppendDecode([]byte{}, line)
	if err != nil {
		return nil, errNotBase64
	}
	return challenge, nil
}
