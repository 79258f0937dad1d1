package conformance

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server scripts one connection. Replies are given by command verb, in turn, the
// last one for good; "." answers the end of DATA; an empty reply closes the
// connection; a verb without replies gets the usual success, but a script without
// EHLO plays a server of RFC 821. A reply or greeting that ends in {close} is
// sent, and the connection closed; {stall} says nothing more.
type Server struct {
	QMQP     bool               `json:"qmqp"` // takes a netstring at port 628 and answers the greeting
	Greeting Bytes              `json:"greeting"`
	Replies  map[string][]Bytes `json:"replies"`
}

// serverPatience bounds one connection.
const serverPatience = 15 * time.Second

// server plays the scripted servers of a case, one for each connection in turn.
type server struct {
	port     string
	listener net.Listener
	scripts  []Server
	unlock   func() // of the fixed port

	mu       sync.Mutex
	received []*strings.Builder
	wg       sync.WaitGroup
}

// qmqpPort is held while a case plays a QMQP server, whose port is fixed.
var qmqpPort sync.Mutex

func startServer(scripts []Server) (*server, error) {
	s := &server{scripts: scripts, unlock: func() {}}
	address := "127.0.0.1:0"
	if scripts[0].QMQP {
		address = "127.0.0.1:628"
		qmqpPort.Lock()
		s.unlock = qmqpPort.Unlock
	}
	var err error
	s.listener, err = net.Listen("tcp", address)
	if err != nil {
		s.unlock()
		if errors.Is(err, os.ErrPermission) {
			return nil, fmt.Errorf("%w: only root can listen at %s", errSkip, address)
		}
		return nil, err
	}
	_, s.port, _ = net.SplitHostPort(s.listener.Addr().String())
	s.wg.Go(s.accept)
	return s, nil
}

func (s *server) accept() {
	for i := 0; ; i++ {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		got := &strings.Builder{}
		s.mu.Lock()
		s.received = append(s.received, got)
		s.mu.Unlock()
		script := s.scripts[min(i, len(s.scripts)-1)]
		s.wg.Go(func() {
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(serverPatience))
			c := &connection{script: script, in: bufio.NewReader(conn), out: conn, got: got, turn: map[string]int{}}
			c.serve()
		})
	}
}

// stop waits for the connections to end and returns what each of them received.
func (s *server) stop() []Bytes {
	s.listener.Close()
	s.wg.Wait()
	s.unlock()
	var all []Bytes
	for _, got := range s.received {
		all = append(all, Bytes(got.String()))
	}
	return all
}

// connection is one client served by one script.
type connection struct {
	script Server
	in     *bufio.Reader
	out    io.Writer
	got    *strings.Builder
	turn   map[string]int // replies given, by verb
}

func (c *connection) serve() {
	if c.script.QMQP {
		c.serveQMQP()
		return
	}
	greeting := "220 server.test.example ESMTP\r\n"
	if c.script.Greeting != "" {
		greeting = string(c.script.Greeting)
	}
	if greeting == "close" || !c.send(greeting) {
		return
	}
	for c.command() {
	}
}

func (c *connection) serveQMQP() {
	length, _ := c.in.ReadString(':')
	c.got.WriteString(length)
	n, _ := strconv.Atoi(strings.TrimSuffix(length, ":"))
	io.CopyN(c.got, c.in, int64(n)+1)
	io.WriteString(c.out, string(c.script.Greeting))
}

// command reads one command and answers it; false ends the connection.
func (c *connection) command() bool {
	line, err := c.in.ReadString('\n')
	if !c.scripted("EHLO") && strings.HasPrefix(line, "EHLO ") {
		// The client may ask, and falls back to HELO; nothing of it is recorded.
		io.WriteString(c.out, "502 unimplemented\r\n")
		return true
	}
	c.got.WriteString(line)
	if err != nil {
		return false
	}
	switch verb := strings.ToUpper(strings.Fields(line + " x")[0]); verb {
	case "DATA":
		return c.data()
	case "QUIT":
		c.reply("QUIT", "221 bye\r\n")
		return false
	case "EHLO":
		return c.reply("EHLO", "250 server.test.example\r\n")
	default:
		return c.reply(verb, "250 ok\r\n")
	}
}

func (c *connection) data() bool {
	if !c.reply("DATA", "354 go ahead\r\n") {
		return false
	}
	if c.scripted("DATA") && !strings.HasPrefix(c.last("DATA"), "3") {
		return true
	}
	for {
		line, err := c.in.ReadString('\n')
		c.got.WriteString(line)
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			return c.reply(".", "250 ok 1 qp 2\r\n")
		}
	}
}

func (c *connection) scripted(verb string) bool {
	_, ok := c.script.Replies[verb]
	return ok
}

// last is the scripted reply given last to a verb.
func (c *connection) last(verb string) string {
	given := c.script.Replies[verb]
	return string(given[min(c.turn[verb]-1, len(given)-1)])
}

// reply answers a verb; false ends the connection.
func (c *connection) reply(verb, usual string) bool {
	if !c.scripted(verb) {
		return c.send(usual)
	}
	c.turn[verb]++
	text := c.last(verb)
	return text != "" && c.send(text)
}

func (c *connection) send(text string) bool {
	text, closing := strings.CutSuffix(text, "{close}")
	text, _ = strings.CutSuffix(text, "{stall}")
	io.WriteString(c.out, text)
	return !closing
}
