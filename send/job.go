package send

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"goqmail/bounce"
	"goqmail/queue"
)

// job is one pass over the recipients of a message on one channel.
type job struct {
	m    *message
	lane *lane

	sender string
	birth  time.Time
	retry  time.Time // when those that are left are tried again
	dying  bool      // the message is too old to be tried again after this

	reader  *queue.Recipients // owned by the step that reads; nil at the end
	reading bool
	buffer  []queue.Recipient // to be delivered next
	ended   bool              // all recipients were read
	broken  bool              // reading went wrong: what was not read waits
	stopped bool              // no more deliveries are to begin
	cut     bool              // some that were read are not begun
	place   *destination      // where it was given a place that it has waited for

	out  int // deliveries under way
	left int // recipients found to do, less those done

	reports queue.Reports // of deferrals

	straight *straight // nil once the message's files are written
}

// How many recipients are read at a time, and when to read more.
const (
	readAtOnce = 512
	readMore   = 256
)

// jobQueue holds the jobs that have recipients to deliver, in their turn.
type jobQueue struct {
	jobs []*job
	head int
}

func (q *jobQueue) len() int { return len(q.jobs) - q.head }

func (q *jobQueue) push(j *job) { q.jobs = append(q.jobs, j) }

func (q *jobQueue) pop() *job {
	j := q.jobs[q.head]
	q.jobs[q.head] = nil
	q.head++
	if q.head > len(q.jobs)/2 {
		q.jobs = append(q.jobs[:0], q.jobs[q.head:]...)
		q.head = 0
	}
	return j
}

// openJob begins a job for a message that is due.
func (s *Server) openJob(l *lane, n queue.Number) {
	m := s.use(n)
	j := &job{m: m, lane: l, reading: true}
	m.jobs[l.ch] = j
	l.opening++
	now := s.now()
	config := s.config.Load()
	s.do(j.m, func() {
		err := j.open(s.q, now, config)
		var batch []queue.Recipient
		if err == nil {
			batch, err = j.read()
		}
		s.post(func() {
			l.opening--
			s.recipientsRead(j, batch, err)
		})
	})
}

// openError is why a job did not begin, and with which file.
type openError struct {
	name string
	err  error
}

func (e *openError) Error() string { return e.name + ": " + e.err.Error() }
func (e *openError) Unwrap() error { return e.err }

func (j *job) open(q *queue.Queue, now time.Time, config *Config) error {
	r, err := q.OpenRecipients(j.lane.ch.kind(), j.m.n)
	if err != nil {
		return &openError{q.Name(j.lane.ch.kind(), j.m.n), err}
	}
	sender, birth, err := q.ReadInfo(j.m.n)
	if err != nil {
		r.Close()
		return &openError{q.Name(queue.Info, j.m.n), err}
	}
	j.reader = r
	j.sender, j.birth = sender, birth
	j.retry = nextTry(birth, now, j.lane.ch)
	j.dying = now.Unix() > birth.Add(config.lifetime(sender)).Unix()
	return nil
}

// read returns the next recipients to do, and io.EOF with the last ones.
func (j *job) read() ([]queue.Recipient, error) {
	var batch []queue.Recipient
	for len(batch) < readAtOnce {
		r, err := j.reader.Next()
		if err != nil {
			j.reader.Close()
			j.reader = nil
			return batch, err
		}
		if !r.Done {
			batch = append(batch, r)
		}
	}
	return batch, nil
}

// recipientsRead takes note of what a step has read.
func (s *Server) recipientsRead(j *job, batch []queue.Recipient, err error) {
	j.reading = false
	var failed *openError
	switch {
	case err == nil:
	case err == io.EOF:
		j.ended = true
	case errors.As(err, &failed):
		s.notOpened(j, failed)
		return
	case errors.Is(err, queue.ErrUnknownRecord):
		s.log.warning("unknown record type in ", s.q.Name(j.lane.ch.kind(), j.m.n), "!")
		j.broken = true
	default:
		s.log.warning("trouble reading ", s.q.Name(j.lane.ch.kind(), j.m.n), "; will try again later")
		j.broken = true
	}
	j.left += len(batch)
	if j.stopped {
		j.leave(s.now(), len(batch) > 0)
		batch = nil
	}
	idle := len(j.buffer) == 0
	j.buffer = append(j.buffer, batch...)
	if idle && len(j.buffer) > 0 {
		j.lane.ready.push(j)
	}
	s.closeJob(j)
}

