package send

import (
	"errors"
	"io"
	"sync"
	"time"

	"goqmail/queue"
)

// Under load most messages have one recipient and are done at their first delivery.
// Such a message is delivered straight from todo: info and local, or remote, are
// written only if the delivery fails or takes long. Until then all that a crash, or
// another qmail, finds is a message that was not preprocessed yet.
//
// The message stays the intake's (see claim), so that nobody else begins it, until its
// files are written or it has ended.
type straight struct {
	p       *preprocessing
	timer   *time.Timer
	writing bool
	tried   bool   // there may be files of it, though not all
	then    func() // what to do when the files are written, or cannot be
}

// straightMost is how many messages of a channel are under way, or wait for their turn,
// at a time. Those that wait for longer than Options.Straight get their files.
const straightMost = 256

// errOther means that a message is not one to be delivered straight.
var errOther = errors.New("more than one recipient")

// look reads the envelope of a message that may be delivered straight. If it may not
// be, the envelope can be read again from its beginning.
func (p *preprocessing) look() (to string, ch channel, err error) {
	if !p.q.HasNone(p.n, queue.Info, queue.Local, queue.Remote, queue.Bounce) {
		return "", 0, errOther
	}
	recipients := 0
	err = queue.ReadTodo(p.todo,
		func(e queue.Envelope) error { p.envelope = e; return nil },
		func(addr string) error {
			if recipients++; recipients > 1 {
				return errOther
			}
			ch, to = channelOf(p.routes, addr)
			return nil
		})
	if err == nil && recipients == 0 {
		err = errOther
	}
	return to, ch, err
}

// goesStraight hands a message over as it is, if it is one to be delivered straight
// and not too many are under way. Otherwise its envelope is at the beginning,
// or there is an error.
func (in *intake) goesStraight(p *preprocessing) (bool, error) {
	to, ch, err := p.look()
	if err == nil && in.straight[ch].Load() < straightMost {
		p.close()
		p.birth = in.s.now()
		in.straight[ch].Add(1)
		in.s.post(func() { in.s.deliverStraight(p, ch, to) })
		return true, nil
	}
	if _, err := p.todo.Seek(0, io.SeekStart); err != nil {
		return false, errors.New("trouble reading " + p.q.Name(queue.Todo, p.n))
	}
	return false, nil
}

// endedStraight gives a message back to the intake. It is ok if it is not there any
// more.
func (in *intake) endedStraight(n queue.Number, ch channel, ok bool) {
	in.straight[ch].Add(-1)
	in.unclaim(n, ok)
}

// deliverStraight begins the one job of a message.
func (s *Server) deliverStraight(p *preprocessing, ch channel, to string) {
	l := s.lanes[ch]
	if s.exiting || l.dead {
		s.intake.endedStraight(p.n, ch, true)
		return
	}
	s.log.newMessage(p.n)
	s.log.info(p.n, p.size, p.envelope)
	p.logged = true
	j := &job{
		m: s.use(p.n), lane: l, sender: p.envelope.Sender, birth: p.birth, retry: nextTry(p.birth, p.birth, ch),
		ended: true, left: 1, buffer: []queue.Recipient{{Address: to}}, straight: &straight{p: p},
	}
	j.m.jobs[ch] = j
	j.straight.timer = time.AfterFunc(s.straightTime, func() { s.post(func() { s.writeStraight(j) }) })
	l.ready.push(j)
}

// writeStraight writes the files of a message whose delivery takes long. From then on
// it is one like others.
func (s *Server) writeStraight(j *job) {
	st := j.straight
	if st == nil || st.writing {
		return
	}
	st.writing, st.tried = true, true
	st.timer.Stop()
	s.do(j.m, func() {
		err := st.p.again()
		if err == nil && !s.clean("todo/"+j.m.n.String()) {
			err = errRefused
		}
		s.post(func() { s.straightWritten(j, err) })
	})
}

