package send

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"goqmail/internal/durable"
	"goqmail/internal/fence"
	"goqmail/internal/workers"
	"goqmail/queue"
)

// Options is what qmail-send works with.
type Options struct {
	Home   string                     // folder with control and queue
	FS     durable.FS                 // the queue's folder, if not that below Home
	Log    io.Writer                  // log lines
	Local  Spawner                    // qmail-lspawn
	Remote Spawner                    // qmail-rspawn
	Clean  Clean                      // qmail-clean
	Submit func() (Submission, error) // opens a new message, for notices
	Now    func() time.Time
	Fence  string // where package fence stands for this qmail-send; empty: further on than for the last one
	Many   int    // messages a second from which on they are delivered straight from todo; 0: 16, below: always
	// Straight is how long a delivery straight from todo may take until the message has
	// its files; 0: a second.
	Straight time.Duration
}

// Submission is a message on its way into the queue; [goqmail/internal/qq.Message] is
// one.
type Submission interface {
	io.Writer
	From(sender string)
	To(recipient string)
	Fail()        // makes sure that the message is not queued
	Close() error // nil means that it is
	PID() int     // of the program that queues it, 0 if there is none
}

// Server is a running qmail-send.
type Server struct {
	home    string
	q       *queue.Queue
	lock    io.Closer
	log     *logger
	now     func() time.Time
	submit  func() (Submission, error)
	config  atomic.Pointer[Config]
	eras    eras
	early   early
	cleaner *cleaner
	intake  *intake

	events       chan func()   // what Run has to do, see post
	stopping     chan struct{} // closed when no more work is to begin
	finished     chan struct{} // closed when Run returns
	straightTime time.Duration // see Options.Straight

	workers *workers.Pool // do the steps of messages
	disk    chan struct{} // bounds how many steps of messages are done at a time
	bounces chan struct{} // bounds how many bounces are queued at a time
	stop    sync.Once

	// The rest belongs to the goroutine of Run.

	spawners   [channels]Spawner
	lanes      [channels]*lane
	active     map[queue.Number]*message
	running    int        // messages of which a step is under way
	stepping   []*message // those of them whose next step begins at the end of the turn
	intakeDone bool
	deliveries uint64
	exiting    bool

	ending  entries // messages to end that could not be ended
	unknown entries // messages that could not be looked at
	telling entries // messages whose senders are to be told of failures so far

	looked time.Time // what the clock said when Run looked last

	scanning bool // what was in the queue at the start is still being read
	alarmed  bool // RunNow was called meanwhile
}

// How much is done at a time.
const (
	idleWorkers   = 16
	stepsAtOnce   = 128
	bouncesAtOnce = 8
	eventsAtOnce  = 512
)

// fencePatience is after how long the log tells that programs of an earlier qmail-send
// have to be waited for.
const fencePatience = 5 * time.Second

// Start reads the control files, takes the queue's lock and hears from both
// spawners. Its errors are the words of qmail-send's alert that it cannot start.
func Start(o Options) (*Server, error) {
	config, err := LoadConfig(filepath.Join(o.Home, "control"))
	if err != nil {
		return nil, fmt.Errorf("unable to read controls")
	}
	folder := filepath.Join(o.Home, "queue")
	fsys := o.FS
	if fsys == nil {
		fsys = durable.NewDir(folder)
	}
	q, err := queue.Open(fsys)
	if err != nil {
		return nil, errors.New("unable to switch to queue directory")
	}
	lock, err := queue.Lock(folder)
	if err == queue.ErrLocked {
		return nil, errors.New("qmail-send is already running")
	}
	if err != nil {
		return nil, errors.New("unable to open mutex")
	}
	s := &Server{
		home:     o.Home,
		q:        q,
		lock:     lock,
		log:      &logger{w: o.Log},
		now:      o.Now,
		submit:   o.Submit,
		events:   make(chan func(), eventsAtOnce),
		stopping: make(chan struct{}),
		finished: make(chan struct{}),
		workers:  workers.New(idleWorkers),
		disk:     make(chan struct{}, stepsAtOnce),
		bounces:  make(chan struct{}, bouncesAtOnce),
		spawners: [channels]Spawner{local: o.Local, remote: o.Remote},
		active:   map[queue.Number]*message{},
		scanning: true,

		straightTime: cmp.Or(o.Straight, time.Second),
	}
	s.config.Store(config)
	s.eras.begin(s.now(), &config.Routes)
	if err := s.moveFence(folder, o.Fence); err != nil {
		lock.Close()
		return nil, err
	}
	if err := s.meetSpawners(); err != nil {
		lock.Close()
		return nil, err
	}
	s.cleaner = newCleaner(o.Clean, s.finished)
	s.intake = newIntake(s, cmp.Or(o.Many, hasteFrom))
	return s, nil
}

