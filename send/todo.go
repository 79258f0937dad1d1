package send

import (
	"sync"
	"sync/atomic"
	"time"

	"goqmail/internal/workers"
	"goqmail/queue"
)

// preprocessAtOnce is how many new messages are preprocessed at a time: their
// syncs share commits of the file system's journal.
const preprocessAtOnce = 16

// intake takes new messages in, beside the deliveries: it reads todo when the
// trigger is pulled, and preprocesses what it finds.
type intake struct {
	s         *Server
	wake      chan struct{} // there may be something new
	listening chan struct{} // closed when the trigger was opened, or cannot be

	workers *workers.Pool
	places  chan struct{}

	mu     sync.Mutex
	busy   map[queue.Number]bool  // under way
	lent   map[queue.Number]int   // not to be begun
	missed map[queue.Number]bool  // seen in todo meanwhile
	known  map[queue.Number]bool  // since the start, while the queue is being read
	later  map[queue.Number]delay // failed

	haste    haste
	straight [channels]atomic.Int32 // messages that are delivered straight, about
}

// delay keeps a message that cannot be preprocessed from being tried, and warned
// about, each time that another one comes in.
type delay struct {
	until time.Time
	last  time.Duration
}

// Delays after a failure.
const (
	firstDelay = 5 * time.Second
	mostDelay  = todoEvery
)

func newIntake(s *Server, many int) *intake {
	return &intake{
		s:         s,
		wake:      make(chan struct{}, 1),
		listening: make(chan struct{}),
		workers:   workers.New(preprocessAtOnce),
		places:    make(chan struct{}, preprocessAtOnce),
		busy:      map[queue.Number]bool{},
		lent:      map[queue.Number]int{},
		missed:    map[queue.Number]bool{},
		known:     map[queue.Number]bool{},
		later:     map[queue.Number]delay{},
		haste:     haste{from: many},
	}
}

// knows reports whether a message has come in since the start: it is not for the
// reader of the queue to schedule then. A message is known before it has an info
// file, so that none is scheduled twice.
func (in *intake) knows(n queue.Number) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.known[n]
}

// forgetKnown is called when the whole queue was read.
func (in *intake) forgetKnown() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.known = nil
}

// pull says that there may be something new in todo.
func (in *intake) pull() {
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// run takes messages in until qmail-send has to end, and then waits for those
// that are under way.
func (in *intake) run() {
	defer in.workers.End()
	select {
	case <-in.listening: // so that no pull is missed after the first look
	case <-in.s.stopping:
		return
	}
	every := time.NewTicker(todoEvery)
	defer every.Stop()
	for {
		in.scan()
		select {
		case <-in.wake:
		case <-every.C:
		case <-in.s.stopping:
			return
		}
	}
}

// scan goes through todo once.
func (in *intake) scan() {
	err := in.s.q.Numbers(queue.Todo, func(n queue.Number) bool {
		if !in.claim(n) {
			return !in.s.isStopping()
		}
		select {
		case in.places <- struct{}{}:
		case <-in.s.stopping:
			in.unclaim(n, true)
			return false
		}
		in.workers.Go(func() {
			in.begin(n)
			<-in.places
		})
		return true
	})
	if err != nil {
		in.s.log.warning("unable to read todo; will try again later")
	}
}

// claim keeps others from a message; it is false if another one has it or it is
// not its time yet.
func (in *intake) claim(n queue.Number) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.busy[n] || in.lent[n] > 0 {
		in.missed[n] = true // it may be another message of that number
		return false
	}
	if in.s.now().Before(in.later[n].until) {
		return false
	}
	in.busy[n] = true
	if in.known != nil {
		in.known[n] = true
	}
	return true
}

func (in *intake) unclaim(n queue.Number, ok bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.busy, n)
	in.lookAgain(n)
	if ok {
		delete(in.later, n)
		return
	}
	last := min(max(2*in.later[n].last, firstDelay), mostDelay)
	in.later[n] = delay{until: in.s.now().Add(last), last: last}
	time.AfterFunc(last, in.pull)
}

// lookAgain pulls if a message was seen in todo while it could not be begun.
func (in *intake) lookAgain(n queue.Number) {
	if in.missed[n] {
		delete(in.missed, n)
		in.pull()
	}
}

// begin begins what is to be done about a message.
func (in *intake) begin(n queue.Number) {
	s := in.s
	p := &preprocessing{q: s.q, log: s.log, routes: &s.config.Load().Routes, n: n}
	err := p.open()
	straight := false
	if err == nil && !p.gone && in.haste.count(s.now()) {
		straight, err = in.goesStraight(p)
	}
	if straight {
		return
	}
	if err == nil && !p.gone {
		err = p.run()
	}
	in.preprocessed(p, err)
}

// preprocessed hands over a message that was moved from todo to info, local and
// remote.
func (in *intake) preprocessed(p *preprocessing, err error) {
	s, n := in.s, p.n
	switch {
	case err != nil:
		s.log.warning(err.Error())
	case !p.gone && !s.clean("todo/"+n.String()):
		err = errRefused
	}
	if err == nil && !p.gone {
		s.post(func() { s.schedule(n, p.has) })
	}
	in.unclaim(n, err == nil) // last, see borrow
}

// watchTodo pulls when the folder has changed although nobody has pulled the
// trigger, as when the FIFO was not there for a moment.
func (in *intake) watchTodo() {
	poll := time.NewTicker(todoPoll)
	defer poll.Stop()
	var last time.Time
	for {
		select {
		case <-poll.C:
		case <-in.s.stopping:
			return
		}
		if changed := in.lastChange(); changed.After(last) {
			last = changed
			in.pull()
		}
	}
}

func (in *intake) lastChange() time.Time {
	var last time.Time
	for _, folder := range in.s.q.Folders(queue.Todo) {
		if st, err := in.s.q.FS.Stat(folder); err == nil && st.ModTime().After(last) {
			last = st.ModTime()
		}
	}
	return last
}

// listen pulls when somebody pulls the trigger. Without a FIFO it tries again
// later.
func (in *intake) listen(folder string) {
	var once sync.Once
	for !in.s.isStopping() {
		t, err := queue.OpenTrigger(folder)
		once.Do(func() { close(in.listening) })
		if err == nil {
			for t.Wait() == nil {
				in.pull()
			}
			t.Close()
		}
		select {
		case <-time.After(todoPoll):
		case <-in.s.stopping:
		}
	}
}
