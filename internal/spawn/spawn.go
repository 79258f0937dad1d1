// Package spawn is what qmail-lspawn and qmail-rspawn have in common: they read
// deliveries to do from qmail-send, start a program for each, many at a time, and
// answer with a report for each.
//
// # File format
//
// A spawner's descriptor 0 brings commands, its descriptor 1 takes answers. The
// first byte it writes is the number of deliveries that it does at a time. Then, with
// · for NUL:
//
//	command = number message · sender · recipient ·
//	answer  = number report ·
//
// The number is one byte, from 0 up to the first byte written less one. It is in use
// from the command until the answer. The message is the name of a file below
// queue/mess, of digits and slashes; the sender may be empty; a report is described
// in goqmail/internal/report. Answers come in any order. For example the bytes
//
//	05 7/30·ann@example.org·joe@example.net·
//
// are answered by
//
//	05 Kdid 1+0+0⏎·
//
// There is an answer to every whole command, whatever happens. A field of more than
// [MaxField] bytes, a number that is out of range or in use, and a message that
// cannot be had are answered at once. At the end of its input a spawner finishes
// what is under way; a command that is not whole then is forgotten.
//
// With qmail-send of this system a spawner may agree on numbers of two bytes, see
// [WideSlots]. The way a delivery is done is in one place, [Server.Deliver].
package spawn

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"goqmail/internal/fence"
	"goqmail/internal/report"
	"goqmail/internal/workers"
)

// Slots is how many deliveries a spawner does at a time unless told otherwise:
// qmail's conf-spawn.
const Slots = 120

// SlotsVariable is the environment variable by which qmail-start tells the spawners
// how many deliveries to take at a time, since it knows qmail-send as one that
// agrees on wide numbers.
const SlotsVariable = "QMAILSLOTS"

// SlotsFor reads the value of [SlotsVariable].
func SlotsFor(value string) int {
	if n, err := strconv.Atoi(value); err == nil && n > 0 && n <= 1<<16 {
		return n
	}
	return Slots
}

// Delivery is one message to one recipient.
type Delivery struct {
	Message   *os.File // at its beginning; closed by the [Server]
	Name      string   // of the message
	Sender    string   // empty for bounces
	Recipient string   // Local, @, Host
	Local     string
	Host      string
}

// Server reads commands and answers them.
type Server struct {
	Slots    int                   // deliveries at a time; of more than 254 by wide numbers only
	Messages string                // the folder queue/mess
	Fence    *fence.Fence          // within which messages are opened, or nil
	Trusted  func(uid uint32) bool // whether a message may belong to that user
	// Deliver does one delivery and returns its outcome. It is called by
	// many goroutines at a time.
	Deliver func(Delivery) report.Report
	// Together does deliveries of one message that were asked for together; they have
	// no Message of their own. It calls done for each, from any goroutine: with nil if
	// nothing has been done for it, so that Deliver is called. The message is closed when
	// it returns, which may be before all is done. Nil: there is no such way.
	Together func(message *os.File, all []Delivery, done func(i int, outcome *report.Report))

	mu   sync.Mutex
	busy []bool // by number; guarded by mu

	workers *workers.Pool
}

// idleWorkers is how many goroutines stay while there is nothing to deliver.
const idleWorkers = 16

// Serve answers the commands from in on out, until in ends or nobody reads out
// any more; it returns when all deliveries are done. Its error is that of in or
// out. If out fails, a goroutine goes on waiting for in.
func (s *Server) Serve(in io.Reader, out io.Writer) error {
	s.busy = make([]bool, s.Slots)
	s.workers = workers.New(idleWorkers)
	defer s.workers.End()
	answers := &answerWriter{out: out, failed: make(chan struct{})}
	answers.announce(min(s.Slots, WideSlots))
	commands := make(chan []command)
	var readErr error
	go func() {
		defer close(commands)
		r := newCommandReader(in, s.Slots > WideSlots)
		for err := error(nil); err == nil; {
			var all []command
			all, err = r.nextAll()
			select {
			case commands <- all:
			case <-answers.failed:
				return
			}
			readErr = err
		}
	}()
	var deliveries sync.WaitGroup
	for {
		select {
		case all, more := <-commands:
			if !more {
				deliveries.Wait()
				return firstError(readErr, answers.wait())
			}
			s.begin(all, answers, &deliveries)
		case <-answers.failed:
			deliveries.Wait()
			return answers.wait()
		}
	}
}

func firstError(read, write error) error {
	if read == io.EOF || read == io.ErrUnexpectedEOF {
		read = nil
	}
	if read != nil {
		return read
	}
	return write
}

// numbered is a delivery that was asked for.
type numbered struct {
	Delivery
	number int
}

