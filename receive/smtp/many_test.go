package smtp

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync"
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
