package bounce

import (
	"bufio"
	"io"
	"strings"
)

// part reads the copy of the message out of a multipart/report: the part that is
// message/rfc822 or text/rfc822-headers. The newline before a boundary belongs to
// the boundary (RFC 2046 section 5.1.1), so that a line's end waits until the next
// line has begun.
type part struct {
	b       *Reader
	found   bool
	pending []byte // what can be read now
	newline []byte // the end of the last line
	midLine bool   // the last piece had no newline
	err     error
}

func (p *part) Read(buf []byte) (int, error) {
	if !p.found && p.err == nil {
		p.err = p.find()
		p.found = true
	}
	for len(p.pending) == 0 && p.err == nil {
		p.more()
	}
	if len(p.pending) == 0 {
		return 0, p.err
	}
	n := copy(buf, p.pending)
	p.pending = p.pending[n:]
	return n, nil
}

// find passes over the parts before the copy, and the header of that.
func (p *part) find() error {
	inHeader, wanted := false, false
	for {
		line, err := p.b.line(maxParagraph)
		if err != nil {
			return io.EOF // no copy: an empty one
		}
		text := strings.TrimRight(line, " \t\r\n")
		switch {
		case p.isBoundary(text):
			inHeader, wanted = true, false
		case inHeader && text == "":
			if wanted {
				return nil
			}
			inHeader = false
		case inHeader:
			wanted = wanted || isCopy(text)
		}
	}
}

func (p *part) isBoundary(text string) bool {
	return text == p.b.boundary || text == p.b.boundary+"--"
}

// isCopy reports whether a line is the Content-Type of a copy.
func isCopy(line string) bool {
	name, value, _ := strings.Cut(line, ":")
	kind, _, _ := strings.Cut(value, ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "message/rfc822", "text/rfc822-headers":
		return strings.EqualFold(strings.TrimSpace(name), "content-type")
	}
	return false
}

// more reads the next piece of a line.
func (p *part) more() {
	piece, err := p.b.in.ReadSlice('\n')
	if !p.midLine && p.isBoundary(strings.TrimRight(string(piece), " \t\r\n")) {
		p.newline, p.err = nil, io.EOF
		return
	}
	if len(piece) > 0 || err == io.EOF {
		p.pending = append(p.pending[:0], p.newline...)
		p.newline = p.newline[:0]
	}
	text := len(piece)
	if text > 0 && piece[text-1] == '\n' {
		text--
		if p.b.crlf && text > 0 && piece[text-1] == '\r' {
			text--
		}
	}
	p.pending = append(p.pending, piece[:text]...)
	p.newline = append(p.newline, piece[text:]...)
	p.midLine = err == bufio.ErrBufferFull
	if err != nil && err != bufio.ErrBufferFull {
		p.err = err
	}
}
