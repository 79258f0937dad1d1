package inject

import (
	"bufio"
	"bytes"
	"io"
)

// MaxHeader is how many bytes the header of a message may have, before and after
// its addresses are completed.
const MaxHeader = 32 << 20

const bufferSize = 32 << 10

// reader takes a message apart: first next gives its fields, then Read its body.
type reader struct {
	in    *bufio.Reader
	limit int    // of the header
	size  int    // of what was read of it
	field []byte // the field at hand
	rest  []byte // the first bytes of the body
	err   error  // what there is in place of more to read
}

func newReader(in io.Reader, limit int) *reader {
	return &reader{in: bufio.NewReaderSize(in, bufferSize), limit: limit}
}

// next returns the next field, with the newline at its end, which it gets if the
// message ends without. It is valid until the next call. After the last field it
// returns nil.
func (r *reader) next() ([]byte, error) {
	var line []byte
	err := r.err
	if err == nil {
		line, err = r.in.ReadSlice('\n')
	}
	if err == io.EOF {
		r.err = err
	}
	switch {
	case len(line) == 0 && err == io.EOF:
		return nil, nil
	case err != nil && err != io.EOF && err != bufio.ErrBufferFull:
		return nil, err
	case line[0] == '\n':
		r.rest = []byte("\n")
		return nil, nil
	}
	r.field = r.field[:0]
	switch {
	case bytes.HasPrefix(line, []byte("From ")):
		r.field = append(r.field, "MBOX-Line: "...)
	case !isField(line):
		r.rest = append([]byte("\n"), line...)
		return nil, nil
	}
	return r.collect(line, err)
}

// collect returns the field that begins with line, and all lines that continue
// it. Err is what ReadSlice said of the line.
func (r *reader) collect(line []byte, err error) ([]byte, error) {
	for {
		if r.size += len(line); r.size > r.limit {
			return nil, errHeaderTooLong
		}
		r.field = append(r.field, line...)
		switch {
		case err == nil && !r.continued():
			return r.field, nil
		case err == io.EOF:
			r.err = err
			return append(r.field, '\n'), nil
		case err != nil && err != bufio.ErrBufferFull:
			return nil, err
		}
		line, err = r.in.ReadSlice('\n')
	}
}

// continued reports whether the line to come continues a field. A read error is
// for the next call of next.
func (r *reader) continued() bool {
	var c []byte
	c, r.err = r.in.Peek(1)
	return r.err == nil && (c[0] == ' ' || c[0] == '\t')
}

// isField reports whether a line begins with a field name and a colon. A name
// longer than the buffer is none.
func isField(line []byte) bool {
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		return false
	}
	name := fieldName(line[:i])
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return len(name) > 0
}

// fieldName returns what stands before the colon without the blanks at its end.
func fieldName(b []byte) []byte { return bytes.TrimRight(b, " \t") }

// Read reads the body, which begins with a blank line.
func (r *reader) Read(p []byte) (int, error) {
	if len(r.rest) > 0 {
		n := copy(p, r.rest)
		r.rest = r.rest[n:]
		return n, nil
	}
	if r.err != nil {
		return 0, r.err
	}
	return r.in.Read(p)
}

// copyBody copies the body. If it does not end with a newline, it gets one.
func copyBody(w io.Writer, body io.Reader) error {
	buf := make([]byte, bufferSize)
	last := byte('\n')
	for {
		n, err := body.Read(buf)
		if n > 0 {
			last = buf[n-1]
			if _, err := w.Write(buf[:n]); err != nil {
				return writeError(err)
			}
		}
		switch {
		case err == nil:
		case err != io.EOF:
			return readError(err)
		case last != '\n':
			_, err := w.Write([]byte("\n"))
			return writeError(err)
		default:
			return nil
		}
	}
}
