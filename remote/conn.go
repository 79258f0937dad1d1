package remote

import (
	"bufio"
	"net"
	"time"
)

// session is a conversation with one host.
type session struct {
	conn       net.Conn
	in         *bufio.Reader
	out        *bufio.Writer
	peer       string // the host's address, for reports
	timeout    time.Duration
	extensions extensions // of ESMTP, if the host knows it
	critical   bool       // the host may have the message, but did not say so
}

// Sizes of the buffers of a session, in bytes.
const (
	inSize  = 4 << 10
	outSize = 32 << 10
)

func newSession(conn net.Conn, peer string, timeout time.Duration) *session {
	return &session{
		conn:    conn,
		in:      bufio.NewReaderSize(conn, inSize),
		out:     bufio.NewWriterSize(timedWriter{conn, timeout}, outSize),
		peer:    peer,
		timeout: timeout,
	}
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
	if err := s.out.Flush(); err != nil {
		return reply{}, err
	}
	if err := s.conn.SetReadDeadline(time.Now().Add(s.timeout)); err != nil {
		return reply{}, err
	}
	return readReply(s.in)
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
	text := "Connected to " + s.peer + " but connection died. "
	if s.critical {
		text += "Possible duplicate! "
	}
	return verdict{'Z', text + "(#4.4.2)\n"}
}

// quit says goodbye and makes the verdict: the host's address between two texts,
// and what it said. Nobody waits for the answer.
func (s *session) quit(letter byte, before, after string, r reply) verdict {
	s.write("QUIT")
	_ = s.out.Flush()
	return verdict{letter, before + s.peer + after + ".\n" + r.said()}
}
