package smtp

import (
	"bufio"
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"goqmail/receive"
	"goqmail/receive/listen"
	"goqmail/receive/receivetest"
)

// TestMany has one server serve many clients at a time.
func TestMany(t *testing.T) {
	w := newWorld(t, nil)
	var mu sync.Mutex
	var queues []*receivetest.Queue
	w.server.Queue = func(env receive.Env) (receive.Message, error) {
		q := &receivetest.Queue{}
		mu.Lock()
		queues = append(queues, q)
		mu.Unlock()
		return q.Open(env)
	}
	w.server.Log = &Log{Out: io.Discard, Network: true}
	many := &listen.Server{Max: 8, MaxOne: 8, Busy: Busy, Grace: time.Minute,
		Serve: func(conn net.Conn, env receive.Env) { w.server.Serve(conn, env) }}
	sockets, err := listen.Open([]listen.Address{{Address: "127.0.0.1:0"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- many.Run(ctx, sockets...) }()
	const clients = 30
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			conn, err := net.Dial("tcp", sockets[0].Listener.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			io.WriteString(conn, envelope+"x\r\n.\r\nQUIT\r\n")
			out, err := io.ReadAll(bufio.NewReader(conn))
			if !strings.HasSuffix(string(out), farewell) || err != nil {
				t.Errorf("answered %q, %v", out, err)
			}
		})
	}
	group.Wait()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	queued := 0
	for _, q := range queues {
		queued += len(q.Messages)
	}
	if queued != clients {
		t.Errorf("queued %d messages, want %d", queued, clients)
	}
}

// TestNothingStays has clients go away after any byte of a session: what served them
// ends.
func TestNothingStays(t *testing.T) {
	before := runtime.NumGoroutine()
	w := newWorld(t, nil)
	w.server.Log = nil
	var begun, ended atomic.Int64
	w.server.Queue = func(env receive.Env) (receive.Message, error) {
		begun.Add(1)
		m, err := (&receivetest.Queue{}).Open(env)
		return closing{m, &ended}, err
	}
	many := &listen.Server{Max: 4, MaxOne: 4, Busy: Busy, Grace: time.Minute,
		Serve: func(conn net.Conn, env receive.Env) { w.server.Serve(conn, env) }}
	sockets, err := listen.Open([]listen.Address{{Address: "127.0.0.1:0"}, {Address: "127.0.0.1:0"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- many.Run(ctx, sockets...) }()
	session := "EHLO a\r\nAUTH PLAIN\r\n*\r\n" + envelope + "x\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<r@test.example>\r\nBDAT 3\r\nabcBDAT 3 LAST\r\nabcQUIT\r\n"
	for i := range len(session) + 1 {
		conn, err := net.Dial("tcp", sockets[i%2].Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, session[:i])
		if i%3 == 0 {
			conn.(*net.TCPConn).SetLinger(0)
		} else {
			conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, conn)
		}
		conn.Close()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if begun.Load() != ended.Load() || begun.Load() == 0 {
		t.Errorf("%d messages begun, %d ended", begun.Load(), ended.Load())
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if runtime.NumGoroutine() <= before {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

// closing counts messages that come to their end.
type closing struct {
	receive.Message
	ended *atomic.Int64
}

func (m closing) Close() error {
	m.ended.Add(1)
	return m.Message.Close()
}
