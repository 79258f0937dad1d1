package smtp

import (
	"io"
	"maps"
	"os"
	"strings"
	"time"
)

// Exit codes of the program that $RCPTCHECK names. Any other than these and 0 is a
// failure to find out.
const (
	recipientBad     = 100
	recipientUnknown = 112 // the program has no opinion
	recipientTooMany = 113 // the sender has sent enough for now
)

// maxText is how much of a program's own words is told.
const maxText = 400

// verify asks the program that $RCPTCHECK names about a recipient: it finds SENDER,
// RECIPIENT and HELO in its environment. It returns a refusal, or "". With the one
// that begins with 421 the session has to end.
func (s *session) verify(to string) string {
	program := s.env["RCPTCHECK"]
	if program == "" {
		return ""
	}
	env := maps.Clone(s.env)
	env["SENDER"], env["RECIPIENT"], env["HELO"] = s.mail.sender, to, s.set.Peer.Host
	if s.helo != nil {
		env["HELO"] = *s.helo
	}
	code, text := s.runRcptcheck(program, env)
	switch code {
	case 0, recipientUnknown:
		return ""
	case recipientBad:
		return inOwnWords("550 ", text, replyNoMailbox)
	case recipientTooMany:
		return inOwnWords("452 ", text, replyOverLimit)
	}
	return replyUnverified
}

// inOwnWords is a reply in the program's words, if there are any.
func inOwnWords(code, text, otherwise string) string {
	if text = strings.TrimSpace(oneLine(text)); text == "" {
		return otherwise
	}
	return code + text
}

// runRcptcheck runs the program. With $USE_FD4 at 1 it may say something on
// descriptor 4.
func (s *session) runRcptcheck(program string, env map[string]string) (code int, text string) {
	r, w, err := os.Pipe()
	if err != nil {
		return -1, ""
	}
	defer r.Close()
	code = s.run([]string{program}, env, 4, w, func() {
		r.SetReadDeadline(time.Now().Add(runTimeout))
		b, _ := io.ReadAll(io.LimitReader(r, maxText))
		text = string(b)
		io.Copy(io.Discard, r) // so that the program is not killed for saying more
	})
	if env["USE_FD4"] != "1" {
		text = ""
	}
	return code, text
}
