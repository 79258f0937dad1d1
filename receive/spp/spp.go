// Package spp runs the plug-ins of qmail-spp: programs of the administrator's that
// an SMTP server asks about the commands of its clients, qmail-smtpd(8).
//
// # File format
//
// control/smtpplugins is a list (package control). A line that begins with [ begins
// a section, told by the letter after it; every other line is a plug-in of the
// section it is in. Lines before the first section, or in one that nobody knows,
// are nothing.
//
//	[connection]
//	plugins/greeting
//	[rcpt]
//	plugins/greylisting
//	:plugins/quota --soft 90
//
// Sections are c (connection), h (HELO and EHLO), m (MAIL), r (RCPT), p (a recipient
// that is about to be taken), d (DATA) and a (AUTH). A plug-in is the path of a
// program, from the home on, without arguments; after a colon it is a command for
// /bin/sh. Nothing that a client says becomes part of a command: it is in the
// environment.
//
// A plug-in reads nothing. Each line that it writes on descriptor 1 is an answer:
//
//	A           ask no plug-in any more in this session
//	N           ask no other plug-in about this command
//	O           the same, and the server's own checks are left out
//	Etext       refuse the command with the reply text
//	Rtext       the same, and end the session
//	D           end the session without a word
//	Ptext       send the reply text as a line of its own, and go on
//	Htext       put the line text into the header of the message
//	Caddress    put address in the place of that of MAIL or RCPT
//	Sname=value set a variable for what is run later in the session
//	Uname       unset one
//	LMtext      refuse the next MAIL with the reply text; also LR for RCPT, LD for DATA
//
// After A, N, O, E, R and D nothing more is read. Lines that begin with anything
// else, and empty ones, are nothing. Answers have at most 64 KB, and a plug-in five
// minutes: one that takes more, or cannot be run, is a temporary refusal of the
// command.
package spp

import (
	"maps"
	"os"
	"strconv"
	"strings"
	"time"
)

// Event is what plug-ins are asked about: the letter of its section.
type Event byte

// The events.
const (
	Connection Event = 'c'
	Helo       Event = 'h'
	Mail       Event = 'm'
	Rcpt       Event = 'r'
	Passed     Event = 'p' // a recipient that all other checks have let pass
	Data       Event = 'd'
	Auth       Event = 'a'
)

// Config has the plug-ins of each event, in their order.
type Config map[Event][]string

// Parse reads the lines of control/smtpplugins, without comments and empty lines.
func Parse(lines []string) Config {
	c := Config{}
	var section Event
	for _, line := range lines {
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = 0
			if name != "" {
				section = Event(name[0])
			}
			continue
		}
		switch section {
		case Connection, Helo, Mail, Rcpt, Passed, Data, Auth:
			c[section] = append(c[section], line)
		}
	}
	return c
}

// Verdict is what becomes of a command.
type Verdict int

// The verdicts.
const (
	Go      Verdict = iota // it is up to the server
	Accept                 // the server's own checks are left out
	Refused                // the client has been told so
	Drop                   // the session is over; the client has been told, or is not to be
)

// Session asks plug-ins on behalf of one client. A nil Session asks nobody, and all
// is up to the server.
type Session struct {
	Config Config
	Env    map[string]string // that of the session; plug-ins change it
	Start  func(argv, env []string, files []*os.File) (*os.Process, error)
	Say    func(reply string)           // tells the client; reply has no line end
	Failed func(plugin string, _ error) // is told of plug-ins that fail
	Limit  time.Duration                // for each plug-in; 0: five minutes

	off      bool // a plug-in has said A
	header   strings.Builder
	later    map[Event][]string
	accepted int
	all      int
}

// Ask asks about a connection or DATA.
func (s *Session) Ask(e Event) Verdict {
	if s == nil || s.refusedNow(e) {
		return s.refusal()
	}
	return s.ask(e, nil)
}

// AskHelo asks about HELO or EHLO with a name.
func (s *Session) AskHelo(name string) Verdict {
	return s.about(Helo, map[string]string{"SMTPHELOHOST": name})
}

// AskAuth asks about a user who has a right password.
func (s *Session) AskAuth(method, user string) Verdict {
	v := s.about(Auth, map[string]string{"SMTPAUTHMETHOD": method, "SMTPAUTHUSER": user})
	if v == Refused {
		delete(s.Env, "SMTPAUTHMETHOD")
		delete(s.Env, "SMTPAUTHUSER")
	}
	return v
}

func (s *Session) about(e Event, env map[string]string) Verdict {
	if s == nil {
		return Go
	}
	maps.Copy(s.Env, env)
	return s.ask(e, nil)
}

// AskMail asks about a sender, which a plug-in may replace.
func (s *Session) AskMail(sender *string) Verdict {
	if s == nil || s.refusedNow(Mail) {
		return s.refusal()
	}
	s.accepted, s.all = 0, 0
	return s.ask(Mail, &address{"SMTPMAILFROM", sender})
}

// AskRcpt asks about a recipient, which a plug-in may replace. Allowed says whether
// mail for its host is taken from the client.
func (s *Session) AskRcpt(to *string, allowed bool) Verdict {
	if s == nil || s.refusedNow(Rcpt) {
		return s.refusal()
	}
	s.Env["SMTPRCPTCOUNT"] = strconv.Itoa(s.accepted)
	s.all++
	s.Env["SMTPRCPTCOUNTALL"] = strconv.Itoa(s.all)
	s.Env["SMTPRCPTHOSTSOK"] = "0"
	if allowed {
		s.Env["SMTPRCPTHOSTSOK"] = "1"
	}
	return s.ask(Rcpt, &address{"SMTPRCPTTO", to})
}

// AskPassed asks about a recipient that is about to be taken.
func (s *Session) AskPassed(to *string) Verdict {
	if s == nil {
		return Go
	}
	s.accepted++
	s.Env["SMTPRCPTCOUNT"] = strconv.Itoa(s.accepted)
	return s.ask(Passed, &address{"SMTPRCPTTO", to})
}

// Header returns the lines for the header of the message that begins now, each with
// its end, and forgets what was about this message.
func (s *Session) Header() string {
	if s == nil {
		return ""
	}
	header := s.header.String()
	s.Reset()
	return header
}

// Reset forgets the transaction.
func (s *Session) Reset() {
	if s == nil {
		return
	}
	s.header.Reset()
	s.later = nil
	s.accepted, s.all = 0, 0
}

// refusedNow tells the client what a plug-in has said earlier about the command.
func (s *Session) refusedNow(e Event) bool {
	for _, text := range s.later[e] {
		s.Say(text)
	}
	return len(s.later[e]) > 0
}

// refusal is the verdict where plug-ins are not asked.
func (s *Session) refusal() Verdict {
	if s == nil {
		return Go
	}
	return Refused
}
