package remote

import (
	"bufio"
	"bytes"
	"errors"
	"strings"
)

// reply is what an SMTP server says to a command, RFC 5321 section 4.2.
type reply struct {
	code int    // of the first line; see badCode
	text []byte // all lines, without CRs, cut at mostText bytes
}

const (
	// mostText is how much of a reply is kept and told.
	mostText = 5000
	// mostReply is the length in bytes beyond which a reply is none.
	mostReply = 32 << 20
	// badCode stands for a code that is not three digits: a refusal for good.
	badCode = 999
)

var errLongReply = errors.New("endless reply")

// readReply reads a reply. Whatever its length, it takes no more memory than the
// buffer of in and mostText bytes. Lines may end in LF alone.
func readReply(in *bufio.Reader) (reply, error) {
	r := reply{text: make([]byte, 0, 128)}
	total := 0
	for first := true; ; first = false {
		head, n, err := r.readLine(in)
		if err != nil {
			return reply{}, err
		}
		code, more := parseHead(head[:min(n, len(head))])
		if first {
			r.code = code
		}
		if !more {
			return r, nil
		}
		if total += n; total > mostReply {
			return reply{}, errLongReply
		}
	}
}

// readLine reads a line into the text. It returns the line's first bytes, and
// its length.
func (r *reply) readLine(in *bufio.Reader) (head [4]byte, n int, err error) {
	for {
		piece, err := in.ReadSlice('\n')
		if n < len(head) {
			copy(head[n:], piece)
		}
		n += len(piece)
		r.keep(piece)
		switch {
		case err == nil:
			return head, n, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return head, n, err
		case n > mostReply:
			return head, n, errLongReply
		}
	}
}

// keep adds to the text what there is room for.
func (r *reply) keep(piece []byte) {
	for len(piece) > 0 && len(r.text) < mostText {
		part, rest, _ := bytes.Cut(piece, []byte{'\r'})
		part = part[:min(len(part), mostText-len(r.text))]
		r.text = append(r.text, part...)
		piece = rest
	}
}

// parseHead reads the first four bytes of a line: the code, and whether another
// line follows. A line without a code is the last one, whatever comes after
// (the original waits for more after a greeting such as SSH-2.0).
func parseHead(head []byte) (code int, more bool) {
	if len(head) < 3 {
		return badCode, false
	}
	for i := range 3 {
		d := head[i] - '0'
		if d > 9 {
			return badCode, false
		}
		code = code*10 + int(d)
	}
	return code, len(head) == 4 && head[3] == '-'
}

// said is the reply as reports tell it.
func (r reply) said() string {
	if len(r.text) == 0 {
		return ""
	}
	return "Remote host said: " + string(bytes.ReplaceAll(r.text, []byte{0}, []byte{'?'}))
}

// tooMany reports whether a reply to RCPT may mean that there are too many of them: 452,
// RFC 5321 section 4.5.3.1.10, which some say as 552, or X.5.3 of RFC 3463.
func (r reply) tooMany() bool {
	if r.code == 452 || r.code == 552 {
		return true
	}
	return len(r.text) > 9 && (r.text[4] == '4' || r.text[4] == '5') && string(r.text[5:9]) == ".5.3"
}

// extensions are what a server offers in its reply to EHLO, RFC 5321 section
// 4.1.1.1: keywords in upper case, and their parameters.
type extensions map[string]string

// parseExtensions reads the lines after the first. A line that was cut is none.
func parseExtensions(text []byte) extensions {
	offered := extensions{}
	_, rest, _ := strings.Cut(string(text), "\n")
	for {
		line, after, whole := strings.Cut(rest, "\n")
		if !whole {
			return offered
		}
		rest = after
		if len(line) > 4 {
			keyword, parameters, _ := strings.Cut(line[4:], " ")
			offered[strings.ToUpper(keyword)] = parameters
		}
	}
}

func (e extensions) has(keyword string) bool {
	_, ok := e[keyword]
	return ok
}
