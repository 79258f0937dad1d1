package spawn

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
	"sync"

	"goqmail/internal/report"
)

// MaxField is the longest message name, sender or recipient that is taken. An
// address in the queue has at most 1,002 bytes.
const MaxField = 16 << 10

// command asks for one delivery.
type command struct {
	number    int
	message   string
	sender    string
	recipient string
	tooLong   bool // a field is longer than [MaxField]; the fields are cut
}

// Numbers that qmail-send of this system agrees on with a spawner that announces
// [WideSlots]: it sends a command with that number, which nobody else would, and
// the message WideName; the answer is K, the name, a blank and how many deliveries
// are taken. From then on numbers have two bytes, the higher one first, in
// commands and in answers.
const (
	WideSlots = 255
	WideName  = "wide"
)

// isHello reports whether a command asks for wide numbers.
func (c command) isHello() bool { return c.number == WideSlots && c.message == WideName }

// commandReader reads commands.
type commandReader struct {
	in      *bufio.Reader
	mayWide bool // a hello is obeyed
	wide    bool
}

func newCommandReader(in io.Reader, mayWide bool) *commandReader {
	return &commandReader{in: bufio.NewReaderSize(in, readAtOnce), mayWide: mayWide}
}

// readAtOnce is how many bytes of commands are read at a time: what a pipe holds.
const readAtOnce = 64 << 10

// mostTogether bounds how many commands are obeyed together.
const mostTogether = 1 << 10

// nextAll returns the next commands, all that are there: the first is waited for.
func (r *commandReader) nextAll() (all []command, err error) {
	for len(all) == 0 || len(all) < mostTogether && r.isThere() {
		c, err := r.next()
		if err != nil {
			return all, err
		}
		all = append(all, c)
		if c.isHello() {
			break
		}
	}
	return all, nil
}

// isThere reports whether a whole command has been read from the pipe.
func (r *commandReader) isThere() bool {
	b, _ := r.in.Peek(r.in.Buffered())
	b = b[min(len(b), r.numberSize()):]
	for range 3 {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			return false
		}
		b = b[i+1:]
	}
	return true
}

func (r *commandReader) numberSize() int {
	if r.wide {
		return 2
	}
	return 1
}

// next returns the next command, or io.EOF or another error if there is none
// that is whole.
func (r *commandReader) next() (c command, err error) {
	if c.number, err = r.number(); err != nil {
		return command{}, err
	}
	for _, field := range []*string{&c.message, &c.sender, &c.recipient} {
		if err := r.field(field, &c.tooLong); err != nil {
			return command{}, err
		}
	}
	// Here and not where commands are obeyed, since the next one is wide.
	r.wide = r.wide || (r.mayWide && c.isHello())
	return c, nil
}

func (r *commandReader) number() (int, error) {
	high := byte(0)
	if r.wide {
		var err error
		if high, err = r.in.ReadByte(); err != nil {
			return 0, err
		}
	}
	low, err := r.in.ReadByte()
	return int(high)<<8 | int(low), err
}

// field reads up to a NUL. Of what is too long it keeps the beginning.
func (r *commandReader) field(field *string, tooLong *bool) error {
	b, err := r.in.ReadSlice(0)
	if err == nil && len(b) <= MaxField {
		*field = string(b[:len(b)-1])
		return nil
	}
	if err == nil || err == bufio.ErrBufferFull {
		*field, *tooLong = string(b[:MaxField]), true
	}
	for err == bufio.ErrBufferFull {
		_, err = r.in.ReadSlice(0)
	}
	return err
}

// answerWriter writes answers. While it is writing, those that come are gathered, and
// are written together then; there is no more than one for each delivery. After the
// first error it writes nothing more.
type answerWriter struct {
	out     io.Writer
	failed  chan struct{} // closed at the first error
	writing sync.WaitGroup

	mu   sync.Mutex
	wide bool
	next []byte // to be written
	busy bool
	err  error
}

func (w *answerWriter) answer(number int, r report.Report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.add(appendAnswer(w.next, number, w.wide, r))
}

// agree answers a hello; the answers after it are wide.
func (w *answerWriter) agree(slots int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.add(appendAnswer(w.next, WideSlots, false, report.K(WideName+" "+strconv.Itoa(slots)+"\n")))
	w.wide = true
}

// announce is the first byte.
func (w *answerWriter) announce(slots int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.add([]byte{byte(slots)})
}

func appendAnswer(b []byte, number int, wide bool, r report.Report) []byte {
	if wide {
		b = append(b, byte(number>>8))
	}
	return append(r.Append(append(b, byte(number))), 0)
}

// add makes next what is to be written. It is called with mu locked.
func (w *answerWriter) add(next []byte) {
	if w.err != nil {
		return
	}
	w.next = next
	if !w.busy {
		w.busy = true
		w.writing.Go(w.write)
	}
}

// write writes what there is.
func (w *answerWriter) write() {
	var spare []byte
	for {
		w.mu.Lock()
		b := w.next
		if len(b) == 0 || w.err != nil {
			w.busy = false
			w.mu.Unlock()
			return
		}
		w.next = spare[:0]
		w.mu.Unlock()
		_, err := w.out.Write(b)
		if spare = b; cap(spare) > readAtOnce {
			spare = nil
		}
		if err != nil {
			w.mu.Lock()
			w.err = err
			w.mu.Unlock()
			close(w.failed)
		}
	}
}

// wait returns when all is written, or cannot be; nothing is added any more.
func (w *answerWriter) wait() error {
	w.writing.Wait()
	return w.err
}
