// Package smtpsink is an SMTP server that takes all mail: the other side for
// trying things out and for tests. It is strict where a receiver has to be (data
// ends with CRLF, dot, CRLF and with nothing else) and keeps no policy.
package smtpsink

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Message is what a client sent.
type Message struct {
	Client     string   // the client's address, with its port
	Hello      string   // the argument of EHLO or HELO
	Sender     string   // the paths as sent, without the angle brackets
	Recipients []string // those that were not refused
	Data       []byte   // lines end in CRLF, doubled dots are single again
}

// Text is the message with lines that end in LF.
func (m *Message) Text() []byte { return bytes.ReplaceAll(m.Data, []byte("\r\n"), []byte("\n")) }

// Server takes mail. The zero value with a Deliver function is ready.
type Server struct {
	// Name is what the server calls itself; empty for "sink.test.example".
	Name string
	// MaxSize is the size in bytes beyond which messages are refused; 0 for 64 MiB.
	MaxSize int64
	// Delay goes before every reply.
	Delay time.Duration
	// Idle is how long a client may be silent; 0 for 5 minutes.
	Idle time.Duration
	// Refuse, if not nil, returns the reply to a path of a command, MAIL or RCPT,
	// without its CRLF, or "" if all is well.
	Refuse func(verb, path string) string
	// Deliver takes a message. An error is a temporary failure for the client.
	// It is called by several goroutines at a time.
	Deliver func(*Message) error
}

// mostClients is how many clients are served at a time; others wait.
const mostClients = 100

// Serve serves clients until ctx ends, which ends their sessions, and then
// closes the listener. The error is that of the listener.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	defer listener.Close()
	var clients sync.WaitGroup
	defer clients.Wait()
	places := make(chan struct{}, mostClients)
	for {
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		places <- struct{}{}
		clients.Go(func() {
			defer func() { <-places }()
			s.serve(ctx, conn)
		})
	}
}

func (s *Server) serve(ctx context.Context, conn net.Conn) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	newSession(s, conn).run(ctx)
}

func (s *Server) name() string {
	if s.Name == "" {
		return "sink.test.example"
	}
	return s.Name
}

func (s *Server) maxSize() int64 {
	if s.MaxSize == 0 {
		return 64 << 20
	}
	return s.MaxSize
}

func (s *Server) idle() time.Duration {
	if s.Idle == 0 {
		return 5 * time.Minute
	}
	return s.Idle
}
