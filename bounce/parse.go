package bounce

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// ErrNotBounce says that a message is no bounce of qmail's.
var ErrNotBounce = errors.New("not a bounce in QSBMF")

// ErrTooLong says that a bounce has a paragraph that nobody should have to read.
var ErrTooLong = errors.New("paragraph of a bounce is too long")

// maxParagraph bounds what is kept of a bounce at a time, and its header.
const maxParagraph = 256 << 10

// greeting is how the introduction begins, by which QSBMF is known.
const greeting = "Hi. This is the"

// Reader reads a bounce: the recipients one after the other, then the copy of the
// message. It takes what ezmlm-return takes: paragraphs of any kind between the
// introduction and the copy, of which only recipients count, and a multipart
// message whose first part is the bounce. Lines may all end in CRLF.
type Reader struct {
	// Header is the header of the bounce, with the empty line at its end.
	Header string
	// Intro is the introduction with its empty line.
	Intro string
	// Break is the paragraph before the copy, once Next has returned io.EOF.
	Break string

	in       *bufio.Reader
	crlf     bool
	boundary string // of a multipart message, with its two dashes
	err      error
}

// NewReader reads a bounce up to its introduction. The error is [ErrNotBounce]
// if the message is something else.
func NewReader(r io.Reader) (*Reader, error) {
	b := &Reader{in: bufio.NewReader(r)}
	var err error
	if b.Header, err = b.header(); err != nil {
		return nil, notBounce(err)
	}
	for {
		p, err := b.paragraph()
		if err != nil {
			return nil, notBounce(err)
		}
		if b.boundary == "" && strings.HasPrefix(p, "--") {
			line, _, _ := strings.Cut(p, "\n")
			b.boundary = strings.TrimRight(line, " \t\r")
			continue
		}
		if !strings.HasPrefix(p, greeting) {
			return nil, ErrNotBounce
		}
		b.Intro = p
		return b, nil
	}
}

// notBounce: a message that is over before it is known to be a bounce is none.
func notBounce(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return ErrNotBounce
	}
	return err
}

// header reads up to the first empty line, which tells how lines end.
func (b *Reader) header() (string, error) {
	var header strings.Builder
	for {
		line, err := b.line(maxParagraph - header.Len())
		if err != nil {
			return "", err
		}
		header.WriteString(line)
		if line == "\n" || line == "\r\n" {
			b.crlf = line == "\r\n"
			return header.String(), nil
		}
	}
}

// paragraph reads up to the next empty line, which is part of it.
func (b *Reader) paragraph() (string, error) {
	var p strings.Builder
	for {
		line, err := b.line(maxParagraph - p.Len())
		if err != nil {
			return p.String() + line, err
		}
		p.WriteString(line)
		if line == "\n" || b.crlf && line == "\r\n" {
			return p.String(), nil
		}
	}
}

// line returns a line of up to limit bytes. Without its newline it comes with
// io.EOF or io.ErrUnexpectedEOF.
func (b *Reader) line(limit int) (string, error) {
	var line strings.Builder
	for {
		piece, err := b.in.ReadSlice('\n')
		line.Write(piece)
		switch {
		case line.Len() > limit:
			return "", ErrTooLong
		case err == bufio.ErrBufferFull:
		case err == io.EOF && line.Len() > 0:
			return line.String(), io.ErrUnexpectedEOF
		default:
			return line.String(), err
		}
	}
}

// Next returns the next recipient, and io.EOF when the copy of the message is
// reached. A bounce that has none ends with io.ErrUnexpectedEOF.
func (b *Reader) Next() (Failure, error) {
	for b.err == nil {
		var p string
		if p, b.err = b.paragraph(); b.err != nil {
			if b.err == io.EOF {
				b.err = io.ErrUnexpectedEOF
			}
			break
		}
		if p[0] == '-' {
			b.Break, b.err = p, io.EOF
			break
		}
		if f, ok := b.failure(p); ok {
			f.Report += b.oneMore()
			return f, nil
		}
	}
	return Failure{}, b.err
}

// oneMore takes a second empty line after a recipient: [Paragraph] leaves it there
// if the report ends in one.
func (b *Reader) oneMore() string {
	if next, _ := b.in.Peek(1); len(next) == 0 || next[0] != '\n' {
		return ""
	}
	b.in.ReadByte()
	return "\n"
}

// failure reads a paragraph about a recipient.
func (b *Reader) failure(p string) (Failure, bool) {
	end := "\n"
	if b.crlf {
		end = "\r\n"
	}
	first, report, _ := strings.Cut(strings.TrimSuffix(p, end), end)
	if !strings.HasSuffix(first, ">:") {
		first = strings.TrimRight(first, " \t\r")
	}
	recipient, ok := strings.CutPrefix(first, "<")
	if !ok {
		return Failure{}, false
	}
	if recipient, ok = strings.CutSuffix(recipient, ">:"); !ok {
		return Failure{}, false
	}
	return Failure{recipient, report}, true
}

// Original returns the copy of the message, once Next has returned io.EOF: what
// is left of the bounce, or the last part of a multipart/report. It begins with
// the Return-Path that the writer has put there.
func (b *Reader) Original() io.Reader {
	if b.boundary == "" {
		return b.in
	}
	return &part{b: b}
}

// Bounce is a bounce that was read wholly.
type Bounce struct {
	Header, Intro, Break string // as in [Reader]
	Failures             []Failure
	Original             []byte
}

// Parse reads a bounce wholly; r bounds how long that can be.
func Parse(r io.Reader) (*Bounce, error) {
	in, err := NewReader(r)
	if err != nil {
		return nil, err
	}
	b := &Bounce{Header: in.Header, Intro: in.Intro}
	f, err := in.Next()
	for ; err == nil; f, err = in.Next() {
		b.Failures = append(b.Failures, f)
	}
	if err != io.EOF {
		return nil, err
	}
	b.Break = in.Break
	b.Original, err = io.ReadAll(in.Original())
	return b, err
}

// Double reports whether a bounce could not be delivered.
func (b *Bounce) Double() bool {
	return strings.TrimRight(b.Break, "\r\n") == strings.TrimRight(doubleCopyLine, "\n")
}

// Stripped reports whether only the beginning of the message is there.
func (b *Bounce) Stripped() bool { return strings.HasSuffix(string(b.Original), strippedLine) }

// eachFailure calls f with the recipients of a file of paragraphs, until it
// returns false or something cannot be read.
func eachFailure(paragraphs io.Reader, f func(Failure) bool) {
	b := &Reader{in: bufio.NewReader(paragraphs)}
	for {
		p, err := b.paragraph()
		if failure, ok := b.failure(p); ok && !f(failure) || err != nil {
			return
		}
	}
}
