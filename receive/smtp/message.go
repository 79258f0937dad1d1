package smtp

import (
	"errors"
	"strings"

	"goqmail/internal/fault"
	"goqmail/receive"
)

// data is the DATA command and the message after it.
func (s *session) data(string) error {
	switch {
	case s.mail == nil:
		s.say(replyMailFirst)
		return nil
	case len(s.mail.to) == 0:
		s.say(replyRcptFirst)
		return nil
	}
	transaction := s.mail
	s.mail = nil
	queue, err := s.srv.Queue(s.env)
	if err != nil {
		s.srv.Log.rejected(s, transaction, replyQueue)
		s.say(replyQueue)
		return nil
	}
	s.say(replyGo)
	return s.message(transaction, queue)
}

// message takes a message to its end and answers for it.
func (s *session) message(transaction *mail, queue receive.Message) error {
	limited := &receive.Limited{Message: queue, Max: s.set.Databytes}
	limited.Head(s.set.Peer.Received(s.protocol(), s.helo, s.srv.Now()))
	in := &incoming{to: limited}
	if err := in.read(s.wire); err != nil {
		queue.Fail()
		queue.Close()
		return s.lost(err)
	}
	if in.stray || in.hops >= maxHops {
		queue.Fail()
	}
	qp := queue.PID()
	queue.From(transaction.sender)
	for _, to := range transaction.to {
		queue.To(to)
	}
	reply := s.verdict(in, limited, queue.Close())
	if reply == "" {
		s.failures = 0
		s.srv.Log.accepted(s, transaction, qp, limited.Size)
		s.say("250 " + receive.Accepted(s.srv.Now(), qp))
		return nil
	}
	s.srv.Log.rejected(s, transaction, reply)
	s.say(reply)
	return nil
}

// verdict is the reply to a message that is not in the queue, or "".
func (s *session) verdict(in *incoming, limited *receive.Limited, err error) string {
	switch {
	case err == nil:
		return ""
	case in.stray:
		return replyStray
	case in.hops >= maxHops:
		return replyHops
	case limited.Over:
		return replyTooBig
	}
	var f *fault.Error
	if !errors.As(err, &f) {
		f = fault.Soft(strings.TrimPrefix(replyQueue, "451 "), err)
	}
	if f.Perm {
		return "554 " + oneLine(f.Text)
	}
	return "451 " + oneLine(f.Text)
}

// oneLine keeps what a program said from being more than one reply.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' {
			return ' '
		}
		return r
	}, text)
}
