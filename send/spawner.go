package send

import (
	"bufio"
	"errors"
	"io"

	"goqmail/bounce"
	"goqmail/queue"
)

// Spawner is the pair of pipes to qmail-lspawn or qmail-rspawn, or to another
// program that keeps to their protocol: qmail-send asks for a delivery by a number,
// the message's name below mess, the envelope sender and the recipient, the latter
// three ended by NULs; the answer is the number, the report and a NUL, in any
// order. The first byte of all is how many deliveries it takes at a time.
type Spawner struct {
	To   io.Writer
	From io.Reader
}

// maxReport is how many bytes of a report are kept: its letter and 9,998 more.
// The rest is lost.
const maxReport = 9999

// maxPlaces is how many deliveries a channel can have under way: their numbers
// are single bytes.
const maxPlaces = 256

// errNoSpawner means that there is nobody at the other end.
var errNoSpawner = errors.New("no spawner")

// readPlaces reads how many deliveries a spawner takes.
func (s Spawner) readPlaces() (int, error) {
	var b [1]byte
	if _, err := io.ReadFull(s.From, b[:]); err != nil {
		return 0, errNoSpawner
	}
	return int(b[0]), nil
}

// request is what a spawner is asked for one delivery.
func request(place byte, name, sender, recipient string) []byte {
	sender = bounce.Sender(sender, recipient)
	b := make([]byte, 0, 4+len(name)+len(sender)+len(recipient))
	b = append(b, place)
	for _, field := range []string{name, sender, recipient} {
		b = append(b, field...)
		b = append(b, 0)
	}
	return b
}

// readReports calls report with each answer of a spawner, until there are no more.
func readReports(from io.Reader, report func(place byte, text string)) {
	in := bufio.NewReader(from)
	for {
		place, err := in.ReadByte()
		if err != nil {
			return
		}
		text, err := readReport(in)
		if err != nil {
			return
		}
		report(place, text)
	}
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

// delivery is one recipient in a spawner's hands.
type delivery struct {
	id        uint64 // in the log
	job       *job
	recipient queue.Recipient
}

// lane is the state of one channel.
type lane struct {
	ch        channel
	announced int // what the spawner takes at a time
	limit     int // deliveries at a time
	used      int // deliveries under way
	dead      bool

	waiting entries // messages with recipients on this channel
	ready   jobQueue
	opening int // jobs whose first recipients are being read

	places   [maxPlaces]*delivery
	requests chan []byte // never full: it holds one for each place
}

// free returns a place without a delivery; there must be one.
func (l *lane) free() byte {
	for i, d := range l.places {
		if d == nil {
			return byte(i)
		}
	}
	return 0
}

// open reports whether another delivery may begin.
func (l *lane) open() bool { return !l.dead && l.used < l.limit }

// run writes to and reads from a spawner until it goes away, and then calls died.
func (l *lane) run(s Spawner, report func(byte, string), died func()) {
	gone := make(chan struct{})
	go func() {
		for {
			select {
			case r := <-l.requests:
				if _, err := s.To.Write(r); err != nil {
					return // the reader will notice
				}
			case <-gone:
				return
			}
		}
	}()
	readReports(s.From, report)
	close(gone)
	died()
}
