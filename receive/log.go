package receive

import (
	"io"
	"strconv"
	"strings"
	"sync"
)

// Log is where a server tells what becomes of messages and logins, a line each:
//
//	qmail-qmtpd: accepted qp 4321 bytes 532 from <a@example.org> to <b@example.net> client 192.0.2.1
//	qmail-qmtpd: refused from <a@example.org> to <b@example.net> client 192.0.2.1 reply Dsorry,...
//
// Several sessions may use one. A nil Log writes nothing.
type Log struct {
	Name    string    // of the program, at the beginning of each line
	Out     io.Writer // gets each line in one write
	Network bool      // tell of every client, not only what an administrator has to know

	mu sync.Mutex
}

// Line writes a line, whoever the client is.
func (l *Log) Line(parts ...string) {
	if l == nil {
		return
	}
	line := l.Name + ": " + strings.Join(parts, "") + "\n"
	l.mu.Lock()
	defer l.mu.Unlock()
	io.WriteString(l.Out, line)
}

// Event writes a line about a client of the network.
func (l *Log) Event(parts ...string) {
	if l != nil && l.Network {
		l.Line(parts...)
	}
}

// Accepted tells of a message that is in the queue, of which qp is the process that
// has put it there. Client says who the client is, after a blank.
func (l *Log) Accepted(qp int, size int64, sender string, to Names, client string) {
	if l != nil && l.Network {
		l.Line("accepted qp ", strconv.Itoa(qp), " bytes ", strconv.FormatInt(size, 10), " from <", Word(sender), "> to", to.String(), client)
	}
}

// Refused tells of a message, or some of its recipients, that was not taken.
func (l *Log) Refused(sender string, to Names, client, reply string) {
	if l != nil && l.Network {
		l.Line("refused from <", Word(sender), "> to", to.String(), client, " reply ", Word(reply))
	}
}

// Limits of a line: recipients that are named, and bytes of each word.
const (
	maxNamed = 20
	maxWord  = 300
)

// Names are recipients, of which a line names the first.
type Names struct {
	Count int
	first []string
}

// NamesOf are some recipients.
func NamesOf(to ...string) Names {
	return Names{len(to), to[:min(len(to), maxNamed)]}
}

// Add adds one.
func (n *Names) Add(to string) {
	if n.Count++; n.Count <= maxNamed {
		n.first = append(n.first, to)
	}
}

func (n Names) String() string {
	var b strings.Builder
	for _, addr := range n.first {
		b.WriteString(" <" + Word(addr) + ">")
	}
	if more := n.Count - len(n.first); more > 0 {
		b.WriteString(" and " + strconv.Itoa(more) + " more")
	}
	return b.String()
}

// Word makes text from outside one word of a line, as qmail-log(5) does.
func Word(s string) string {
	b := []byte(s[:min(len(s), maxWord)])
	for i, c := range b {
		if c < 33 || c > 126 || c == '%' {
			b[i] = '_'
		}
	}
	return string(b)
}