// begin starts deliveries, or answers why it cannot. Those of the same message, which
// may be asked for in turn with others, are started together if there is a way.
func (s *Server) begin(all []command, answers *answerWriter, deliveries *sync.WaitGroup) {
	w := &worker{s, answers, deliveries}
	together := map[string][]numbered{}
	for _, c := range all {
		if s.Slots > WideSlots && c.isHello() {
			answers.agree(s.Slots)
			continue
		}
		d, refusal := s.accept(c)
		others := together[c.message]
		if refusal == nil && len(others) == 0 {
			d.Message, refusal = s.open(c.message)
		}
		if refusal != nil {
			answers.answer(c.number, *refusal)
			continue
		}
		s.setBusy(c.number, true)
		deliveries.Add(1)
		if s.Together == nil {
			s.workers.Go(func() { w.deliver(numbered{d, c.number}) })
			continue
		}
		together[c.message] = append(others, numbered{d, c.number})
	}
	for _, list := range together {
		s.workers.Go(func() { w.together(list) })
	}
}

// worker has deliveries done and answered.
type worker struct {
	*Server
	answers    *answerWriter
	deliveries *sync.WaitGroup
}

// together does deliveries of one message, which the first of them has open.
func (w *worker) together(all []numbered) {
	message := all[0].Message
	defer message.Close()
	list := make([]Delivery, len(all))
	for i, d := range all {
		list[i] = d.Delivery
		list[i].Message = nil
	}
	w.Together(message, list, func(i int, outcome *report.Report) {
		if outcome == nil {
			go w.alone(all[i])
			return
		}
		w.end(all[i], *outcome)
	})
}

// alone does one of the deliveries that were asked for together.
func (w *worker) alone(d numbered) {
	var refusal *report.Report
	if d.Message, refusal = w.open(d.Name); refusal != nil {
		w.end(d, *refusal)
		return
	}
	w.deliver(d)
}

// deliver does one delivery.
func (w *worker) deliver(d numbered) {
	outcome := w.Deliver(d.Delivery)
	d.Message.Close()
	w.end(d, outcome)
}

// end answers.
func (w *worker) end(d numbered, outcome report.Report) {
	// Free before the answer is seen: the number may come back at once.
	w.setBusy(d.number, false)
	w.answers.answer(d.number, outcome)
	w.deliveries.Done()
}

// accept checks a command.
func (s *Server) accept(c command) (Delivery, *report.Report) {
	switch {
	case c.tooLong:
		return refuse(report.Z("qmail-spawn out of memory. (#4.3.0)\n"))
	case c.number >= s.Slots:
		return refuse(report.Z("Internal error: delnum too big. (#4.3.5)\n"))
	case s.isBusy(c.number):
		return refuse(report.Z("Internal error: delnum in use. (#4.3.5)\n"))
	case !isMessageName(c.message):
		return refuse(report.D("Internal error: messid has nonnumerics. (#5.3.5)\n"))
	case len(c.message) >= maxMessageName:
		return refuse(report.D("Internal error: messid too long. (#5.3.5)\n"))
	case c.message == "":
		return refuse(report.D("Internal error: messid too short. (#5.3.5)\n"))
	}
	at := strings.LastIndexByte(c.recipient, '@')
	if at < 0 {
		return refuse(report.D("Sorry, address must include host name. (#5.1.3)\n"))
	}
	return Delivery{
		Name: c.message, Sender: c.sender,
		Recipient: c.recipient, Local: c.recipient[:at], Host: c.recipient[at+1:],
	}, nil
}

func refuse(r report.Report) (Delivery, *report.Report) { return Delivery{}, &r }

// maxMessageName is the length from which on a message's name is too long.
const maxMessageName = 100

// isMessageName reports whether a name has nothing but digits and, not at its
// beginning, slashes: it cannot leave the folder of messages.
func isMessageName(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < '0' || c > '9') && (c != '/' || i == 0) {
			return false
		}
	}
	return true
}

// open opens a message and checks that it is one.
func (s *Server) open(name string) (*os.File, *report.Report) {
	failed := func(text string) (*os.File, *report.Report) {
		r := report.Z(text)
		return nil, &r
	}
	var f *os.File
	err := os.ErrClosed
	s.Fence.Do(func() {
		// Not waiting for the other end, if it is a FIFO.
		f, err = os.OpenFile(filepath.Join(s.Messages, name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	})
	if err != nil {
		return failed("qmail-spawn unable to open message. (#4.3.0)\n")
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return failed("qmail-spawn unable to fstat message. (#4.3.0)\n")
	}
	if !st.Mode().IsRegular() {
		f.Close()
		return failed("Sorry, message has wrong type. (#4.3.5)\n")
	}
	// Whoever can put another's file there has the queue already. This keeps
	// the damage to the queue.
	if owner, ok := st.Sys().(*syscall.Stat_t); !ok || !s.Trusted(owner.Uid) {
		f.Close()
		return failed("Sorry, message has wrong owner. (#4.3.5)\n")
	}
	return f, nil
}

func (s *Server) isBusy(number int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy[number]
}

func (s *Server) setBusy(number int, busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy[number] = busy
}
