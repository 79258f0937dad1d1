package pop3

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"goqmail/receive"
)

// Mailbox is the half of the server that serves a user's maildir.
type Mailbox struct {
	Maildir string // "" if none was given
	Now     func() time.Time
	Capa    bool         // CAPA is answered
	Log     *receive.Log // may be nil
	Who     string       // the client, for the log
}

// Serve serves a client. Messages are deleted, and new ones moved to cur, if the
// client ends with QUIT.
func (b *Mailbox) Serve(conn net.Conn) error {
	s := &session{Line: NewLine(conn), dir: b.Maildir}
	err := s.open(b.Now())
	if err == nil {
		s.Say(ReplyOK)
		b.Log.Event("login ", b.Who, " messages ", strconv.Itoa(len(s.messages)))
		commands := Commands{
			"quit": s.quit, "stat": s.stat, "list": s.list, "uidl": s.uidl, "dele": s.dele, "retr": s.retr,
			"rset": s.rset, "last": s.lastCommand, "top": s.retr, "noop": s.OK,
		}
		if b.Capa {
			commands["capa"] = s.capa
		}
		err = s.Serve(commands, replyUnimplemented)
		b.Log.Event("end ", b.Who, " retrieved ", strconv.Itoa(s.retrieved), " deleted ", strconv.Itoa(s.removed))
	} else {
		b.Log.Event("refused ", b.Who, " reply ", receive.Word(err.Error()))
	}
	if err == ErrQuit {
		err = nil
	}
	return errors.Join(err, s.Wire.Flush())
}

// session is the state of one connection.
type session struct {
	*Line
	dir      string
	messages []message
	last     int // highest number that was deleted

	retrieved, removed int // messages
}

// capa is the CAPA command, RFC 2449.
func (s *session) capa(string) error {
	s.Capabilities(false, false)
	return nil
}

func (s *session) open(now time.Time) error {
	if info, err := os.Stat(s.dir); s.dir == "" || err != nil || !info.IsDir() {
		s.Say(replyNoMaildir)
		return fmt.Errorf("no maildir: %w", ErrEnded)
	}
	clean(s.dir, now)
	var err error
	if s.messages, err = scan(s.dir, now); err != nil {
		s.Say(replyScan)
	}
	return err
}

func (s *session) path(m *message) string { return filepath.Join(s.dir, m.name) }

func (s *session) stat(string) error {
	var count, size int64
	for i := range s.messages {
		if m := &s.messages[i]; !m.deleted {
			count++
			size += m.size
		}
	}
	s.Say("+OK " + strconv.FormatInt(count, 10) + " " + strconv.FormatInt(size, 10))
	return nil
}

func (s *session) rset(string) error {
	for i := range s.messages {
		s.messages[i].deleted = false
	}
	s.last = 0
	return s.OK("")
}

func (s *session) lastCommand(string) error {
	s.Say("+OK " + strconv.Itoa(s.last))
	return nil
}

// number reads the number of a message that is not deleted, or returns a reply.
func (s *session) number(argument string) (n int, reply string) {
	digits := leadingDigits(argument)
	n, err := strconv.Atoi(digits)
	switch {
	case digits == "":
		return 0, ReplySyntax
	case err == nil && n == 0:
		return 0, replyZero
	case err != nil || n > len(s.messages):
		return 0, replyTooBig
	case s.messages[n-1].deleted:
		return 0, replyDeleted
	}
	return n, ""
}

func leadingDigits(s string) string {
	return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
}

func (s *session) dele(argument string) error {
	n, reply := s.number(argument)
	if reply != "" {
		s.Say(reply)
		return nil
	}
	s.messages[n-1].deleted = true
	s.last = max(s.last, n)
	return s.OK("")
}

func (s *session) list(argument string) error {
	return s.listing(argument, func(m *message) string { return strconv.FormatInt(m.size, 10) })
}

func (s *session) uidl(argument string) error { return s.listing(argument, (*message).uid) }

// listing tells something of one message, or of all.
func (s *session) listing(argument string, tell func(*message) string) error {
	if argument != "" {
		n, reply := s.number(argument)
		if reply == "" {
			reply = "+OK " + strconv.Itoa(n) + " " + tell(&s.messages[n-1])
		}
		s.Say(reply)
		return nil
	}
	s.Say(ReplyOK)
	for i := range s.messages {
		if m := &s.messages[i]; !m.deleted {
			s.Say(strconv.Itoa(i+1) + " " + tell(m))
		}
	}
	s.Say(".")
	return nil
}

// retr is RETR and TOP, which adds how many lines of the body are wanted. Compat:
// either works as both.
func (s *session) retr(argument string) error {
	n, reply := s.number(argument)
	if reply != "" {
		s.Say(reply)
		return nil
	}
	f, err := os.Open(s.path(&s.messages[n-1]))
	if err != nil {
		s.Say(replyUnreadable)
		return nil
	}
	defer f.Close()
	s.retrieved++
	s.Say(ReplyOK)
	rest := strings.TrimLeft(argument[len(leadingDigits(argument)):], " ")
	lines := -1
	if digits := leadingDigits(rest); digits != "" {
		if lines, err = strconv.Atoi(digits); err != nil {
			lines = -1
		}
	}
	return s.send(bufio.NewReader(f), lines)
}

// send sends a message, or its header and some lines of its body. Dots at the
// start of a line are doubled. Compat: an empty line comes before the last dot.
func (s *session) send(r *bufio.Reader, lines int) error {
	body, start := false, true
	for lines != 0 || !body || !start {
		piece, err := r.ReadSlice('\n')
		if len(piece) > 0 {
			s.piece(piece, start)
			ends := piece[len(piece)-1] == '\n'
			if ends && body && lines > 0 {
				lines--
			}
			body = body || start && piece[0] == '\n'
			start = ends
		}
		if errors.Is(err, io.EOF) {
			if !start {
				s.Wire.WriteString("\r\n")
			}
			break
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return errors.Join(ErrEnded, err) // without its end: the client sees that
		}
	}
	s.Wire.WriteString("\r\n.\r\n")
	return nil
}

func (s *session) piece(p []byte, start bool) {
	if start && p[0] == '.' {
		s.Wire.WriteString(".")
	}
	if p[len(p)-1] == '\n' {
		s.Wire.Write(p[:len(p)-1])
		p = crlf
	}
	s.Wire.Write(p)
}

var crlf = []byte("\r\n")

// quit carries out what was asked for.
func (s *session) quit(string) error {
	for i := range s.messages {
		m := &s.messages[i]
		base, isNew := strings.CutPrefix(m.name, "new/")
		switch {
		case m.deleted:
			if os.Remove(s.path(m)) != nil {
				s.Say(replyUnlink) // Compat: and yet +OK in the end
				continue
			}
			s.removed++
		case isNew:
			os.Rename(s.path(m), filepath.Join(s.dir, "cur", base+":2,"))
		}
	}
	return s.Line.Quit("")
}
