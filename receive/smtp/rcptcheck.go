package smtp

import (
	"io"
	"maps"
	"os"
	"strconv"
	"strings"
	"time"

	"goqmail/internal/exitcode"
)

// Exit codes of the program that $RCPTCHECK names. With any other than these and 0
// the recipient is taken, Compat: programs end in many ways.
const (
	recipientBad     = 100
	recipientLater   = exitcode.Soft
	recipientUnknown = 112 // the program has no opinion
	recipientTooMany = 113 // the sender has sent enough
	recipientNotRun  = 120
	recipientCrashed = -1
)

// Variables of the programs that are asked about recipients.
const (
	envRcptcheck = "RCPTCHECK"            // the program; an empty one is none
	envForRelay  = "RCPTCHECKRELAYCLIENT" // ask it about the recipients of relay clients, too
	envFound     = "RCPTFOUND"            // tells it that validrcptto has the recipient
	envHosts     = "RCPTHOSTS"            // tells it that rcpthosts has the host
)

// maxText is how much of a program's own words is told.
const maxText = 400

// verify asks a program about a recipient: the one that $RCPTCHECK names, or
// qmail-rcptcheck if control/rcptcheck says so. Known says that validrcptto has the
// recipient, accepted that a plug-in wants it, allowed that rcpthosts has its host. It
// returns a refusal, or "". With one that begins with 421 the session has to end.
func (s *session) verify(to string, known, accepted, allowed bool) string {
	program, given := s.env[envRcptcheck]
	own := !given && s.set.Verify && !known && !accepted
	if own {
		program = s.srv.Rcptcheck
	}
	if program == "" || s.set.MayRelay && !s.isSet(envForRelay) {
		return ""
	}
	code, text := s.runRcptcheck(program, s.rcptcheckEnv(to, known, allowed))
	reply := judge(code, text, own)
	switch {
	case code == recipientBad:
		s.badTo++
	case reply == "" && code != exitcode.OK && code != recipientUnknown:
		s.srv.Log.event(s, "the check of a recipient ended with ", strconv.Itoa(code))
	}
	return reply
}

// rcptcheckEnv is the environment of the program.
func (s *session) rcptcheckEnv(to string, known, allowed bool) map[string]string {
	env := maps.Clone(s.env)
	env["SENDER"], env["RECIPIENT"], env["HELO"] = s.mail.sender, to, s.set.Peer.Host
	if s.helo != nil {
		env["HELO"] = *s.helo
	}
	env["USE_FD4"] = "1" // so that it knows that we read there
	for name, is := range map[string]bool{envFound: known, envHosts: allowed} {
		delete(env, name)
		if is {
			env[name] = "1"
		}
	}
	return env
}

// judge is the reply to a recipient after a program has ended, or "". Our own
// program says later about one recipient; another's about the session.
func judge(code int, text string, own bool) string {
	switch {
	case code == recipientBad:
		return inOwnWords(text, replyNoMailbox)
	case code == recipientTooMany:
		return inOwnWords(text, replyOverLimit)
	case own && code != exitcode.OK && code != recipientUnknown:
		return replyNotVerified
	case code == recipientLater && strings.HasPrefix(inOwnWords(text, replyUnverified), "4"):
		return inOwnWords(text, replyUnverified)
	case code == recipientLater, code == recipientCrashed:
		return replyUnverified
	case code == recipientNotRun:
		return replyNotRun
	}
	return ""
}

// inOwnWords is a reply in the program's words, if there are any. They may begin
// with the code of the reply, 400 to 599.
func inOwnWords(text, otherwise string) string {
	text = strings.TrimSpace(oneLine(text))
	if text == "" {
		return otherwise
	}
	code, rest := otherwise[:3], text
	if n, err := strconv.ParseUint(text[:min(3, len(text))], 10, 16); err == nil && n >= 400 && n <= 599 {
		code, rest = text[:3], strings.TrimLeft(text[3:], " -")
	}
	return code + " " + rest
}

// runRcptcheck runs the program, which may say something on descriptor 4. A name
// without a slash is not sought in PATH.
func (s *session) runRcptcheck(program string, env map[string]string) (code int, text string) {
	r, w, err := os.Pipe()
	if err != nil {
		return recipientCrashed, ""
	}
	defer r.Close()
	if !strings.Contains(program, "/") {
		program = "./" + program
	}
	code = s.run([]string{program}, env, 4, w, func() {
		r.SetReadDeadline(time.Now().Add(runTimeout))
		b, _ := io.ReadAll(io.LimitReader(r, maxText))
		text = string(b)
		io.Copy(io.Discard, r) // so that the program is not killed for saying more
	})
	return code, text
}
