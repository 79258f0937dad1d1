package sendmail

import (
	"bufio"
	"bytes"
	"io"
)

const (
	bufferSize = 32 << 10
	maxCRs     = 1 << 10 // that are held back
)

// input makes a message of what callers write. See the package documentation.
type input struct {
	in    *bufio.Reader
	dots  bool // a line of one dot ends the message
	inner bool // what comes next is not the beginning of a line
	crs   int  // CRs that may be part of the end of a line
	err   error
	ready []byte
	buf   []byte
}

// NewInput returns the message that is read from r. If ignoreDots is false, a line
// of one dot ends it, and nothing behind it is sought.
func NewInput(r io.Reader, ignoreDots bool) io.Reader {
	return &input{in: bufio.NewReaderSize(r, bufferSize), dots: !ignoreDots}
}

func (r *input) Read(p []byte) (int, error) {
	for len(r.ready) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// fill reads the lines that are there, at least one.
func (r *input) fill() {
	r.buf = r.buf[:0]
	for {
		line, err := r.in.ReadSlice('\n')
		r.add(line)
		if err != nil && err != bufio.ErrBufferFull && r.err == nil {
			r.err = err
		}
		if r.err != nil || len(r.buf) > bufferSize || r.in.Buffered() == 0 {
			break
		}
	}
	r.ready = r.buf
}

// add takes a line, or a piece of one.
func (r *input) add(line []byte) {
	text, whole := bytes.CutSuffix(line, []byte("\n"))
	bare := bytes.TrimRight(text, "\r")
	if r.dots && !r.inner && r.crs == 0 && len(bare) > 0 && bare[0] == '.' {
		if len(bare) == 1 && (whole || len(text) < bufferSize) {
			r.err = io.EOF
			return
		}
		if len(bare) > 1 && bare[1] == '.' {
			bare = bare[1:]
		}
	}
	if len(bare) > 0 {
		r.flush()
		r.buf = append(r.buf, bare...)
	}
	switch r.crs += len(text) - len(bytes.TrimRight(text, "\r")); {
	case whole:
		r.buf = append(r.buf, '\n')
		r.crs = 0
	case r.crs > maxCRs:
		r.flush()
	}
	r.inner = !whole
}

// flush writes the CRs that turned out to be more than the end of a line.
func (r *input) flush() {
	for ; r.crs > 0; r.crs-- {
		r.buf = append(r.buf, '\r')
	}
}
