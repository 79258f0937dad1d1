package chaos

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// answerTime is how long a server may take.
const answerTime = time.Minute

func listens(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// dial connects to a server, which may just be starting again.
func dial(address string) (net.Conn, error) {
	var conn net.Conn
	var err error
	for range 100 {
		if conn, err = net.Dial("tcp", address); err == nil {
			return conn, conn.SetDeadline(time.Now().Add(answerTime))
		}
		time.Sleep(pause)
	}
	return nil, err
}

// hangUp ends what connections there are.
func (s *submitter) hangUp() {
	s.endSMTP()
	s.endQMTP()
}

// smtpSession is a connection to qmail-smtpd.
type smtpSession struct {
	conn net.Conn
	in   *textproto.Reader
	left int // messages that it is used for
}

func (s *submitter) endSMTP() {
	if s.smtpSession != nil {
		s.smtpSession.conn.Close()
		s.smtpSession = nil
	}
}

// openSMTP has a connection.
func (s *submitter) openSMTP() error {
	if c := s.smtpSession; c != nil && c.left > 0 {
		c.left--
		return c.conn.SetDeadline(time.Now().Add(answerTime))
	}
	s.endSMTP()
	conn, err := dial(smtpPort)
	if err != nil {
		return err
	}
	c := &smtpSession{conn, textproto.NewReader(bufio.NewReader(conn)), s.r.IntN(20)}
	s.smtpSession = c
	if _, _, err := c.in.ReadResponse(220); err != nil {
		return err
	}
	return c.say(250, "EHLO client.test")
}

// say says a line, and reads the answer.
func (c *smtpSession) say(code int, line string) error {
	if _, err := fmt.Fprint(c.conn, line, "\r\n"); err != nil {
		return err
	}
	_, _, err := c.in.ReadResponse(code)
	return err
}

// before says all that comes before the message.
func (s *submitter) before(m *message) error {
	if err := s.openSMTP(); err != nil {
		return err
	}
	c := s.smtpSession
	if err := c.say(250, "MAIL FROM:<"+m.sender+"> BODY=8BITMIME"); err != nil {
		return err
	}
	for _, to := range m.to {
		if err := c.say(250, "RCPT TO:<"+to+">"); err != nil {
			return err
		}
	}
	return c.say(354, "DATA")
}

// data is the message as SMTP wants it, without its end.
func data(m *message) []byte {
	text := bytes.ReplaceAll(m.text(), []byte("\n"), []byte("\r\n"))
	return bytes.ReplaceAll(text, []byte("\r\n."), []byte("\r\n.."))
}

// smtp sends a message. Whatever happens before the dot is a no.
func (s *submitter) smtp(m *message) (verdict, string) {
	err := s.before(m)
	if err == nil {
		_, err = s.smtpSession.conn.Write(data(m))
	}
	if err != nil {
		s.endSMTP()
		return refused, "before the dot: " + err.Error()
	}
	err = s.smtpSession.say(250, ".")
	var no *textproto.Error
	switch {
	case err == nil:
		return accepted, ""
	case errors.As(err, &no):
		s.endSMTP()
		return refusal(no.Msg)
	}
	s.endSMTP()
	return unknown, err.Error()
}

// cutSMTP hangs up in the middle of the message.
func (s *submitter) cutSMTP(m *message) (verdict, string) {
	err := s.before(m)
	if err == nil {
		text := data(m)
		_, err = s.smtpSession.conn.Write(text[:s.r.IntN(len(text)+1)])
	}
	if err == nil && s.r.IntN(2) == 0 {
		err = s.smtpSession.conn.(*net.TCPConn).SetLinger(0)
	}
	s.endSMTP()
	return refused, fmt.Sprint("cut short, ", err)
}

// qmtpSession is a connection to qmail-qmtpd.
type qmtpSession struct {
	conn net.Conn
	in   *bufio.Reader
	left int
}

func (s *submitter) endQMTP() {
	if s.qmtpSession != nil {
		s.qmtpSession.conn.Close()
		s.qmtpSession = nil
	}
}

func netstring(text string) string { return strconv.Itoa(len(text)) + ":" + text + "," }

// qmtp sends a message, all of it at once.
func (s *submitter) qmtp(m *message) (verdict, string) {
	c := s.qmtpSession
	if c == nil || c.left == 0 {
		s.endQMTP()
		conn, err := dial(qmtpPort)
		if err != nil {
			return refused, err.Error()
		}
		c = &qmtpSession{conn, bufio.NewReader(conn), s.r.IntN(20)}
		s.qmtpSession = c
	}
	c.left--
	c.conn.SetDeadline(time.Now().Add(answerTime))
	var to strings.Builder
	for _, addr := range m.to {
		to.WriteString(netstring(addr))
	}
	if _, err := fmt.Fprint(c.conn, netstring("\n"+string(m.text())), netstring(m.sender), netstring(to.String())); err != nil {
		s.endQMTP()
		return unknown, err.Error()
	}
	var answers []string
	for range m.to {
		answer, err := c.answer()
		if err != nil {
			s.endQMTP()
			return unknown, err.Error()
		}
		answers = append(answers, answer)
	}
	for _, a := range answers {
		if a[0] != 'K' {
			return refusal(a)
		}
	}
	return accepted, ""
}

// answer reads one netstring.
func (c *qmtpSession) answer() (string, error) {
	length, err := c.in.ReadString(':')
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
	if err != nil || n < 1 || n > 10000 {
		return "", fmt.Errorf("no netstring: %q", length)
	}
	text := make([]byte, n+1)
	for i := range text {
		if text[i], err = c.in.ReadByte(); err != nil {
			return "", err
		}
	}
	return string(text[:n]), nil
}
