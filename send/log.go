package send

import (
	"io"
	"strconv"
	"strings"
	"sync"

	"goqmail/queue"
)

// logger writes log lines, each call in one piece. While it is held, it gathers them, to
// write many at once.
type logger struct {
	mu      sync.Mutex
	w       io.Writer
	held    bool
	waiting []byte // lines that were not written yet
}

// mostLines is how many bytes of lines are gathered.
const mostLines = 16 << 10

// print writes a line, or several with newlines between them. There is nobody to
// tell if that fails.
func (l *logger) print(parts ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, part := range parts {
		l.waiting = append(l.waiting, part...)
	}
	l.waiting = append(l.waiting, '\n')
	if !l.held || len(l.waiting) > mostLines {
		l.write()
	}
}

// hold gathers lines until release.
func (l *logger) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = true
}

// release writes what was gathered.
func (l *logger) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = false
	l.write()
}

// write is called with mu locked.
func (l *logger) write() {
	if len(l.waiting) > 0 {
		l.w.Write(l.waiting)
		l.waiting = l.waiting[:0]
	}
}

func (l *logger) newMessage(n queue.Number) { l.print("new msg ", n.String()) }

func (l *logger) info(n queue.Number, size int64, e queue.Envelope) {
	l.print("info msg ", n.String(), ": bytes ", strconv.FormatInt(size, 10), " from <", safe(e.Sender),
		"> qp ", strconv.FormatUint(e.PID, 10), " uid ", strconv.FormatUint(e.UID, 10))
}

func startingLine(id uint64, n queue.Number, ch channel, recipient string) string {
	return "starting delivery " + strconv.FormatUint(id, 10) + ": msg " + n.String() + " to " + ch.String() + " " + safe(recipient) + "\n"
}

// outcomes are the words for the first byte of a spawner's report.
var outcomes = map[byte]string{'K': "success", 'Z': "deferral", 'D': "failure"}

// deliveryLine tells what became of a delivery; code is its enhanced status code,
// or "" to leave it out.
func deliveryLine(id uint64, verdict byte, text, code string) string {
	line := "delivery " + strconv.FormatUint(id, 10) + ": "
	outcome, ok := outcomes[verdict]
	if !ok {
		return line + "report mangled, will defer\n"
	}
	line += outcome + ": " + safe(text)
	if code != "" {
		line += " status=" + code
	}
	return line + "\n"
}

func (l *logger) bounced(n queue.Number, qp int) {
	l.print("bounce msg ", n.String(), " qp ", strconv.Itoa(qp))
}

func (l *logger) delayed(n queue.Number, qp int) {
	l.print("delay msg ", n.String(), " qp ", strconv.Itoa(qp))
}

func (l *logger) end(n queue.Number) { l.print("end msg ", n.String()) }

func (l *logger) warning(parts ...string) { l.print("warning: ", strings.Join(parts, "")) }

func (l *logger) alert(parts ...string) { l.print("alert: ", strings.Join(parts, "")) }

// safe makes text from outside fit for a line: a newline becomes /, and every
// other byte that is not printable ASCII, a blank or % becomes _.
func safe(text string) string {
	b := []byte(text)
	for i, c := range b {
		switch {
		case c == '\n':
			b[i] = '/'
		case c <= ' ' || c > '~' || c == '%':
			b[i] = '_'
		}
	}
	return string(b)
}
