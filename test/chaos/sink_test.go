package chaos

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"goqmail/internal/smtpsink"
)

// sink is the other host. While it is flaky it refuses now and then, and hangs up in
// the middle of whatever is being said.
type sink struct {
	w     *world
	flaky atomic.Bool
	open  atomic.Int64 // connections
	mu    sync.Mutex
	r     *rand.Rand
	away  func() // ends the server
}

func newSink(w *world) *sink {
	s := &sink{w: w, r: w.chance()}
	s.listen()
	return s
}

// listen begins to serve.
func (s *sink) listen() {
	l, err := net.Listen("tcp", sinkPort)
	for give := time.Now().Add(patience); err != nil; l, err = net.Listen("tcp", sinkPort) {
		if time.Now().After(give) {
			s.w.t.Error(err)
			return
		}
		time.Sleep(pause) // a child that is to become another program still has the last one
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := &smtpsink.Server{Refuse: s.refuse, Deliver: s.deliver}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.Serve(ctx, flakyListener{l, s})
	}()
	s.away = func() { cancel(); <-ended }
}

// chance is true once in so many times, while the host is flaky.
func (s *sink) chance(once int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flaky.Load() && s.r.IntN(once) == 0
}

func (s *sink) refuse(verb, path string) string {
	switch {
	case s.chance(25):
		return "451 not now (#4.2.1)"
	case verb == "RCPT" && strings.HasPrefix(path, "no-"):
		return "550 no such mailbox (#5.1.1)"
	case verb == "RCPT" && strings.HasPrefix(path, "maybe-") && s.chance(2):
		return "550 perhaps not (#5.1.1)"
	}
	return ""
}

func (s *sink) deliver(m *smtpsink.Message) error {
	if s.chance(25) {
		return errors.New("disk full (#4.3.1)")
	}
	for _, to := range m.Recipients {
		if err := checkVERP(m.Sender, to); err != nil {
			s.w.t.Error(err)
		}
		s.w.mail("sink", to, m.Text())
	}
	return nil
}

// checkVERP checks the sender that a recipient of the list is told.
func checkVERP(sender, to string) error {
	if !strings.HasPrefix(sender, "lst-ret-") {
		return nil
	}
	if to == "pal@far.test" {
		to = "eve@here.test" // forwards
	}
	if want := "lst-ret-" + strings.Replace(to, "@", "=", 1) + "@here.test"; sender != want {
		return fmt.Errorf("a message of the list comes from %q, want %q", sender, want)
	}
	return nil
}

// flakyListener makes some connections break, and counts those that there are.
type flakyListener struct {
	net.Listener
	s *sink
}

func (l flakyListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &breaking{Conn: conn, open: &l.s.open}
	c.left.Store(math.MaxInt64)
	if l.s.chance(10) {
		l.s.mu.Lock()
		c.left.Store(int64(l.s.r.IntN(6000)))
		l.s.mu.Unlock()
	}
	c.open.Add(1)
	return c, nil
}

// breaking is a connection that ends after so many bytes, in whatever direction.
type breaking struct {
	net.Conn
	left  atomic.Int64
	open  *atomic.Int64
	close sync.Once
}

func (c *breaking) Close() error {
	c.close.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

var errBroken = errors.New("broken")

func (c *breaking) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.left.Add(-int64(n)) < 0 {
		c.Close()
		return 0, errBroken
	}
	return n, err
}

func (c *breaking) Write(p []byte) (int, error) {
	if c.left.Add(-int64(len(p))) < 0 {
		c.Close()
		return 0, errBroken
	}
	return c.Conn.Write(p)
}
