package receive

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// ErrLineTooLong is the error for a command that is longer than a session keeps.
// The line has been read; the session can go on.
var ErrLineTooLong = errors.New("line too long")

// ErrFlood is the error for a line that does not seem to end.
var ErrFlood = errors.New("endless line")

// Limits of a line of a command. What is longer than maxLine is read to its end
// and thrown away, up to maxFlood.
const (
	maxLine  = 64 << 10
	maxFlood = 1 << 20
)

const wireBuffer = 16 << 10

// Wire is the text side of a connection: commands come in, replies go out, and
// what was written is sent before the other side is waited for, so that replies
// to commands that came together go together.
type Wire struct {
	conn net.Conn
	in   *bufio.Reader
	out  *bufio.Writer

	// Timeout is how long each piece of input is waited for, and room for each
	// piece of output. It is also what a command may take from its first byte to its
	// last, and what a message may be late if it comes at minRate; see Begin.
	Timeout time.Duration
	// End is when the session has to be over, whatever comes; zero for never.
	End time.Time
	// Single has input read byte by byte, so that what follows a command is left
	// to whoever reads from the descriptor next.
	Single bool

	began time.Time // with what is read now; zero for no matter
	got   int64     // of it
}

// minRate is how many bytes of input must come in a second, in the long run: one who
// sends a byte now and then keeps nobody busy.
const minRate = 500

// NewWire returns a wire with a timeout.
func NewWire(conn net.Conn, timeout time.Duration) *Wire {
	w := &Wire{Timeout: timeout}
	w.Use(conn)
	return w
}

// Use goes on over another connection, one with TLS. What the other side sent
// before and was not yet read is dropped: it came without protection
// (RFC 3207 section 6).
func (w *Wire) Use(conn net.Conn) {
	w.conn = conn
	w.in = bufio.NewReaderSize(reading{w}, wireBuffer)
	w.out = bufio.NewWriterSize(writing{w}, wireBuffer)
}

// Conn is the connection itself.
func (w *Wire) Conn() net.Conn { return w.conn }

// Buffered is how much input has come and was not yet read.
func (w *Wire) Buffered() int { return w.in.Buffered() }

// reading is the side of a wire that its buffer reads from.
type reading struct{ w *Wire }

func (r reading) Read(p []byte) (int, error) {
	if err := r.w.Flush(); err != nil {
		return 0, err
	}
	if r.w.Single {
		p = p[:1]
	}
	r.w.conn.SetReadDeadline(r.w.readDeadline())
	n, err := r.w.conn.Read(p)
	r.w.got += int64(n)
	return n, err
}

type writing struct{ w *Wire }

func (x writing) Write(p []byte) (int, error) {
	x.w.conn.SetWriteDeadline(x.w.deadline())
	return x.w.conn.Write(p)
}

// deadline is that of the next read or write. It goes by the host's clock: it is
// the host's kernel that waits.
func (w *Wire) deadline() time.Time {
	t := time.Now().Add(w.Timeout)
	if !w.End.IsZero() && w.End.Before(t) {
		return w.End
	}
	return t
}

// readDeadline is that of the next read, which must not be too slow either.
func (w *Wire) readDeadline() time.Time {
	t := w.deadline()
	if w.began.IsZero() {
		return t
	}
	slow := w.began.Add(w.Timeout + time.Duration(w.got/minRate)*time.Second)
	if slow.Before(t) {
		return slow
	}
	return t
}

// Early reports whether the other side speaks within a time in which it has to wait.
// What it says is kept.
func (w *Wire) Early(wait time.Duration) (bool, error) {
	defer func(timeout time.Duration) { w.Timeout = timeout }(w.Timeout)
	w.Timeout = wait
	_, err := w.in.Peek(1)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false, nil
	}
	return err == nil, err
}

// Begin notes that a command or message begins, which has its time.
func (w *Wire) Begin() { w.began, w.got = time.Now(), 0 }

// Flush sends what was written.
func (w *Wire) Flush() error { return w.out.Flush() }

// Write implements [io.Writer].
func (w *Wire) Write(p []byte) (int, error) { return w.out.Write(p) }

// WriteString implements [io.StringWriter]. An error is told by Flush too.
func (w *Wire) WriteString(s string) (int, error) { return w.out.WriteString(s) }

// Read implements [io.Reader].
func (w *Wire) Read(p []byte) (int, error) { return w.in.Read(p) }

// ReadByte implements [io.ByteReader].
func (w *Wire) ReadByte() (byte, error) { return w.in.ReadByte() }

// ReadSlice is that of [bufio.Reader].
func (w *Wire) ReadSlice(delim byte) ([]byte, error) { return w.in.ReadSlice(delim) }

// Line reads a line, without its LF or CRLF. Compat: a NUL ends it too, and the
// rest is dropped. A last line without LF is none.
func (w *Wire) Line() (string, error) {
	w.Begin()
	var line []byte
	for seen := 0; ; {
		piece, err := w.in.ReadSlice('\n')
		if seen += len(piece); seen <= maxLine {
			line = append(line, piece...)
		}
		switch {
		case err == nil && seen > maxLine:
			return "", ErrLineTooLong
		case err == nil:
			return bare(line), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", unexpected(err)
		case seen > maxFlood:
			return "", ErrFlood
		}
	}
}

// bare takes away the end of a line.
func bare(line []byte) string {
	line = bytes.TrimSuffix(line[:len(line)-1], []byte("\r"))
	line, _, _ = bytes.Cut(line, []byte{0})
	return string(line)
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return err
}

// Command reads a line and cuts it at its first blank: the command in lower case,
// and what comes after that blank and others.
func (w *Wire) Command() (verb, argument string, err error) {
	line, err := w.Line()
	if err != nil {
		return "", "", err
	}
	verb, argument = ParseCommand(line)
	return verb, argument, nil
}

// ParseCommand cuts a line as [Wire.Command] does.
func ParseCommand(line string) (verb, argument string) {
	verb, argument, _ = strings.Cut(line, " ")
	return lower(verb), strings.TrimLeft(argument, " ")
}