func (s *Server) straightWritten(j *job, err error) {
	st := j.straight
	st.writing = false
	if err == nil {
		j.straight = nil
		s.intake.endedStraight(j.m.n, j.lane.ch, true)
	} else {
		s.log.warning(err.Error())
	}
	switch {
	case st.then != nil:
		st.then()
	case err != nil:
		st.timer.Reset(s.straightTime)
	case j.out == 0 && len(j.buffer) > 0:
		// It waits like others, where it takes less memory and leaves them their turn.
		j.leave(s.now(), true)
		j.lane.destinations.unpark(j)
		s.closeJob(j)
	}
}

// reportStraight takes note of what became of the first delivery. It returns false if
// that is nothing special.
func (s *Server) reportStraight(j *job, verdict byte, settle func()) bool {
	st := j.straight
	switch {
	case st == nil:
		return false
	case st.writing:
		st.then = func() {
			if !s.reportStraight(j, verdict, settle) {
				settle()
			}
		}
	case verdict == 'K':
		st.timer.Stop()
		j.straight = nil // the timer may have run, and the number may soon be another message's
		s.endStraight(j, st)
	default:
		s.putStraightBack(j, settle)
	}
	return true
}

// putStraightBack writes the files of a message that is not done, and then does what
// is to be done about it. If they cannot be written the message is begun anew later.
func (s *Server) putStraightBack(j *job, settle func()) {
	j.straight.then = func() {
		if j.straight == nil {
			settle()
			return
		}
		j.straight = nil // as above
		s.releaseJob(j)
		s.intake.endedStraight(j.m.n, j.lane.ch, false)
	}
	s.writeStraight(j)
}

// endStraight ends a message that is done. As long as its envelope cannot be removed
// it must not be begun again.
func (s *Server) endStraight(j *job, st *straight) {
	n := j.m.n
	s.do(j.m, func() {
		s.log.end(n)
		s.removeEnded(st, func() {
			s.releaseJob(j)
			s.intake.endedStraight(n, j.lane.ch, true)
		})
	})
}

// removeEnded has the files of a message removed, and then has Run do something.
func (s *Server) removeEnded(st *straight, then func()) {
	if st.removeWritten() && s.cleanEnded(st.p.n) {
		s.post(then)
		return
	}
	time.AfterFunc(troublePause, func() {
		if !s.isStopping() {
			s.removeEnded(st, then)
		}
	})
}

// removeWritten removes what was written of a message that was done all the same. A crash
// must not bring it back, for another message with its number.
func (st *straight) removeWritten() bool {
	if !st.tried {
		return true
	}
	return st.p.removeOld() == nil && st.p.q.SyncFolders(st.p.n, queue.Info, queue.Local, queue.Remote) == nil
}

// cleanEnded has the envelope and the message removed by qmail-clean; by one of
// another qmail in two steps.
func (s *Server) cleanEnded(n queue.Number) bool {
	if done, known := s.cleanDone(n); known {
		return done
	}
	if !s.clean("todo/" + n.String()) {
		return false
	}
	s.forgetFiles(n)
	return true
}

// cleanDone has qmail-clean do done/N, if it knows that.
func (s *Server) cleanDone(n queue.Number) (done, known bool) {
	if s.cleaner.old.Load() {
		return false, false
	}
	command := "done/" + n.String()
	err := s.cleaner.remove(command)
	if err == errUnknown {
		s.cleaner.old.Store(true)
		return false, false
	}
	return s.cleaned(command, err), true
}

// haste tells whether many messages come in.
type haste struct {
	from int // messages a second

	mu                sync.Mutex
	second            int64
	current, previous int
}

// hasteFrom is how many messages a second are many.
const hasteFrom = 16

// count counts a message, and reports whether there were many in this second or the
// last one.
func (h *haste) count(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if second := now.Unix(); second != h.second {
		h.previous = 0
		if second == h.second+1 {
			h.previous = h.current
		}
		h.second, h.current = second, 0
	}
	h.current++
	return h.many()
}

func (h *haste) many() bool { return max(h.current, h.previous) > h.from }

// now reports whether many have come lately.
func (h *haste) now(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.many() && now.Unix() <= h.second+1
}
