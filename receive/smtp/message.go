package smtp

import (
	"errors"
	"strings"

	"goqmail/internal/fault"
	"goqmail/receive"
	"goqmail/receive/spp"
)

// arrival is a message that is coming in, between DATA or the first BDAT and its end.
type arrival struct {
	in    *incoming
	queue *receive.Limited
}

// begin begins a message of the present transaction; with an error the client has
// been told why not.
func (s *session) begin() (*arrival, error) {
	queue, err := s.srv.Queue(s.env)
	if err != nil {
		s.srv.Log.rejected(s, s.mail, replyQueue)
		s.say(replyQueue)
		return nil, err
	}
	a := &arrival{queue: &receive.Limited{Message: queue, Max: s.set.Databytes}}
	a.queue.Head(s.set.Peer.Received(s.protocol(), s.helo, s.srv.Now()))
	a.queue.Head(s.spp.Header())
	a.in = &incoming{to: a.queue}
	return a, nil
}

// errNotQueued is the error for a message that is refused before its end.
var errNotQueued = errors.New("not queued")

// abort makes sure that a message is not queued.
func (a *arrival) abort() {
	a.queue.Fail()
	a.queue.Close()
}

// forget ends the transaction, whatever has come of its message.
func (s *session) forget() {
	if s.mail != nil && s.mail.arrival != nil {
		s.mail.arrival.abort()
	}
	s.mail = nil
}

// data is the DATA command and the message after it.
func (s *session) data(string) error {
	if reply := s.notYet(); reply != "" {
		s.say(reply)
		return nil
	}
	if s.mail.arrival != nil {
		s.say(replyChunks)
		return nil
	}
	if ok, err := s.goesOn(s.spp.Ask(spp.Data)); !ok {
		return err
	}
	a, err := s.begin()
	if err != nil {
		s.mail = nil
		return nil
	}
	s.mail.arrival = a
	s.say(replyGo)
	s.wire.Begin()
	if err := a.in.read(s.wire); err != nil {
		return s.lost(err)
	}
	s.finish()
	return nil
}

// notYet is the reply to a message that comes too early, or "".
func (s *session) notYet() string {
	switch {
	case s.mail == nil:
		return replyMailFirst
	case len(s.mail.to) == 0:
		return replyRcptFirst
	}
	return ""
}

// finish queues a message that has come to its end, and answers for it.
func (s *session) finish() {
	m := s.mail
	a := m.arrival
	s.mail = nil
	if a.in.stray || a.in.hops >= maxHops {
		a.queue.Fail()
	}
	a.queue.From(m.sender)
	for _, to := range m.to {
		a.queue.To(to)
	}
	if reply := a.verdict(a.queue.Close()); reply != "" {
		s.srv.Log.rejected(s, m, reply)
		s.say(reply)
		return
	}
	qp := a.queue.PID()
	s.failures = 0
	s.srv.Log.accepted(s, m, qp, a.queue.Size)
	s.say("250 " + receive.Accepted(s.srv.Now(), qp))
}

// verdict is the reply to a message that is not in the queue, or "".
func (a *arrival) verdict(err error) string {
	switch {
	case err == nil:
		return ""
	case a.in.stray:
		return replyStray
	case a.in.hops >= maxHops:
		return replyHops
	case a.queue.Over:
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
