// Package sendctl is how qmail-queuectl and a running qmail-send talk.
//
// # File format
//
// They talk in lines over the socket lock/send/command below the queue. qmail-send
// begins with its version:
//
//	qmail-send 1
//
// Then the other side sends requests, a verb and message numbers each:
//
//	hold 1311041 1311057@1795240847000000000
//
// A number may have an at sign behind it, and when its message file was last changed, in
// nanoseconds since 1970: numbers are used again, and the request is about no other
// message. It gets for each number a line, in any order, then a line with a dot:
//
//	1311057 gone
//	1311041 ok
//	.
//
// The verbs are hold, release, retry, bounce, delete and reroute, with numbers, and
// active, without. The words for a number are one of
//
//	ok      it is done
//	later   a delivery is under way; it will be done when that has ended
//	new     the message is being preprocessed
//	gone    there is no such message
//
// or begin with an exclamation mark, after which the reason follows why it was not
// done. The answer to active has a line for each delivery that is under way: the
// message's number, local or remote, and the place of the recipient in that file.
//
//	1311041 remote 17
//
// One line with an exclamation mark in place of a number answers a request that
// cannot be understood, or that comes too early:
//
//	! busy
//
// A line has up to 65,536 bytes, and a request up to 1,000 numbers. Whoever sends a
// longer one, or anything else than printable ASCII, is hung up on.
package sendctl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Greeting is what qmail-send begins with. The number is the version of the protocol.
const Greeting = "qmail-send 1"

// Verbs of requests.
const (
	Hold    = "hold"
	Release = "release"
	Retry   = "retry"
	Bounce  = "bounce"
	Delete  = "delete"
	Reroute = "reroute"
	Active  = "active"
)

// Words of answers.
const (
	OK    = "ok"
	Later = "later"
	New   = "new"
	Gone  = "gone"
)

// Busy answers a request that comes while qmail-send still reads the queue.
const Busy = "busy"

// Refused makes the words of an answer that something was not done.
func Refused(reason string) string { return "!" + clean(reason) }

// Reason is why something was not done; ok is false if the words do not say that.
func Reason(words string) (reason string, ok bool) { return strings.CutPrefix(words, "!") }

// Limits.
const (
	MaxLine    = 64 << 10
	MaxNumbers = 1000
)

// ErrSyntax is a line that is none.
var ErrSyntax = errors.New("not in the form of a request or an answer")

// Request is what qmail-send is asked for.
type Request struct {
	Verb    string
	Numbers []uint64
	Changed []int64 // for each number, in nanoseconds since 1970; 0 if it is not known
}

// ChangedAt returns when the message with the number at i was changed, or 0.
func (r Request) ChangedAt(i int) int64 {
	if i < len(r.Changed) {
		return r.Changed[i]
	}
	return 0
}

func (r Request) String() string {
	var b strings.Builder
	b.WriteString(r.Verb)
	for i, n := range r.Numbers {
		b.WriteString(" " + strconv.FormatUint(n, 10))
		if changed := r.ChangedAt(i); changed > 0 {
			b.WriteString("@" + strconv.FormatInt(changed, 10))
		}
	}
	return b.String()
}

// ParseRequest reads a line without its newline.
func ParseRequest(line string) (Request, error) {
	verb, rest, more := strings.Cut(line, " ")
	r := Request{Verb: verb}
	if verb == "" {
		return r, ErrSyntax
	}
	for more {
		var word string
		word, rest, more = strings.Cut(rest, " ")
		n, changed, err := numberAt(word)
		if err != nil || len(r.Numbers) >= MaxNumbers {
			return r, ErrSyntax
		}
		r.Numbers, r.Changed = append(r.Numbers, n), append(r.Changed, changed)
	}
	return r, nil
}

// numberAt reads a number, and when its message was changed.
func numberAt(word string) (n uint64, changed int64, err error) {
	word, at, ok := strings.Cut(word, "@")
	if ok {
		if changed, err = strconv.ParseInt(at, 10, 64); err != nil || changed <= 0 || strconv.FormatInt(changed, 10) != at {
			return 0, 0, ErrSyntax
		}
	}
	n, err = number(word)
	return n, changed, err
}

// number reads one that is printed in one way only.
func number(word string) (uint64, error) {
	n, err := strconv.ParseUint(word, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != word {
		return 0, ErrSyntax
	}
	return n, nil
}

// Answer is what is said of one message.
type Answer struct {
	Number uint64
	Words  string
}

func (a Answer) String() string { return strconv.FormatUint(a.Number, 10) + " " + clean(a.Words) }

// ParseAnswer reads a line without its newline.
func ParseAnswer(line string) (Answer, error) {
	word, words, ok := strings.Cut(line, " ")
	n, err := number(word)
	if !ok || err != nil || words == "" {
		return Answer{}, ErrSyntax
	}
	return Answer{n, words}, nil
}

// clean makes text fit for a line.
func clean(text string) string {
	b := []byte(text[:min(len(text), MaxLine/2)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '_'
		}
	}
	return string(b)
}

// Conn is one end of a connection.
type Conn struct {
	rw io.ReadWriteCloser
	in *bufio.Reader
}

// NewConn returns an end of a connection.
func NewConn(rw io.ReadWriteCloser) *Conn {
	return &Conn{rw, bufio.NewReaderSize(rw, MaxLine+1)}
}

// ReadLine reads a line, without its newline.
func (c *Conn) ReadLine() (string, error) {
	b, err := c.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		err = ErrSyntax
	}
	if err != nil {
		return "", err
	}
	line := string(b[:len(b)-1])
	if strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c > '~' }) {
		return "", ErrSyntax
	}
	return line, nil
}

// WriteLines writes lines, each without its newline.
func (c *Conn) WriteLines(lines ...string) error {
	_, err := io.WriteString(c.rw, strings.Join(lines, "\n")+"\n")
	return err
}

// Close ends the connection.
func (c *Conn) Close() error { return c.rw.Close() }

// RefusedError is the answer to a request that was not understood or comes too early.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "qmail-send says: " + e.Reason }

// Greet reads the greeting of qmail-send.
func (c *Conn) Greet() error {
	line, err := c.ReadLine()
	if err != nil {
		return fmt.Errorf("read greeting: %w", err)
	}
	if line != Greeting {
		return fmt.Errorf("greeting %q: another version", line)
	}
	return nil
}

// Ask sends a request and calls yield with each answer.
func (c *Conn) Ask(r Request, yield func(Answer)) error {
	if err := c.WriteLines(r.String()); err != nil {
		return err
	}
	for {
		line, err := c.ReadLine()
		if err != nil {
			return err
		}
		if line == "." {
			return nil
		}
		if reason, ok := strings.CutPrefix(line, "! "); ok {
			return &RefusedError{reason}
		}
		a, err := ParseAnswer(line)
		if err != nil {
			return err
		}
		yield(a)
	}
}
