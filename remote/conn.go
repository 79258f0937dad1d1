package remote

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"time"
)

// session is a conversation with one host. Once it said hello it can carry one
// message after another, and then say goodbye.
type session struct {
	conn       net.Conn
	in         *bufio.Reader
	out        *bufio.Writer
	peer       string // the host's address, for reports
	timeout    time.Duration
	isQMTP     bool       // and not SMTP
	extensions extensions // of ESMTP, if the host knows it
	critical   bool       // the host may have the message, but did not say so
	utf8       bool       // the message goes by SMTPUTF8
	dead       bool       // nothing more can be said
	lost       error      // what ended the connection
	tls        tlsState
	stop       func() bool // ends the watch over the context
	key        string      // see Idle
	used       bool        // another message went before
	ready      bool        // a message was carried over, and the host waits for another
	asking     bool        // the host has taken the sender, and is asked about recipients
	dataAhead  bool        // DATA has gone out ahead of the replies about recipients
	messages   int         // that were carried over
}

// Sizes of the buffers of a session, in bytes. There may be many thousands of sessions.
const (
	inSize  = 1 << 10
	outSize = 4 << 10
)

func newSession(conn net.Conn, peer string, timeout time.Duration) *session {
	s := &session{peer: peer, timeout: timeout}
	s.speakOver(conn)
	return s
}

// speakOver makes conn the connection.
func (s *session) speakOver(conn net.Conn) {
	s.conn = conn
	s.in = bufio.NewReaderSize(conn, inSize)
	s.out = bufio.NewWriterSize(timedWriter{conn, s.timeout}, outSize)
}

// watch ends the connection when ctx ends.
func (s *session) watch(ctx context.Context) {
	conn := s.conn
	s.stop = context.AfterFunc(ctx, func() { conn.Close() })
}

// timedWriter gives the other side so long to take each piece.
type timedWriter struct {
	conn    net.Conn
	timeout time.Duration
}

func (w timedWriter) Write(p []byte) (int, error) {
	if err := w.conn.SetWriteDeadline(time.Now().Add(w.timeout)); err != nil {
		return 0, err
	}
	return w.conn.Write(p)
}

// reply sends what is written but not sent, and waits for a reply. All of it has
// to come in time: a host that sends a byte now and then is as good as dead.
func (s *session) reply() (reply, error) {
	err := s.out.Flush()
	if err == nil && !s.hasLine() {
		err = s.conn.SetReadDeadline(time.Now().Add(s.timeout))
	}
	var r reply
	if err == nil {
		r, err = readReply(s.in)
	}
	s.lost = err
	return r, err
}

// hasLine reports whether a line has come that was not read yet.
func (s *session) hasLine() bool {
	if s.in.Buffered() == 0 {
		return false
	}
	b, _ := s.in.Peek(s.in.Buffered())
	return bytes.IndexByte(b, '\n') >= 0
}

// command sends a line and waits for the reply.
func (s *session) command(line string) (reply, error) {
	s.write(line)
	return s.reply()
}

// write puts a line into the buffer. What goes wrong shows when it is sent.
func (s *session) write(line string) {
	s.out.WriteString(line)
	s.out.WriteString("\r\n")
}

// died is the verdict when the connection is lost or the host silent.
func (s *session) died() verdict {
	s.dead = true
	text := "Connected to " + s.peer + " but connection died. "
	if s.critical {
		text += "Possible duplicate! "
	}
	return verdict{'Z', text + "(#4.4.2)\n"}.with(s.tls.note)
}

// says makes a verdict of what the host said: its address between two texts, and
// the reply.
func (s *session) says(letter byte, before, after string, r reply) verdict {
	return verdict{letter, before + s.peer + after + ".\n" + r.said()}.with(s.tls.note)
}

// bye says goodbye, if there is anybody to hear it, and hangs up. Nobody waits for
// the answer.
func (s *session) bye() {
	if !s.dead {
		s.write("QUIT")
		_ = s.out.Flush()
	}
	s.dead = true
	if s.stop != nil {
		s.stop()
	}
	s.conn.Close()
}
