package lmtp

import (
	"bufio"
	"errors"
	"strings"

	"goqmail/internal/fault"
)

// reply is what a server says, RFC 5321 section 4.2.
type reply struct {
	code int
	text string // all lines with a slash in between, visible ASCII, cut at mostText bytes
}

// mostText is how much of a reply is told, mostReply how long one may be.
const (
	mostText  = 1000
	mostReply = 64 << 10
)

var (
	errLongReply = errors.New("endless reply")
	errNoReply   = errors.New("no reply of LMTP")
)

// readReply reads a reply, and takes no more memory than the buffer of in and
// mostText bytes.
func readReply(in *bufio.Reader) (reply, error) {
	var r reply
	var text strings.Builder
	for total, first := 0, true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, bufio.ErrBufferFull) {
				err = errLongReply
			}
			return reply{}, err
		}
		if total += len(line); total > mostReply {
			return reply{}, errLongReply
		}
		code, more, ok := parseHead(line)
		if !ok || !first && code != r.code {
			return reply{}, errNoReply
		}
		r.code = code
		if !first {
			text.WriteByte('/')
		}
		keep(&text, line)
		if !more {
			r.text = text.String()
			return r, nil
		}
	}
}

// keep adds a line without its end, as far as there is room.
func keep(text *strings.Builder, line []byte) {
	for i, c := range line {
		switch {
		case text.Len() >= mostText, c == '\n', c == '\r' && i == len(line)-2:
		case c < ' ' || c > '~':
			text.WriteByte('?')
		default:
			text.WriteByte(c)
		}
	}
}

// parseHead reads a line's code, and whether another line follows.
func parseHead(line []byte) (code int, more, ok bool) {
	if len(line) < 4 {
		return 0, false, false
	}
	for _, c := range line[:3] {
		if c < '0' || c > '9' {
			return 0, false, false
		}
		code = code*10 + int(c-'0')
	}
	switch line[3] {
	case '-':
		return code, true, true
	case ' ', '\r', '\n':
		return code, false, true
	}
	return 0, false, false
}

// fault is the failure that a reply means: for good with 5xx, otherwise for now.
func (r reply) fault(what string) error {
	f := fault.Soft("LMTP "+what+": "+r.text+" (#4.3.0)", nil)
	if f.Perm = r.code >= 500 && r.code < 600; f.Perm {
		f.Text = "LMTP " + what + ": " + r.text + " (#5.3.0)"
	}
	return f
}
