package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// sink is an SMTP server that takes everything and keeps nothing.
type sink struct {
	delay     atomic.Int64 // in ns, before it says yes to a message
	silent    atomic.Bool  // it never answers
	skip      string       // recipients whose domain ends like this do not count
	arrived   chan int     // recipients, as they come
	connected atomic.Int64 // connections so far
}

func newSink() *sink { return &sink{arrived: make(chan int, 1<<16)} }

func (s *sink) listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.connected.Add(1)
			go func() {
				defer conn.Close()
				s.serve(conn)
			}()
		}
	}()
	return l, nil
}

// serve has a conversation. What is not known gets a 250 too.
func (s *sink) serve(conn net.Conn) {
	if s.silent.Load() {
		io.Copy(io.Discard, conn)
		return
	}
	in, out := bufio.NewReader(conn), bufio.NewWriter(conn)
	out.WriteString("220 sink.test ESMTP\r\n")
	recipients := 0
	for {
		if in.Buffered() == 0 && out.Flush() != nil {
			return
		}
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			out.WriteString("250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
		case "RCPT":
			if s.skip == "" || !strings.Contains(rest, s.skip) {
				recipients++
			}
			out.WriteString("250 ok\r\n")
		case "DATA":
			out.WriteString("354 go ahead\r\n")
			if out.Flush() != nil || !s.take(in) {
				return
			}
			out.WriteString("250 ok\r\n")
			if out.Flush() != nil {
				return
			}
			s.arrived <- recipients
			recipients = 0
		case "RSET", "MAIL":
			recipients = 0
			out.WriteString("250 ok\r\n")
		case "QUIT":
			out.WriteString("221 bye\r\n")
			out.Flush()
			return
		default:
			out.WriteString("250 ok\r\n")
		}
	}
}

// take reads a message up to its dot.
func (s *sink) take(in *bufio.Reader) bool {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			return false
		}
		if bytes.Equal(line, []byte(".\r\n")) {
			break
		}
	}
	time.Sleep(time.Duration(s.delay.Load()))
	return true
}

// wait returns when so many recipients have got their messages.
func (s *sink) wait(recipients int, limit time.Duration) error {
	return await(s.arrived, recipients, limit)
}