// moveFence keeps out those who worked for an earlier qmail-send. A queue that has no
// fence has to do without, as other qmails do.
func (s *Server) moveFence(queue, to string) error {
	err := fence.Move(queue, to, fencePatience, func() {
		s.log.alert("qmail-clean or a spawner of an earlier qmail-send is still at work; waiting for it...")
	})
	if errors.Is(err, fence.ErrTaken) {
		return err
	}
	if err != nil {
		s.log.warning("unable to keep out programs of an earlier qmail-send: ", err.Error())
	}
	return nil
}

func (s *Server) meetSpawners() error {
	for ch := range channels {
		places, wide, err := s.spawners[ch].readPlaces()
		if err != nil {
			return errors.New("hath the daemon spawn no fire?")
		}
		s.lanes[ch] = newLane(channel(ch), places, wide)
	}
	s.setLimits()
	return nil
}

// setLimits makes the number of places what the control files say, or the
// spawners if that is less.
func (s *Server) setLimits() {
	for ch, l := range s.lanes {
		l.limit = min(s.config.Load().Concurrency[ch], l.announced)
		l.destinations.limit = s.config.Load().PerDestination
		for st := range standings {
			for _, j := range l.destinations.releaseWaiting(st) {
				l.ready.push(j) // there may be more places now
			}
		}
	}
}

// Run delivers until [Server.Stop] is called, or until a program at the other end
// of a pipe is gone, and returns when everything that was under way is done.
func (s *Server) Run() {
	defer s.lock.Close()
	defer close(s.finished)
	s.log.print(s.status())
	for ch, l := range s.lanes {
		go l.run(s.spawners[ch],
			func(all []outcome) { s.post(func() { s.reports(l, all) }) },
			func() { s.post(func() { s.spawnerDied(l) }) })
	}
	go func() {
		s.scan()
		s.cleanup() // it can wait
	}()
	listened := make(chan struct{})
	go func() {
		s.listenForCommands()
		close(listened)
	}()
	go s.intake.watchTodo()
	go s.intake.listen(filepath.Join(s.home, "queue"))
	go func() {
		s.intake.run()
		s.post(func() { s.intakeDone = true })
	}()
	s.loop()
	s.workers.End()
	<-listened // as the next one will have a socket of that name
	s.saveTimes()
	s.log.print("status: exiting")
}

func (s *Server) loop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	s.log.hold()
	defer s.log.release()
	for !s.mayExit() {
		s.begin()
		s.endTurn()
		timer.Reset(s.untilNext())
		select {
		case event := <-s.events:
			s.log.hold()
			event()
			s.drain()
		case <-timer.C:
			s.log.hold()
		}
	}
}

// endTurn lets out what a turn of Run has decided, all at once: log lines first, lest
// something be done that the log does not know of.
func (s *Server) endTurn() {
	s.log.release()
	s.beginSteps()
	for _, l := range s.lanes {
		l.ask()
	}
}

// reports takes note of what became of deliveries.
func (s *Server) reports(l *lane, all []outcome) {
	for _, o := range all {
		s.report(l, o.place, o.text)
	}
}

// drain handles what else has happened, before anything new begins.
func (s *Server) drain() {
	for range eventsAtOnce {
		select {
		case event := <-s.events:
			event()
		default:
			return
		}
	}
}

