package sendmail

import (
	"bufio"
	"bytes"
	"io"
)

// copyBody copies a message up to the line of one dot. That line ends as the
// command DATA did: in a session with CR LF, one that ends in LF alone is part of
// a message whose lines the client did not convert.
func (s *Session) copyBody(w io.Writer) error {
	b := body{crlf: s.crlf}
	for {
		line, err := s.in.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			if err == io.EOF {
				err = ErrCutOff
			}
			return err
		}
		text, last := b.next(line)
		if last {
			return nil
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
}

// body takes the lines of a message apart.
type body struct {
	crlf  bool
	inner bool // what comes next is not the beginning of a line
	cr    bool // the piece before ended in a CR that was held back
	buf   []byte
}

// next returns what a line, or a piece of one, stands for, and whether it is the
// one that ends the message.
func (b *body) next(line []byte) (text []byte, last bool) {
	text, whole := bytes.CutSuffix(line, []byte("\n"))
	if !b.inner {
		if whole && isEnd(text, b.crlf) {
			return nil, true
		}
		text = bytes.TrimPrefix(text, []byte("."))
	}
	b.buf = b.buf[:0]
	bare := bytes.TrimSuffix(text, []byte("\r"))
	if b.cr && (len(text) > 0 || !whole) {
		b.buf = append(b.buf, '\r')
	}
	b.buf = append(b.buf, bare...)
	b.cr = !whole && len(bare) < len(text)
	if whole {
		b.buf = append(b.buf, '\n')
	}
	b.inner = !whole
	return b.buf, false
}

func isEnd(text []byte, crlf bool) bool {
	if crlf {
		return string(text) == ".\r"
	}
	return string(text) == "." || string(text) == ".\r"
}
