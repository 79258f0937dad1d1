package smtp

import (
	"errors"
	"strconv"
	"strings"

	"goqmail/control"
	"goqmail/receive"
	"goqmail/receive/rcptto"
	"goqmail/receive/spp"
)

// rcpt is the RCPT command.
func (s *session) rcpt(argument string) error {
	switch {
	case s.mail == nil:
		s.say(replyMailFirst)
		return nil
	case s.mail.arrival != nil:
		s.say(replyChunks)
		return nil
	}
	to, _, ok := s.path(argument)
	if !ok || to == "" {
		s.say(replySyntax)
		return nil
	}
	if reply := s.notASCII(to, s.mail.utf8); reply != "" {
		s.say(reply)
		return nil
	}
	reply, err := s.refuses(&to)
	switch {
	case errors.Is(err, errTold):
		s.srv.Log.refused(s, to, replyPlugin)
		return nil
	case err != nil:
		return err
	case reply != "":
		s.srv.Log.refused(s, to, reply)
		if strings.HasPrefix(reply, "421 ") {
			return s.end(reply, ErrEnded)
		}
		s.say(reply)
	default:
		s.mail.to = append(s.mail.to, to)
		s.say(replyOK)
	}
	return nil
}

// errTold is the error for a recipient whose refusal the client has been told.
var errTold = errors.New("told")

// replyPlugin is what the log says where a plug-in has replied.
const replyPlugin = "refused by a plug-in"

// refuses returns the reply to a recipient that is not taken, or "". With one that
// begins with 421 the session has to end, and so it has with an error other than
// errTold. A relay client's recipient gets what $RELAYCLIENT adds.
func (s *session) refuses(to *string) (reply string, err error) {
	switch {
	case s.mail.bad:
		return replyBadSender, nil
	case len(s.mail.to) >= s.set.MaxTo && s.set.MaxTo > 0:
		return replyTooManyTo, nil
	}
	allowed, err := s.set.Hosts.Allowed(*to)
	if err != nil {
		return "", s.end(replyControls, err)
	}
	before := *to
	v := s.spp.AskRcpt(to, allowed || s.set.MayRelay)
	if err := s.told(v, to); err != nil {
		return "", err
	}
	if *to != before {
		if allowed, err = s.set.Hosts.Allowed(*to); err != nil {
			return "", s.end(replyControls, err)
		}
	}
	known := false
	if v != spp.Accept {
		if reply, known, err = s.listed(*to, allowed); reply != "" || err != nil {
			return reply, err
		}
	}
	if s.set.MayRelay {
		*to += s.set.Relay
	}
	if reply := s.verify(*to, known, v == spp.Accept, allowed); reply != "" {
		return reply, nil
	}
	return "", s.told(s.spp.AskPassed(to), to)
}

// told is the error for a recipient that plug-ins do not want.
func (s *session) told(v spp.Verdict, to *string) error {
	ok, err := s.goesOnWith(v, to)
	if !ok && err == nil {
		err = errTold
	}
	return err
}

// listed asks the control files about a recipient; known is set if they say that
// there is one. Allowed says whether its host is in rcpthosts.
func (s *session) listed(to string, allowed bool) (reply string, known bool, err error) {
	if limit := s.set.BadTo; limit > 0 && s.badTo >= limit {
		return replyTooManyBad, false, nil
	}
	v, err := s.set.Lists.Check(to, s.set.MayRelay)
	switch {
	case err != nil:
		return "", false, s.end(replyControls, err)
	case v == rcptto.Bad:
		reply = replyBadRcpt
	case !allowed && !s.set.MayRelay:
		reply = replyNoGateway
	case v == rcptto.NotGood:
		reply = replyNoMailbox
	case v == rcptto.Invalid:
		reply = replyNotValid
	default:
		return "", v == rcptto.Valid, nil
	}
	s.badTo++
	return reply, false, nil
}

// RecipientSettings are what recipients are judged by.
type RecipientSettings struct {
	Lists  *rcptto.Lists
	BadTo  int  // brtlimit or $BRTLIMIT: refused recipients that end a session; 0 for no limit
	Verify bool // rcptcheck: qmail-rcptcheck is asked
}

// readRecipients reads the files about recipients.
func (s *RecipientSettings) readRecipients(files *control.Folder, folder string, env receive.Env) error {
	verify, err := files.Number("rcptcheck")
	if err != nil {
		return err
	}
	s.Verify = verify == 1
	if s.BadTo, err = files.Number("brtlimit"); err != nil {
		return err
	}
	if limit, err := strconv.Atoi(env["BRTLIMIT"]); err == nil {
		s.BadTo = limit
	}
	s.Lists, err = rcptto.Read(folder, env)
	return err
}