// post has Run do something. It is how the other goroutines change anything.
func (s *Server) post(event func()) {
	select {
	case s.events <- event:
	case <-s.finished:
	}
}

// begin begins all that is due.
func (s *Server) begin() {
	if s.exiting {
		return
	}
	now := s.now()
	s.mindClock(now)
	for e, ok := s.unknown.popDue(now); ok; e, ok = s.unknown.popDue(now) {
		s.lookAgain(e.n)
	}
	for e, ok := s.ending.popDue(now); ok; e, ok = s.ending.popDue(now) {
		s.endMessage(e.n)
	}
	for e, ok := s.telling.popDue(now); ok; e, ok = s.telling.popDue(now) {
		s.early.wait(e.n, false)
		s.tellEarly(e.n)
	}
	for _, l := range s.lanes {
		l.makeReady(l.destinations.doubt(now.Unix()))
		s.fill(l)
	}
}

// longestSleep bounds the time until Run looks at the clock again, which may be
// set meanwhile.
const longestSleep = time.Minute

// untilNext is how long nothing will be due.
func (s *Server) untilNext() time.Duration {
	if s.exiting {
		return longestSleep
	}
	due := s.now().Add(longestSleep).Unix()
	heaps := []entries{s.ending, s.unknown, s.telling}
	for _, l := range s.lanes {
		if l.open() {
			heaps = append(heaps, l.waiting)
		}
		if l.destinations.parked > 0 {
			due = min(due, s.now().Unix()+1) // see doubt
		}
	}
	for _, h := range heaps {
		if e, ok := h.first(); ok {
			due = min(due, e.due)
		}
	}
	return max(time.Unix(due, 0).Sub(s.now()), 0)
}

// mayExit reports whether nothing is under way that can come to an end.
func (s *Server) mayExit() bool {
	if !s.exiting || s.running > 0 || !s.intakeDone {
		return false
	}
	for _, l := range s.lanes {
		if l.used > 0 && !l.dead {
			return false
		}
	}
	return true
}

// saveTimes writes down when the messages that wait are due, for the next run.
func (s *Server) saveTimes() {
	for ch, l := range s.lanes {
		for _, e := range l.waiting {
			if e.unsaved {
				s.saveTime(channel(ch).kind(), e.n, time.Unix(e.due, 0))
			}
		}
	}
}

// status is the line that tells how many deliveries are under way.
func (s *Server) status() string {
	line := "status:"
	for _, l := range s.lanes {
		line += " " + l.ch.String() + " " + strconv.Itoa(l.used) + "/" + strconv.Itoa(l.limit)
	}
	if s.exiting {
		line += " exitasap"
	}
	return line
}

// Stop has Run finish what is under way and return (SIGTERM).
func (s *Server) Stop() { s.post(s.exit) }

func (s *Server) exit() {
	s.exiting = true
	s.stop.Do(func() { close(s.stopping) })
}

func (s *Server) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

// RunNow makes every message due (SIGALRM), those too that only have to be ended.
func (s *Server) RunNow() {
	s.post(func() {
		s.alarmed = s.scanning
		s.ending.allDue(s.now())
		s.unknown.allDue(s.now())
		for _, l := range s.lanes {
			l.waiting.allDue(s.now())
		}
	})
}

// Reload reads the control files anew (SIGHUP). If one of them is bad, what was
// read before stays, all of it.
func (s *Server) Reload() {
	s.post(func() {
		config, err := LoadConfig(filepath.Join(s.home, "control"))
		var bad *ConfigError
		if errors.As(err, &bad) {
			s.log.alert("unable to reread control/", bad.File)
			return
		}
		s.config.Store(config)
		s.eras.begin(s.now(), &config.Routes)
		s.setLimits()
		s.log.print(s.status())
	})
}

func (s *Server) spawnerDied(l *lane) {
	if s.exiting && l.used == 0 {
		return // it goes when we do
	}
	l.dead = true
	s.log.alert("oh no! lost spawn connection! dying...")
	s.exit()
}

func (s *Server) cleanDied() {
	if !s.isStopping() {
		s.log.alert("oh no! lost qmail-clean connection! dying...")
	}
	s.exit()
}