// leave has a job begin no more deliveries. What was not begun has not failed, and is
// due, unless the order that wants it so says otherwise.
func (j *job) leave(now time.Time, more bool) {
	j.cut = j.cut || more
	if j.cut && !j.reading { // the step that reads may set retry
		j.retry = now
	}
	j.stopped, j.broken = true, true
	j.buffer = nil // deliverNext passes over such a job
}

// notOpened puts off a message whose files cannot be opened. If they are gone,
// somebody has deleted them, and nothing is left to be done on this channel.
func (s *Server) notOpened(j *job, failed *openError) {
	if errors.Is(failed.err, fs.ErrNotExist) {
		s.log.warning(failed.name, " is gone")
		s.endMessage(j.m.n)
	} else {
		s.log.warning("trouble opening ", failed.name, "; will try again later")
		j.lane.waiting.push(entry{s.now().Add(troublePause).Unix(), j.m.n, true})
	}
	s.releaseJob(j)
}

// fill begins as many deliveries on a channel as there are places, and sees to it
// that there will be recipients for places to come.
func (s *Server) fill(l *lane) {
	for l.open() && l.ready.len() > 0 {
		s.deliverNext(l, l.ready.pop())
	}
	if l.dead {
		return
	}
	now := s.now()
	// New mail that needs no opening must not keep what is due from its turn.
	for l.limit > 0 && max(l.ready.len()-int(s.intake.straight[l.ch].Load()), 0)+l.opening < l.limit-l.used+prefetch {
		e, ok := l.waiting.popDue(now)
		if !ok {
			return
		}
		// One with an order would be opened, stopped and due again for ever; it is
		// scheduled anew once the order is carried out.
		if m := s.active[e.n]; m == nil || len(m.orders) == 0 {
			s.openJob(l, e.n)
		}
	}
}

// deliverNext begins a delivery of a job to the first of its recipients whose
// destination has a place, or lets the job wait for one.
func (s *Server) deliverNext(l *lane, j *job) {
	given := j.place
	j.place = nil
	if given != nil {
		given.released--
	}
	if len(j.buffer) == 0 { // stopped
		l.makeReady(l.destinations.passOn(given))
		return
	}
	for i, r := range j.buffer {
		if to := l.destinations.of(r.Address); l.destinations.mayUse(to) {
			if i == 0 {
				j.buffer = j.buffer[1:]
			} else {
				j.buffer = slices.Delete(j.buffer, i, i+1)
			}
			s.startDelivery(j, r, to)
			if to != given {
				l.makeReady(l.destinations.passOn(given))
			}
			if len(j.buffer) > 0 {
				l.ready.push(j)
			}
			if len(j.buffer) < readMore {
				s.readMore(j)
			}
			return
		}
	}
	if !l.destinations.park(l.destinations.of(j.buffer[0].Address), j) {
		s.sendBack(l, j)
		l.makeReady(l.destinations.passOn(given))
	}
}

// sendBack ends a job before its time, so that it need not be kept in mind.
func (s *Server) sendBack(l *lane, j *job) {
	j.buffer, j.broken = nil, true
	j.retry = s.now().Add(parkedPause)
	if j.straight == nil {
		s.closeJob(j)
		return
	}
	s.putStraightBack(j, func() { s.closeJob(j) })
}

// prefetch is how many jobs more than there are places are kept ready, so that a
// place that becomes free need not wait for the disk.
const prefetch = 8

func (s *Server) readMore(j *job) {
	if j.ended || j.broken || j.reading {
		return
	}
	j.reading = true
	s.do(j.m, func() {
		batch, err := j.read()
		s.post(func() { s.recipientsRead(j, batch, err) })
	})
}

func (s *Server) startDelivery(j *job, r queue.Recipient, to *destination) {
	l := j.lane
	s.deliveries++
	place := l.take(&delivery{id: s.deliveries, job: j, recipient: r, to: to, began: s.now().Unix()})
	l.destinations.begin(to)
	j.out++
	l.asking = l.wire.request(l.asking, place, s.q.SplitName(j.m.n), j.sender, r.Address)
	s.log.print(startingLine(s.deliveries, j.m.n, l.ch, r.Address), s.status())
}

// tooLong is added to the report of a recipient that is not tried again because
// of the message's age.
const tooLong = "I'm not going to try again; this message has been in the queue too long.\n"

