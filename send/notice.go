package send

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"goqmail/bounce"
	"goqmail/internal/durable"
	"goqmail/queue"
)

// errNotInjected stands for a notice that qmail-queue has not taken.
var errNotInjected = errors.New("trouble injecting bounce message, will try later")

// tellSender sends the notice about what has failed of a message so far, if there
// is something, and removes that. After a crash in between the sender is told
// twice.
func (s *Server) tellSender(n queue.Number) (told bool, err error) {
	name := s.q.Name(queue.Bounce, n)
	paragraphs, err := s.q.FS.Open(name, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, errors.New("unable to open " + name + "; will try again later")
	}
	defer paragraphs.Close()
	size, err := trimBounce(paragraphs)
	if err != nil {
		return false, errors.New("trouble reading " + name + "; will try again later")
	}
	if size == 0 {
		return false, s.removeBounce(n)
	}
	sender, birth, err := s.q.ReadInfo(n)
	if err != nil {
		return false, errors.New("trouble opening " + s.q.Name(queue.Info, n) + "; will try again later")
	}
	switch to := bounce.ReturnTo(sender); {
	case to == bounce.DoubleSender:
		s.log.print("triple bounce: discarding ", name)
	case to == "" && s.config.Load().Bounces.DoubleTo == "":
		s.log.print("double bounce: discarding ", name)
	default:
		if err := s.sendNotice(n, to, birth, paragraphs); err != nil {
			return false, err
		}
	}
	return true, s.removeBounce(n)
}

func (s *Server) removeBounce(n queue.Number) error {
	if err := s.q.Remove(queue.Bounce, n); err != nil {
		return errors.New("unable to unlink " + s.q.Name(queue.Bounce, n))
	}
	return nil
}

// sendNotice queues a bounce, or a double bounce if to is empty.
func (s *Server) sendNotice(n queue.Number, to string, birth time.Time, paragraphs durable.File) error {
	c := s.config.Load().Bounces
	envelopeSender, recipient := "", to
	if to == "" {
		envelopeSender, recipient = bounce.DoubleSender, c.DoubleTo
	}
	notice := bounce.Notice{
		From: c.From, Host: c.Host, To: recipient, Sender: to, Date: s.now(),
		Text: c.Text, MaxCopy: c.MaxBytes, Arrival: birth,
	}
	if c.MIME {
		notice.Boundary = newBoundary()
	}
	qp, err := s.inject(n, envelopeSender, recipient, func(w io.Writer, original durable.File) error {
		return notice.Write(w, paragraphs, original)
	})
	if err != nil {
		return err
	}
	s.log.bounced(n, qp)
	return nil
}

// newBoundary makes a boundary that nobody can have put into a message.
func newBoundary() string { return "=_" + rand.Text() }

// inject queues something about a message. Its errors are warnings.
func (s *Server) inject(n queue.Number, sender, recipient string, write func(w io.Writer, original durable.File) error) (qp int, err error) {
	s.bounces <- struct{}{}
	defer func() { <-s.bounces }()
	m, err := s.submit()
	if err != nil {
		return 0, errors.New("unable to start qmail-queue, will try later")
	}
	if err := s.writeAbout(n, m, write); err != nil {
		m.Fail()
	} else {
		m.From(sender)
		m.To(recipient)
	}
	if m.Close() != nil {
		return 0, errNotInjected
	}
	return m.PID(), nil
}

func (s *Server) writeAbout(n queue.Number, w io.Writer, write func(w io.Writer, original durable.File) error) error {
	original, err := s.q.FS.Open(s.q.Name(queue.Mess, n), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer original.Close()
	return write(w, original)
}

// early is who has been told of failures while other recipients of the message
// are still tried (bounceinterval). The loop and the steps of messages use it.
type early struct {
	mu    sync.Mutex
	last  map[queue.Number]*lastNotice
	sweep int // how many make it worth while to look for old ones
}

// lastNotice is when the sender of a message was last told.
type lastNotice struct {
	at    time.Time
	waits bool // the next notice waits for its time
}

// note takes note of a notice, and forgets those that are so old that they do not
// count any more, as of messages that somebody has deleted.
func (e *early) note(n queue.Number, at time.Time, interval time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.last == nil {
		e.last = map[queue.Number]*lastNotice{}
	}
	e.last[n] = &lastNotice{at: at}
	if len(e.last) < e.sweep {
		return
	}
	for n, l := range e.last {
		if at.Sub(l.at) > interval && !l.waits {
			delete(e.last, n)
		}
	}
	e.sweep = 2*len(e.last) + 100
}

func (e *early) forget(n queue.Number) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.last, n)
}

// quietUntil is when the sender may be told again; the zero time if at once.
func (e *early) quietUntil(n queue.Number, now time.Time, interval time.Duration) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l := e.last[n]; l != nil && now.Before(l.at.Add(interval)) {
		return l.at.Add(interval)
	}
	return time.Time{}
}

// wait reports whether the next notice has to be put down for later: it is not if
// it is already.
func (e *early) wait(n queue.Number, waits bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.last[n]
	if l == nil || l.waits == waits {
		return false
	}
	l.waits = waits
	return true
}

// tellEarly tells the sender of a message what has failed, while other recipients
// wait for their next try, if that is wanted; not sooner than the last notice was
// long enough ago.
func (s *Server) tellEarly(n queue.Number) {
	interval := s.config.Load().Bounces.Interval
	if interval == 0 {
		return
	}
	if until := s.early.quietUntil(n, s.now(), interval); !until.IsZero() {
		if s.early.wait(n, true) {
			s.telling.push(entry{due: unixAfter(until), n: n})
		}
		return
	}
	s.early.wait(n, false)
	m := s.use(n)
	s.do(m, func() {
		told, err := s.tellSender(n)
		if err != nil {
			s.log.warning(err.Error())
		}
		if told {
			s.early.note(n, s.now(), interval)
		}
		s.post(func() { s.release(m) })
	})
}

// unixAfter is the first whole second that is not before t.
func unixAfter(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }
