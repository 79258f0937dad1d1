package send

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"goqmail/bounce"
)

// Spawner is the pair of pipes to qmail-lspawn or qmail-rspawn, or to another
// program that keeps to their protocol: qmail-send asks for a delivery by a number,
// the message's name below mess, the envelope sender and the recipient, the latter
// three ended by NULs; the answer is the number, the report and a NUL, in any
// order. The first byte of all is how many deliveries it takes at a time.
//
// Numbers are single bytes, unless that first byte is [wideSlots]: then qmail-send
// first asks for a delivery that no other spawner takes, with that number and the
// message [wideName]. One of ours answers that it takes more, and from then on
// numbers have two bytes, the higher one first. All others refuse, and nothing
// changes.
type Spawner struct {
	To   io.Writer
	From io.Reader
}

const (
	wideSlots = 255
	wideName  = "wide"
	// maxWide is how many deliveries a channel can have under way at the most.
	maxWide = 1 << 16
)

// maxReport is how many bytes of a report are kept: its letter and 9,998 more.
// The rest is lost.
const maxReport = 9999

// errNoSpawner means that there is nobody at the other end.
var errNoSpawner = errors.New("no spawner")

// readPlaces reads how many deliveries a spawner takes, and agrees with one of
// ours on more than a byte can say.
func (s Spawner) readPlaces() (places int, wide bool, err error) {
	var b [1]byte
	if _, err := io.ReadFull(s.From, b[:]); err != nil {
		return 0, false, errNoSpawner
	}
	if b[0] != wideSlots {
		return int(b[0]), false, nil
	}
	if _, err := s.To.Write(append([]byte{wideSlots}, wideName+"\x00\x00\x00"...)); err != nil {
		return 0, false, errNoSpawner
	}
	text, err := s.readHello()
	if err != nil {
		return 0, false, errNoSpawner
	}
	if more, ok := strings.CutPrefix(text, "K"+wideName+" "); ok {
		if n, err := strconv.Atoi(strings.TrimSpace(more)); err == nil && n > wideSlots {
			return min(n, maxWide), true, nil
		}
	}
	return wideSlots, false, nil
}

// readHello reads the answer byte by byte, so that nothing that comes after it is
// lost.
func (s Spawner) readHello() (string, error) {
	var text []byte
	for b := make([]byte, 1); len(text) <= maxReport; {
		if _, err := io.ReadFull(s.From, b); err != nil {
			return "", err
		}
		if b[0] == 0 && len(text) > 0 {
			return string(text[1:]), nil
		}
		text = append(text, b[0])
	}
	return "", errNoSpawner
}

// wire is the form of numbers on the pipes to a spawner.
type wire struct{ wide bool }

func (w wire) appendNumber(b []byte, n int) []byte {
	if w.wide {
		b = append(b, byte(n>>8))
	}
	return append(b, byte(n))
}

func (w wire) readNumber(in *bufio.Reader) (int, error) {
	high := byte(0)
	if w.wide {
		var err error
		if high, err = in.ReadByte(); err != nil {
			return 0, err
		}
	}
	low, err := in.ReadByte()
	return int(high)<<8 | int(low), err
}

// request is what a spawner is asked for one delivery; it is appended to b.
func (w wire) request(b []byte, place int, name, sender, recipient string) []byte {
	b = w.appendNumber(b, place)
	for _, field := range []string{name, bounce.Sender(sender, recipient), recipient} {
		b = append(b, field...)
		b = append(b, 0)
	}
	return b
}

// outcome is an answer of a spawner.
type outcome struct {
	place int
	text  string
}

// readAnswers is how many bytes of answers are read at a time: what a pipe holds.
const readAnswers = 64 << 10

// readReports calls report with the answers of a spawner, those together that are there
// at the same time, until there are no more.
func (w wire) readReports(from io.Reader, report func([]outcome)) {
	in := bufio.NewReaderSize(from, readAnswers)
	for {
		var all []outcome
		for len(all) == 0 || w.isThere(in) {
			place, err := w.readNumber(in)
			if err != nil {
				return
			}
			text, err := readReport(in)
			if err != nil {
				return
			}
			all = append(all, outcome{place, text})
		}
		report(all)
	}
}

// isThere reports whether a whole answer has been read from the pipe.
func (w wire) isThere(in *bufio.Reader) bool {
	b, _ := in.Peek(in.Buffered())
	number := len(w.appendNumber(nil, 0))
	return len(b) > number && bytes.IndexByte(b[number:], 0) >= 0
}

// readReport reads up to a NUL and keeps the first maxReport bytes.
func readReport(in *bufio.Reader) (string, error) {
	var text []byte
	for {
		part, err := in.ReadSlice(0)
		if err == nil {
			part = part[:len(part)-1]
		}
		text = append(text, part[:min(len(part), maxReport-len(text))]...)
		if err == nil {
			return string(text), nil
		}
		if err != bufio.ErrBufferFull {
			return "", err
		}
	}
}
