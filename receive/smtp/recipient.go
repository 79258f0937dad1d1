package smtp

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
	refusal, err := s.refuses(&to)
	if err == nil && refusal == "" {
		refusal = s.verify(to)
	}
	switch {
	case err != nil:
		return s.end(replyControls, err)
	case refusal != "":
		s.srv.Log.refused(s, to, refusal)
		if refusal == replyUnverified {
			return s.end(refusal, ErrEnded)
		}
		s.say(refusal)
	default:
		s.mail.to = append(s.mail.to, to)
		s.say(replyOK)
	}
	return nil
}

// refuses returns the reply to a recipient that is not taken, or "". A relay
// client's recipient gets what $RELAYCLIENT adds.
func (s *session) refuses(to *string) (reply string, err error) {
	switch {
	case s.mail.bad:
		return replyBadSender, nil
	case len(s.mail.to) >= s.set.MaxTo && s.set.MaxTo > 0:
		return replyTooManyTo, nil
	case s.set.MayRelay:
		*to += s.set.Relay
		return "", nil
	}
	allowed, err := s.set.Hosts.Allowed(*to)
	if err != nil || allowed {
		return "", err
	}
	return replyNoGateway, nil
}
