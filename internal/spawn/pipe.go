package spawn

import (
	"bufio"
	"io"
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

// commandReader reads commands.
type commandReader struct {
	in *bufio.Reader
}

func newCommandReader(in io.Reader) *commandReader {
	return &commandReader{bufio.NewReaderSize(in, MaxField)}
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
	return c, nil
}

func (r *commandReader) number() (int, error) {
	b, err := r.in.ReadByte()
	return int(b), err
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
	out    io.Writer
	err    error
	failed chan struct{} // closed at the first error
}

func (w *answerWriter) answer(number int, r report.Report) {
	w.write(appendAnswer(nil, number, r))
}

func appendAnswer(b []byte, number int, r report.Report) []byte {
	return append(r.Append(append(b, byte(number))), 0)
}

func (w *answerWriter) write(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	if _, w.err = w.out.Write(b); w.err != nil {
		close(w.failed)
	}
}
