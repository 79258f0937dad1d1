package remote

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
)

// connError is an error of the connection, as opposed to the message.
type connError struct{ error }

// readSize is how much of a message is read at a time.
const readSize = 32 << 10

// bodyOf sends the message and the dot that ends it.
func (s *session) bodyOf(m *Mail) error {
	if m.shared == nil {
		return s.body(m.Message)
	}
	wire, err := m.shared.onWire()
	if err != nil {
		return err
	}
	if wire == nil {
		return s.body(m.shared.reader())
	}
	if err := s.out.Flush(); err != nil {
		return &connError{err}
	}
	for piece := range slices.Chunk(wire, readSize) {
		s.critical = len(wire) <= readSize
		wire = wire[len(piece):]
		if _, err := (timedWriter{s.conn, s.timeout}).Write(piece); err != nil {
			return &connError{err}
		}
	}
	return nil
}

// body is bodyOf for a message that is read once.
func (s *session) body(message io.Reader) error {
	out := bufio.NewWriterSize(s.out, readSize)
	if err := copyBody(out, message); err != nil {
		return err
	}
	s.critical = true
	out.WriteString(dot)
	err := out.Flush()
	if err == nil {
		err = s.out.Flush()
	}
	if err != nil {
		return &connError{err}
	}
	return nil
}

// dot ends a message.
const dot = ".\r\n"

// copyBody writes a message as SMTP has it, without its dot.
func copyBody(out *bufio.Writer, message io.Reader) error {
	w := &dataWriter{out: out, lineStart: true}
	buf := make([]byte, readSize)
	for {
		n, err := message.Read(buf)
		if _, werr := w.Write(buf[:n]); werr != nil {
			return &connError{werr}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errMessage
		}
	}
	if !w.lineStart {
		return errPartialLine
	}
	return nil
}

// dataWriter writes a message as SMTP has it, RFC 5321 section 4.5.2. LF, CRLF
// and a CR without LF all end a line, and CRLF is what it is given; so neither a
// bare CR nor a bare LF is ever sent, and whatever the receiving host takes for
// the end of a line, a dot at the start of the next one is doubled.
//
// All other bytes pass as they are. A zero byte and a line of any length are no
// end of anything to a host that keeps the standard, and changing them would
// break signatures.
type dataWriter struct {
	out       *bufio.Writer
	lineStart bool // nothing of the line was written yet
	afterCR   bool // the line was ended by CR; a LF may belong to it
}

// Write takes the next piece of the message, cut anywhere.
func (w *dataWriter) Write(p []byte) (int, error) {
	size := len(p)
	if w.afterCR && size > 0 {
		w.afterCR = false
		if p[0] == '\n' {
			p = p[1:]
		}
	}
	// Where the next LF and CR are is remembered, so that a message full of
	// one of them is not searched for the other again and again.
	lf, cr := find(p, 0, '\n'), find(p, 0, '\r')
	for at := 0; at < len(p); {
		end := min(lf, cr)
		w.text(p[at:end])
		if end == len(p) {
			break
		}
		w.out.WriteString("\r\n")
		w.lineStart = true
		at = end + 1
		if end == cr && at == len(p) {
			w.afterCR = true
		} else if end == cr && p[at] == '\n' {
			at++
		}
		if lf < at {
			lf = find(p, at, '\n')
		}
		if cr < at {
			cr = find(p, at, '\r')
		}
	}
	_, err := w.out.Write(nil) // bufio keeps the first error
	return size, err
}

// text writes part of a line.
func (w *dataWriter) text(p []byte) {
	if len(p) == 0 {
		return
	}
	if w.lineStart && p[0] == '.' {
		w.out.WriteByte('.')
	}
	w.lineStart = false
	w.out.Write(p)
}

// find returns where c is in p, from at on; len(p) if nowhere.
func find(p []byte, at int, c byte) int {
	if i := bytes.IndexByte(p[at:], c); i >= 0 {
		return at + i
	}
	return len(p)
}
