package send

import (
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"goqmail/internal/sendctl"
	"goqmail/queue"
)

// Limits of commands.
const (
	talksAtOnce  = 16
	listenPause  = 5 * time.Second
	answerWithin = time.Minute // then an order that is not carried out yet is said to be later
)

// order is something that an administrator wants done about a message.
type order struct {
	verb   string
	n      queue.Number
	waited bool                  // until what was done about the message had ended
	at     int64                 // when the message file was changed, in nanoseconds since 1970; 0: whenever
	answer chan<- sendctl.Answer // never full; nil if it was answered before it was done
}

func (o *order) say(words string) {
	if o.answer != nil {
		o.answer <- sendctl.Answer{Number: uint64(o.n), Words: words}
		o.answer = nil
	}
}

// leaves reports whether there is still something to be done about the message.
func (o *order) leaves(words string) bool {
	switch words {
	case sendctl.Gone, sendctl.New:
		return false
	case sendctl.OK:
		return o.verb != sendctl.Delete && o.verb != sendctl.Bounce
	}
	return true
}

// listenForCommands serves qmail-queuectl. It tries until it can: in a queue that
// was another qmail's the folder of the socket may not be there yet.
func (s *Server) listenForCommands() {
	folder := filepath.Join(s.home, "queue")
	for !s.isStopping() {
		if queue.MakeSendFolder(folder) == nil {
			if l, err := sendctl.Listen(filepath.Join(folder, sendctl.Path)); err == nil {
				s.serveCommands(l)
				return
			}
		}
		s.sleep(listenPause)
	}
}

// sleep waits, but not longer than until qmail-send has to end.
func (s *Server) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.stopping:
	}
}

func (s *Server) serveCommands(l *sendctl.Listener) {
	closed := make(chan struct{})
	go func() {
		<-s.stopping
		l.Close()
		close(closed)
	}()
	defer func() { <-closed }()
	places := make(chan struct{}, talksAtOnce)
	for !s.isStopping() {
		c, err := l.Accept()
		if err != nil {
			s.sleep(time.Second)
			continue
		}
		select {
		case places <- struct{}{}:
		case <-s.stopping:
			c.Close()
			return
		}
		go func() {
			s.talk(c)
			<-places
		}()
	}
}

// talk answers the requests that come over a connection.
func (s *Server) talk(c *sendctl.Conn) {
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-s.finished:
		case <-ended:
		}
		c.Close()
	}()
	if c.WriteLines(sendctl.Greeting) != nil {
		return
	}
	for {
		line, err := c.ReadLine()
		if err != nil {
			return
		}
		r, err := sendctl.ParseRequest(line)
		if err != nil {
			return
		}
		if c.WriteLines(s.obey(r)...) != nil {
			return
		}
	}
}

// obey does what is asked for and returns the lines of the answer.
func (s *Server) obey(r sendctl.Request) []string {
	var answers []sendctl.Answer
	ok := true
	switch r.Verb {
	case sendctl.Active:
		answers = s.underWay()
	case sendctl.Hold, sendctl.Release, sendctl.Retry, sendctl.Bounce, sendctl.Delete, sendctl.Reroute:
		answers, ok = s.giveOrders(r)
	default:
		return []string{"! unknown request"}
	}
	if !ok {
		return []string{"! " + sendctl.Busy}
	}
	lines := make([]string, 0, len(answers)+1)
	for _, a := range answers {
		lines = append(lines, a.String())
	}
	return append(lines, ".")
}

// underWay lists the deliveries under way.
func (s *Server) underWay() []sendctl.Answer {
	result := make(chan []sendctl.Answer, 1)
	s.post(func() {
		var all []sendctl.Answer
		for _, l := range s.lanes {
			for _, d := range l.places {
				if d != nil {
					all = append(all, sendctl.Answer{Number: uint64(d.job.m.n), Words: l.ch.String() + " " + strconv.FormatInt(d.recipient.Place, 10)})
				}
			}
		}
		result <- all
	})
	select {
	case all := <-result:
		return all
	case <-s.finished:
		return nil
	}
}

// giveOrders has orders carried out and waits for that. It is not ok while the
// queue is still being read: a message might be scheduled twice.
func (s *Server) giveOrders(r sendctl.Request) (answers []sendctl.Answer, ok bool) {
	pending := map[queue.Number]bool{}
	done := make(chan sendctl.Answer, len(r.Numbers))
	var all []*order
	for i, number := range r.Numbers {
		n := queue.Number(number)
		if pending[n] {
			continue
		}
		pending[n] = true
		if o := (&order{verb: r.Verb, n: n, at: r.ChangedAt(i), answer: done}); s.intake.borrow(n) {
			all = append(all, o)
		} else {
			o.say(sendctl.New)
		}
	}
	taken := make(chan bool, 1)
	s.post(func() {
		if s.scanning || s.exiting {
			taken <- false
			return
		}
		taken <- true
		s.takeOrders(all)
	})
	select {
	case ok = <-taken:
	case <-s.finished:
	}
	if !ok {
		for _, o := range all {
			s.intake.giveBack(o.n)
		}
		return nil, false
	}
	return s.collect(pending, done), true
}

