package smtp

import (
	"cmp"
	"io"
	"strconv"
	"strings"
	"sync"
)

// Log writes a line for each message that was accepted or refused and for each
// recipient that was refused, qmail-smtpd(8):
//
//	accepted qp 4321 bytes 532 from <a@example.org> to <b@example.net> client 192.0.2.1 ...
//	refused from <a@example.org> to <b@example.net> client 192.0.2.1 helo <x> reply 553_sorry,...
//
// A nil Log writes nothing. Several sessions may use one.
type Log struct {
	Name    string    // of the program, at the beginning of each line
	Out     io.Writer // gets each line in one write
	Network bool      // tell of every client, not only what an administrator has to know

	mu sync.Mutex
}

// accepted tells of a message in the queue.
func (l *Log) accepted(s *session, m *mail, qp int, size int64) {
	if l == nil || !l.Network {
		return
	}
	l.line("accepted qp ", strconv.Itoa(qp), " bytes ", strconv.FormatInt(size, 10),
		" from <", word(m.sender), "> to ", recipients(m.to), s.client())
}

// rejected tells of a message that was not taken.
func (l *Log) rejected(s *session, m *mail, reply string) {
	if l == nil || !l.Network {
		return
	}
	l.line("refused from <", word(m.sender), "> to ", recipients(m.to), s.client(), " reply ", word(reply))
}

// refused tells of a recipient that was not taken. That there is no rcpthosts is
// told wherever the client comes from: nobody else would notice.
func (l *Log) refused(s *session, to, reply string) {
	if l == nil {
		return
	}
	closed := ""
	if reply == replyNoGateway && !s.set.Hosts.Given() {
		closed = " (there is no control/rcpthosts: mail is taken from clients with RELAYCLIENT only)"
	} else if !l.Network {
		return
	}
	l.line("refused from <", word(s.mail.sender), "> to <", word(to), ">", s.client(), " reply ", word(reply), closed)
}

// event tells of something that went wrong with a client.
func (l *Log) event(s *session, what, detail string) {
	if l == nil || !l.Network {
		return
	}
	l.line(what, word(detail), s.client())
}

func (l *Log) line(parts ...string) {
	line := l.Name + ": " + strings.Join(parts, "") + "\n"
	l.mu.Lock()
	defer l.mu.Unlock()
	io.WriteString(l.Out, line)
}

// client says who the client of a session is.
func (s *session) client() string {
	text := " client " + word(s.set.Peer.IP)
	if s.helo != nil {
		text += " helo <" + word(*s.helo) + ">"
	}
	if s.tls != nil {
		text += " tls " + cmp.Or(s.tls.version, "yes")
	}
	if s.certificate != "" {
		text += " certificate <" + word(s.certificate) + ">"
	}
	if s.user != "" {
		text += " user <" + word(s.user) + ">"
	}
	return text
}

// Limits of a line: recipients that are named, and bytes of each word.
const (
	maxNamed = 20
	maxWord  = 300
)

func recipients(to []string) string {
	var b strings.Builder
	for i, addr := range to {
		if i == maxNamed {
			b.WriteString(" and " + strconv.Itoa(len(to)-i) + " more")
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("<" + word(addr) + ">")
	}
	return b.String()
}

// word makes text from outside one word of a line, as qmail-log(5) does.
func word(s string) string {
	b := []byte(s[:min(len(s), maxWord)])
	for i, c := range b {
		if c < 33 || c > 126 || c == '%' {
			b[i] = '_'
		}
	}
	return string(b)
}
