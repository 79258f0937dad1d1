package smtp

import (
	"strconv"
	"strings"

	"goqmail/receive/spp"
)

// command carries out a command. An error ends the session.
func (s *session) command(verb, argument string) error {
	for _, c := range commands {
		if c.verb == verb {
			return c.do(s, argument)
		}
	}
	s.say(replyUnknown)
	return nil
}

// commands are all that the server knows. No command is refused for its argument
// alone if qmail-smtpd does not.
var commands = []struct {
	verb string
	do   func(s *session, argument string) error
}{
	{"rcpt", (*session).rcpt},
	{"mail", (*session).from},
	{"data", (*session).data},
	{"quit", (*session).quit},
	{"helo", (*session).heloCommand},
	{"ehlo", (*session).ehlo},
	{"rset", (*session).rset},
	{"help", always(replyHelp)},
	{"noop", always(replyOK)},
	{"vrfy", always(replyVerify)},
	{"starttls", (*session).startTLS},
	{"auth", (*session).auth},
	{"bdat", (*session).bdat},
}

func always(reply string) func(*session, string) error {
	return func(s *session, _ string) error {
		s.say(reply)
		return nil
	}
}

func (s *session) quit(string) error {
	s.say("221 " + s.set.Greeting)
	return errQuit
}

// hello notes what the client calls itself. The Received line has it only if it
// says something new.
func (s *session) hello(name string) {
	s.helo = &name
	if strings.EqualFold(name, s.set.Peer.Host) {
		s.helo = nil
	}
}

func (s *session) heloCommand(name string) error {
	if ok, err := s.goesOn(s.spp.AskHelo(name)); !ok {
		return err
	}
	s.forget()
	s.hello(name)
	s.extended = false
	s.write("250 " + s.set.Greeting)
	return nil
}

func (s *session) ehlo(name string) error {
	if ok, err := s.goesOn(s.spp.AskHelo(name)); !ok {
		return err
	}
	s.forget()
	s.hello(name)
	s.extended = true
	offers := s.offers()
	s.write("250-" + s.set.Greeting)
	for _, offer := range offers[:len(offers)-1] {
		s.write("250-" + offer)
	}
	s.write("250 " + offers[len(offers)-1])
	return nil
}

// offers are the extensions that the client may use now, RFC 5321 section 4.1.1.1.
func (s *session) offers() []string {
	offers := []string{
		"PIPELINING", // RFC 2920
		"SIZE " + strconv.FormatInt(s.set.Databytes, 10), // RFC 1870; 0: no limit
		"8BITMIME", // RFC 6152
		"CHUNKING", // RFC 3030
		"SMTPUTF8", // RFC 6531
	}
	if s.mayStartTLS() {
		offers = append(offers, "STARTTLS") // RFC 3207
	}
	if s.mayAuth() && s.user == "" {
		offers = append(offers, "AUTH "+strings.Join(s.methods(), " ")) // RFC 4954
	}
	if s.set.Enhanced {
		offers = append(offers, "ENHANCEDSTATUSCODES") // RFC 2034
	}
	return offers
}

func (s *session) rset(string) error {
	s.forget()
	s.spp.Reset()
	s.say(replyFlushed)
	return nil
}

func (s *session) from(argument string) error {
	sender, parameters, ok := s.path(argument)
	_, utf8 := parameter(parameters, "SMTPUTF8")
	notASCII := s.notASCII(sender, utf8)
	switch {
	case s.mustTLS() && s.tls == nil:
		s.say(replyMustTLS)
	case s.mustAuth() && s.user == "" && s.certificate == "":
		s.say(replyMustAuth)
	case !ok:
		s.say(replySyntax)
	case notASCII != "":
		s.say(notASCII)
	case s.announcedTooBig(parameters):
		s.say(replyTooBig)
	default:
		v := s.spp.AskMail(&sender)
		if ok, err := s.goesOnWith(v, &sender); !ok {
			return err
		}
		// Compat: a bad sender is told so at RCPT.
		s.forget()
		s.mail = &mail{sender: sender, bad: v != spp.Accept && s.set.isBad(sender), utf8: utf8}
		s.say(replyOK)
	}
	return nil
}

// announcedTooBig reports whether the client says that its message is larger than
// what is taken, RFC 1870. A size that is no number says nothing.
func (s *session) announcedTooBig(parameters string) bool {
	text, ok := parameter(parameters, "SIZE")
	if !ok || s.set.Databytes == 0 {
		return false
	}
	size, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return len(text) > 19 && strings.Trim(text, "0123456789") == ""
	}
	return size > uint64(s.set.Databytes)
}
