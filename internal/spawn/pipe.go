package spawn

import (
	"bufio"
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
	return &commandReader{in: bufio.NewReaderSize(in, MaxField), mayWide: mayWide}
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
	if err == nil {
		*field = string(b[:len(b)-1])
		return nil
	}
	if err != bufio.ErrBufferFull {
		return err
	}
	*field, *tooLong = string(b), true
	for err == bufio.ErrBufferFull {
		_, err = r.in.ReadSlice(0)
	}
	return err
}

// answerWriter writes answers, each at once. After the first error it writes
// nothing more.
type answerWriter struct {
	mu     sync.Mutex
	wide   bool
	out    io.Writer
	err    error
	failed chan struct{} // closed at the first error
}

func (w *answerWriter) answer(number int, r report.Report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.write(appendAnswer(nil, number, w.wide, r))
}

// agree answers a hello; the answers after it are wide.
func (w *answerWriter) agree(slots int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.write(appendAnswer(nil, WideSlots, false, report.K(WideName+" "+strconv.Itoa(slots)+"\n")))
	w.wide = true
}

func appendAnswer(b []byte, number int, wide bool, r report.Report) []byte {
	if wide {
		b = append(b, byte(number>>8))
	}
	return append(r.Append(append(b, byte(number))), 0)
}

// write is called with mu locked.
func (w *answerWriter) write(b []byte) {
	if w.err != nil {
		return
	}
	if _, w.err = w.out.Write(b); w.err != nil {
		close(w.failed)
	}
}
