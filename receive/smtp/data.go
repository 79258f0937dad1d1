package smtp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxHops is how often a message may have been received and delivered.
const maxHops = 100

// incoming reads the lines after DATA.
//
// A message ends with CR LF . CR LF, the first of which may be that of DATA, and
// with nothing else: a server that took another sequence for the end would see
// two messages where the one before it saw one, and the second could be anything.
// For the same reason a message with a CR or LF of its own is not taken; it is
// read to its end, and so the two sides stay agreed on what is what.
type incoming struct {
	to     io.Writer // gets the message, with lines that end in LF
	hops   int       // Received and Delivered-To fields
	stray  bool      // there is a bare CR or LF
	body   bool      // the header is over
	head   []byte    // of a line of the header, as much as is looked at
	inLine bool      // the next piece goes on with a line
	cr     bool      // a CR was held back: the next byte decides
	broken bool      // the last line did not end with CRLF
}

// slicer reads pieces of lines, like a [bufio.Reader].
type slicer interface {
	ReadSlice(delim byte) ([]byte, error)
}

// read reads a message to its end. An error is that of r.
func (in *incoming) read(r slicer) error {
	for {
		piece, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if in.piece(piece) {
			return nil
		}
	}
}

// piece takes a line, or a piece of one that is too long for a buffer, and
// reports whether it is the end of the message.
func (in *incoming) piece(p []byte) (end bool) {
	if !in.inLine && !in.broken && p[0] == '.' {
		if string(p) == ".\r\n" {
			return true
		}
		in.head = append(in.head, '.')
		p = p[1:]
	}
	in.plain(p)
	return false
}

// plain takes a piece as it is: a dot means nothing.
func (in *incoming) plain(p []byte) {
	if !in.body && len(in.head) < maxHead {
		line, _, _ := bytes.Cut(p, newline)
		in.head = append(in.head, line[:min(len(line), maxHead-len(in.head))]...)
	}
	ends := len(p) > 0 && p[len(p)-1] == '\n'
	if ends {
		p = p[:len(p)-1]
	}
	in.text(p)
	in.inLine = !ends
	if ends {
		in.endLine()
	}
}

// last takes the end of a message that was told by its length alone: its last line
// need not have an end.
func (in *incoming) last() {
	if in.cr {
		in.stray = true
	}
	if in.inLine {
		in.to.Write(newline)
	}
}

// text takes a piece of a line without its LF. A CR at the end of it is held back.
func (in *incoming) text(p []byte) {
	if len(p) == 0 {
		return
	}
	if in.cr {
		in.stray, in.cr = true, false
	}
	if p[len(p)-1] == '\r' {
		in.cr = true
		p = p[:len(p)-1]
	}
	if bytes.IndexByte(p, '\r') >= 0 {
		in.stray = true
	}
	in.to.Write(p)
}

// endLine takes the LF at the end of a line.
func (in *incoming) endLine() {
	in.broken = !in.cr
	if in.broken {
		in.stray = true
	}
	in.cr = false
	in.to.Write(newline)
	in.header()
}

var newline = []byte{'\n'}

// maxHead is how much of a line of the header is looked at.
const maxHead = len("delivered")

// header looks at a line of the header that has ended.
// Compat: any field counts whose name begins like Received or Delivered.
func (in *incoming) header() {
	switch {
	case in.body:
	case string(in.head) == "\r":
		in.body = true
	case hasPrefixFold(in.head, "received"), hasPrefixFold(in.head, "delivered"):
		in.hops++
	}
	in.head = in.head[:0]
}

func hasPrefixFold(p []byte, prefix string) bool {
	return len(p) >= len(prefix) && bytes.EqualFold(p[:len(prefix)], []byte(prefix))
}
