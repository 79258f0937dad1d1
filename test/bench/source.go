package main

import (
	"bufio"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"time"
)

// envelope is who a message is from, and for whom.
type envelope struct {
	from string
	to   []string
}

// text is 4 KB, with the line ends of SMTP.
var text = "From: bench@from.test\r\nSubject: bench\r\n\r\n" + strings.Repeat(strings.Repeat("x", 62)+"\r\n", 63)

// patience is how long a server may think.
const patience = 5 * time.Minute

// load is how much is given to a system: so many messages, or, if it is slow, those
// that go into so much time.
type load struct {
	messages int
	limit    time.Duration // 0: none
}

// next counts messages; it is false when there are to be no more.
func (l load) next() func(i int) bool {
	start := time.Now()
	return func(i int) bool {
		return i < l.messages && (l.limit == 0 || time.Since(start) < l.limit)
	}
}

// submit sends messages over so many connections at a time, and returns how many.
// Each keeps its connection for as long as the server does.
func submit(address string, connections int, l load, message func(i int) envelope) (sent int, err error) {
	work := make(chan envelope)
	errs := make(chan error, connections)
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			s := &source{address: address}
			defer s.close()
			for e := range work {
				if err := s.send(e); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	for more := l.next(); err == nil && more(sent); {
		select {
		case work <- message(sent):
			sent++
		case err = <-errs:
		}
	}
	close(work)
	wg.Wait()
	if err == nil && len(errs) > 0 {
		err = <-errs
	}
	return sent, err
}

// perConnection is how many messages go over one: OpenSMTPD takes no more than 100
// unless told to.
const perConnection = 100

// source is a connection to a server, made when the first message is sent.
type source struct {
	address string
	conn    net.Conn
	in      *textproto.Reader
	out     *bufio.Writer
	pipe    bool // the server knows PIPELINING
	sent    int
}

func (s *source) open() error {
	conn, err := net.DialTimeout("tcp", s.address, patience)
	if err != nil {
		return err
	}
	s.conn, s.in, s.out, s.sent = conn, textproto.NewReader(bufio.NewReader(conn)), bufio.NewWriterSize(conn, 64<<10), 0
	if err := s.expect(220); err != nil {
		return err
	}
	fmt.Fprint(s.out, "EHLO source.test\r\n")
	if err := s.flush(); err != nil {
		return err
	}
	_, lines, err := s.in.ReadResponse(250)
	s.pipe = strings.Contains(strings.ToUpper(lines), "PIPELINING")
	return err
}

func (s *source) send(e envelope) error {
	if s.conn == nil || s.sent >= perConnection {
		s.close()
		if err := s.open(); err != nil {
			return err
		}
	}
	s.sent++
	commands := []string{"MAIL FROM:<" + e.from + ">"}
	for _, to := range e.to {
		commands = append(commands, "RCPT TO:<"+to+">")
	}
	if err := s.commands(commands); err != nil {
		return err
	}
	fmt.Fprint(s.out, "DATA\r\n")
	if err := s.flushed(354); err != nil {
		return err
	}
	fmt.Fprint(s.out, text, ".\r\n")
	return s.flushed(250)
}

// window is how many commands are sent before their answers are read, so that
// neither side has to keep more than a socket does.
const window = 100

func (s *source) commands(lines []string) error {
	size := 1
	if s.pipe {
		size = window
	}
	for len(lines) > 0 {
		n := min(size, len(lines))
		for _, line := range lines[:n] {
			fmt.Fprint(s.out, line, "\r\n")
		}
		if err := s.flush(); err != nil {
			return err
		}
		for range n {
			if err := s.expect(250); err != nil {
				return err
			}
		}
		lines = lines[n:]
	}
	return nil
}

func (s *source) flush() error {
	s.conn.SetDeadline(time.Now().Add(patience))
	return s.out.Flush()
}

func (s *source) flushed(code int) error {
	if err := s.flush(); err != nil {
		return err
	}
	return s.expect(code)
}

func (s *source) expect(code int) error {
	_, _, err := s.in.ReadResponse(code)
	return err
}

func (s *source) close() {
	if s.conn == nil {
		return
	}
	fmt.Fprint(s.out, "QUIT\r\n")
	s.out.Flush()
	s.conn.Close()
	s.conn = nil
}
