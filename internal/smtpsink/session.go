package smtpsink

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// mostLine is the length in bytes that a command may have.
const mostLine = 64 << 10

// session is a conversation with one client.
type session struct {
	server *Server
	conn   net.Conn
	in     *bufio.Reader
	out    *bufio.Writer
	hello  string
	mail   *Message // nil before MAIL
}

func newSession(s *Server, conn net.Conn) *session {
	out := bufio.NewWriter(conn)
	in := bufio.NewReaderSize(flushReader{conn, out}, mostLine)
	return &session{server: s, conn: conn, in: in, out: out}
}

// flushReader sends what there is to say before it waits for the client: replies
// to commands that came together go out together.
type flushReader struct {
	conn net.Conn
	out  *bufio.Writer
}

func (r flushReader) Read(p []byte) (int, error) {
	if err := r.out.Flush(); err != nil {
		return 0, err
	}
	return r.conn.Read(p)
}

// run serves the client until it quits, is gone or ctx ends.
func (s *session) run(ctx context.Context) {
	text := "220 " + s.server.name() + " ESMTP sink"
	for {
		if s.reply(ctx, text) != nil {
			return
		}
		line, err := s.line()
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			text = "500 line too long"
			continue
		case err != nil:
			return
		}
		verb, argument, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "QUIT":
			if s.reply(ctx, "221 "+s.server.name()) == nil {
				_ = s.out.Flush()
			}
			return
		case "DATA":
			if text, err = s.data(ctx); err != nil {
				return
			}
		default:
			text = s.command(strings.ToUpper(verb), argument)
		}
	}
}

// line reads a command. One that is too long is read to its end all the same.
func (s *session) line() (string, error) {
	if err := s.conn.SetDeadline(time.Now().Add(s.server.idle())); err != nil {
		return "", err
	}
	line, err := s.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = s.in.ReadSlice('\n')
		}
		if err == nil {
			err = bufio.ErrBufferFull
		}
	}
	return strings.TrimRight(string(line), "\r\n"), err
}

// reply says something, at the latest when there is nothing more to read.
func (s *session) reply(ctx context.Context, text string) error {
	if s.server.Delay > 0 {
		select {
		case <-time.After(s.server.Delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	_, err := s.out.WriteString(text + "\r\n")
	return err
}

// command does what needs no more than a line.
func (s *session) command(verb, argument string) string {
	switch verb {
	case "EHLO":
		s.hello, s.mail = argument, nil
		return fmt.Sprintf("250-%s\r\n250-PIPELINING\r\n250-SIZE %d\r\n250 8BITMIME", s.server.name(), s.server.maxSize())
	case "HELO":
		s.hello, s.mail = argument, nil
		return "250 " + s.server.name()
	case "MAIL":
		return s.from(argument)
	case "RCPT":
		return s.to(argument)
	case "RSET":
		s.mail = nil
		return "250 ok"
	case "NOOP":
		return "250 ok"
	case "VRFY":
		return "252 send some mail, i'll take it"
	}
	return "500 unknown command"
}

func (s *session) from(argument string) string {
	path, ok := cutPath(argument, "FROM:")
	if !ok {
		return "501 syntax: MAIL FROM:<address>"
	}
	if refusal := s.refuse("MAIL", path); refusal != "" {
		return refusal
	}
	s.mail = &Message{Client: s.conn.RemoteAddr().String(), Hello: s.hello, Sender: path}
	return "250 ok"
}

func (s *session) to(argument string) string {
	path, ok := cutPath(argument, "TO:")
	switch {
	case s.mail == nil:
		return "503 MAIL first"
	case !ok:
		return "501 syntax: RCPT TO:<address>"
	}
	if refusal := s.refuse("RCPT", path); refusal != "" {
		return refusal
	}
	s.mail.Recipients = append(s.mail.Recipients, path)
	return "250 ok"
}

func (s *session) refuse(verb, path string) string {
	if s.server.Refuse == nil {
		return ""
	}
	return s.server.Refuse(verb, path)
}

// cutPath takes the path out of an argument such as FROM:<a@b> SIZE=7. A quoted
// local part may have angle brackets in it.
func cutPath(argument, keyword string) (string, bool) {
	if len(argument) < len(keyword) || !strings.EqualFold(argument[:len(keyword)], keyword) {
		return "", false
	}
	argument = strings.TrimLeft(argument[len(keyword):], " ")
	if !strings.HasPrefix(argument, "<") {
		return "", false
	}
	quoted := false
	for i := 1; i < len(argument); i++ {
		switch argument[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case '>':
			if !quoted {
				return argument[1:i], true
			}
		}
	}
	return "", false
}

// data takes a message and returns the reply to it.
func (s *session) data(ctx context.Context) (string, error) {
	if s.mail == nil || len(s.mail.Recipients) == 0 {
		return "503 RCPT first", nil
	}
	if err := s.reply(ctx, "354 go ahead"); err != nil {
		return "", err
	}
	data, err := s.read()
	if err != nil {
		return "", err
	}
	mail := s.mail
	s.mail = nil
	if int64(len(data)) > s.server.maxSize() {
		return "552 message too big", nil
	}
	mail.Data = data
	if err := s.server.Deliver(mail); err != nil {
		return "451 " + oneLine(err.Error()), nil
	}
	return "250 ok", nil
}

func oneLine(s string) string { return strings.NewReplacer("\r", " ", "\n", " ").Replace(s) }

// read reads lines up to the dot. Of a message that is too big, what is kept is
// too big as well, but not by much.
func (s *session) read() ([]byte, error) {
	var data []byte
	start := true // of a line: after CRLF
	var last byte // of the piece before
	for {
		if err := s.conn.SetDeadline(time.Now().Add(s.server.idle())); err != nil {
			return nil, err
		}
		piece, err := s.in.ReadSlice('\n')
		if err == io.EOF {
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if start && string(piece) == ".\r\n" {
			return data, nil
		}
		end := endsLine(last, piece)
		last = piece[len(piece)-1]
		if start && piece[0] == '.' {
			piece = piece[1:]
		}
		if int64(len(data)) <= s.server.maxSize() {
			data = append(data, piece...)
		}
		start = end
	}
}

// endsLine reports whether a piece of data, after the byte last, ends a line.
func endsLine(last byte, piece []byte) bool {
	n := len(piece)
	if n > 1 {
		last = piece[n-2]
	}
	return last == '\r' && piece[n-1] == '\n'
}