// report takes note of what became of a delivery.
func (s *Server) report(l *lane, place int, text string) {
	d := l.give(place)
	if d == nil {
		s.log.warning("internal error: delivery report out of range")
		return
	}
	j := d.job
	j.out--
	var verdict byte
	if text != "" {
		verdict, text = text[0], text[1:]
	}
	deferred := verdict != 'K' && verdict != 'D'
	l.makeReady(l.destinations.end(d.to, deferred, d.began, s.now().Unix()))
	if verdict == 'Z' && j.dying {
		verdict, text = 'D', text+tooLong
	}
	s.log.print(deliveryLine(d.id, verdict, text, s.statusCode(verdict, text)), s.status())
	settle := func() { s.settle(j, d.recipient, verdict, text) }
	if !s.reportStraight(j, verdict, settle) {
		settle()
	}
}

// settle does what a report asks for.
func (s *Server) settle(j *job, r queue.Recipient, verdict byte, text string) {
	switch verdict {
	case 'K':
		s.done(j, r, "")
	case 'D':
		s.done(j, r, bounce.Paragraph(s.config.Load().Routes.Strip(r.Address), text))
	default:
		j.keepReport(r, text)
	}
	s.closeJob(j)
}

// statusCode is the enhanced status code of a failure or deferral, if it is wanted
// in the log.
func (s *Server) statusCode(verdict byte, text string) string {
	if verdict == 'K' || !s.config.Load().LogStatus {
		return ""
	}
	return bounce.Status(text, verdict == 'D')
}

// done marks a recipient as done, once its paragraph, if any, is safe in the
// message's bounce.
func (s *Server) done(j *job, r queue.Recipient, paragraph string) {
	j.left--
	m, kind := j.m, j.lane.ch.kind()
	if paragraph == "" {
		s.markSoon(m, j.lane.ch, r.Place)
		return
	}
	s.do(m, func() {
		if !s.addToBounce(m.n, paragraph) {
			m.spoiled = true
			return
		}
		s.markDone(kind, m.n, r.Place)
	})
}

// markSoon marks a recipient as done in a step of its message, together with those that are
// to be marked in the same step.
func (s *Server) markSoon(m *message, ch channel, place int64) {
	if p := m.marks[ch]; p != nil {
		*p = append(*p, place)
		return
	}
	places := &[]int64{place}
	m.marks[ch] = places
	s.do(m, func() { s.markDone(ch.kind(), m.n, *places...) })
}

func (s *Server) markDone(kind queue.Kind, n queue.Number, places ...int64) {
	err := s.q.MarkDone(kind, n, places...)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.warning("trouble marking ", s.q.Name(kind, n), "; message will be delivered twice!")
	}
}

// closeJob ends a job when all that it can do is done.
func (s *Server) closeJob(j *job) {
	if j.reading || j.out > 0 || len(j.buffer) > 0 || !(j.ended || j.broken) {
		return
	}
	if r := j.reader; r != nil { // it was sent back half way
		s.do(j.m, func() { r.Close() })
	}
	if j.ended && j.left == 0 {
		s.endChannel(j)
	} else {
		s.putBack(j)
	}
	s.releaseJob(j)
}

func (s *Server) releaseJob(j *job) {
	j.m.jobs[j.lane.ch] = nil
	s.release(j.m)
}

// putBack lets a message wait for its next try, which is also written down as the
// time of its recipient file, for the next qmail-send.
func (s *Server) putBack(j *job) {
	n, kind, retry, reports := j.m.n, j.lane.ch.kind(), j.retry, j.reports
	j.lane.waiting.push(entry{due: retry.Unix(), n: n})
	s.do(j.m, func() {
		s.saveTime(kind, n, retry)
		s.saveReports(kind, n, reports)
	})
	s.tellEarly(n)
	s.warnOfDelay(j)
}

func (s *Server) saveTime(kind queue.Kind, n queue.Number, due time.Time) {
	err := s.q.FS.Chtimes(s.q.Name(kind, n), due, due)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.warning("unable to utime ", s.q.Name(kind, n), "; message will be retried too soon")
	}
}

// endChannel removes a recipient file that has nothing left to do, and ends the
// message if there is none on the other channel.
func (s *Server) endChannel(j *job) {
	l, m, kind := j.lane, j.m, j.lane.ch.kind()
	s.do(m, func() {
		s.q.Remove(queue.ReportsOf(kind), m.n)
		if err := s.q.Remove(kind, m.n); err != nil {
			s.log.warning("unable to unlink ", s.q.Name(kind, m.n), "; will try again later")
			s.post(func() {
				l.waiting.push(entry{s.now().Add(troublePause).Unix(), m.n, true})
			})
			return
		}
		s.finish(m)
	})
}