// collect waits for the answers. Those that do not come in time are later.
func (s *Server) collect(pending map[queue.Number]bool, done <-chan sendctl.Answer) (answers []sendctl.Answer) {
	timer := time.NewTimer(answerWithin)
	defer timer.Stop()
	for len(pending) > 0 {
		select {
		case a := <-done:
			delete(pending, queue.Number(a.Number))
			answers = append(answers, a)
			continue
		case <-timer.C:
		case <-s.finished:
		}
		for n := range pending {
			answers = append(answers, sendctl.Answer{Number: uint64(n), Words: sendctl.Later})
		}
		return answers
	}
	return answers
}

// takeOrders begins orders, those about messages that something is done about as soon
// as that has ended. It belongs to the goroutine of Run, as all that follows.
func (s *Server) takeOrders(all []*order) {
	idle := map[queue.Number]bool{}
	for _, o := range all {
		idle[o.n] = s.active[o.n] == nil
	}
	s.unschedule(idle)
	for _, o := range all {
		m := s.active[o.n]
		if m == nil {
			s.carryOut(o)
			continue
		}
		if m.delivering() {
			o.say(sendctl.Later)
		}
		o.waited = true
		m.orders = append(m.orders, o)
		s.stopJobs(m)
	}
}

// isAbout reports whether the message of an order is still the one that has its number:
// it has not changed and, if the order had to wait until what was done about it had
// ended, has not been queued since.
func (s *Server) isAbout(o *order) bool {
	if has, err := s.q.Has(queue.Todo, o.n); o.waited && (has || err != nil) {
		return false
	}
	return isChangedAt(s.q, o.n, o.at)
}

// isChangedAt reports whether a message's file was changed at that time, if it is not 0.
func isChangedAt(q *queue.Queue, n queue.Number, at int64) bool {
	if at == 0 {
		return true
	}
	st, err := q.FS.Stat(q.Name(queue.Mess, n))
	return err == nil && st.ModTime().UnixNano() == at
}

// unschedule takes messages out of all heaps.
func (s *Server) unschedule(numbers map[queue.Number]bool) {
	for _, l := range s.lanes {
		l.waiting.remove(numbers)
	}
	s.ending.remove(numbers)
	s.unknown.remove(numbers)
}

// carryOut does the work of an order and then schedules what there is of the
// message. It must be in no heap, and nothing else be done about it.
func (s *Server) carryOut(o *order) {
	m := s.use(o.n)
	s.do(m, func() {
		words, leaves := s.obeyOne(o)
		switch {
		case words != sendctl.OK:
		case o.verb == sendctl.Bounce:
			s.finish(m)
		case o.verb == sendctl.Delete:
			s.early.forget(o.n)
		}
		f, ok := s.look(o.n)
		s.post(func() {
			if ok && leaves {
				s.wait(f)
			}
			o.say(words)
			s.intake.giveBack(o.n)
			if words == sendctl.New || words == sendctl.Gone {
				s.intake.pull() // it may have been passed over meanwhile
			}
			s.release(m)
		})
	})
}

// obeyOne does what an order says, and reports whether there is still something to be
// done about the message, or about another one that has its number by now.
func (s *Server) obeyOne(o *order) (words string, leaves bool) {
	if !s.isAbout(o) {
		has, err := s.q.Has(queue.Info, o.n)
		return sendctl.Gone, has || err != nil
	}
	words = s.orders().do(o.verb, o.n)
	return words, o.leaves(words)
}

func (s *Server) orders() *orders {
	return &orders{q: s.q, now: s.now, log: s.log.print, eras: &s.eras, clean: s.clean, tell: s.addToBounce}
}

// nextOrder begins an order that has waited until nothing was done about a message
// any more.
func (s *Server) nextOrder(m *message) {
	if len(m.orders) == 0 {
		return
	}
	s.unschedule(map[queue.Number]bool{m.n: true})
	s.carryOut(m.orders[0])
	s.active[m.n].orders = m.orders[1:]
}

// delivering reports whether a delivery of the message is under way.
func (m *message) delivering() bool {
	for _, j := range m.jobs {
		if j != nil && j.out > 0 {
			return true
		}
	}
	return false
}

// stopJobs has a message's jobs begin no more deliveries.
func (s *Server) stopJobs(m *message) {
	for _, j := range m.jobs {
		if j == nil {
			continue
		}
		j.leave(s.now(), len(j.buffer) > 0 || !j.ended)
		j.lane.destinations.unpark(j)
		s.closeJob(j)
	}
}

// unpark has a job that is stopped wait for a place no more, which others may wait
// for behind it.
func (d *destinations) unpark(j *job) {
	for _, to := range d.byName {
		if i := slices.Index(to.parked, j); i >= 0 {
			to.parked = slices.Delete(slices.Clone(to.parked), i, i+1)
			d.parked--
			return
		}
	}
}

// borrow keeps a message from being preprocessed; it is false if it just is. When
// it returns, a message that was preprocessed before has been handed over.
func (in *intake) borrow(n queue.Number) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.busy[n] {
		return false
	}
	in.lent[n]++
	return true
}

func (in *intake) giveBack(n queue.Number) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.lent[n]--; in.lent[n] == 0 {
		delete(in.lent, n)
		in.lookAgain(n)
	}
}
