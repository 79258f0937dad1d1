package local

import (
	"bytes"
	"io"
)

// fromMark begins the line that separates messages in an mbox.
const fromMark = "From "

// fromQuoter writes the lines of a message so that none can be taken for a From_
// line: those that begin with it, or with any number of > and then it, get one
// more >, mbox(5). That can be undone. Lines may be of any length.
type fromQuoter struct {
	w    io.Writer
	at   quoterState
	held int  // bytes of fromMark read and not yet written
	open bool // the last line has no newline yet
}

type quoterState int

const (
	lineStart quoterState = iota // nothing of the line was read, or only >
	lineFrom                     // then came the first held bytes of fromMark
	lineRest                     // the line does not matter any more
)

func (q *fromQuoter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n, err := q.step(rest)
		if err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	if len(p) > 0 {
		q.open = p[len(p)-1] != '\n'
	}
	return len(p), nil
}

// finish ends the message with a blank line, and its last line before that.
func (q *fromQuoter) finish() error {
	if err := q.release(); err != nil {
		return err
	}
	end := "\n"
	if q.open {
		end = "\n\n"
	}
	_, err := io.WriteString(q.w, end)
	return err
}

// step takes some bytes, one at least.
func (q *fromQuoter) step(p []byte) (n int, err error) {
	switch {
	case q.at == lineRest:
		n = bytes.IndexByte(p, '\n') + 1
		if n > 0 {
			q.at = lineStart
		} else {
			n = len(p)
		}
		_, err = q.w.Write(p[:n])
		return n, err
	case q.at == lineStart && p[0] == '>':
		for n < len(p) && p[n] == '>' {
			n++
		}
		// A > more or less among others makes no difference: it can be added
		// behind them.
		_, err = q.w.Write(p[:n])
		return n, err
	case p[0] == fromMark[q.held]:
		q.at = lineFrom
		q.held++
		if q.held < len(fromMark) {
			return 1, nil
		}
		_, err = io.WriteString(q.w, ">")
		n = 1
	}
	if err == nil {
		err = q.release()
	}
	q.at = lineRest
	return n, err
}

// release writes what was held back.
func (q *fromQuoter) release() error {
	_, err := io.WriteString(q.w, fromMark[:q.held])
	q.held = 0
	return err
}
