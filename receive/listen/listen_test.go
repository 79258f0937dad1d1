package listen

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"goqmail/receive"
)

// start runs a server whose sessions say hello and then wait for a line.
func start(t *testing.T, s *Server) (address string, stop func() error) {
	t.Helper()
	l, err := Open("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Serve == nil {
		s.Serve = func(conn net.Conn, env receive.Env) {
			io.WriteString(conn, "hello "+env["TCPREMOTEIP"]+" "+env["PROTO"]+" "+env["X"]+env["TCPREMOTEHOST"]+"\n")
			bufio.NewReader(conn).ReadString('\n')
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l) }()
	return l.Addr().String(), func() error { cancel(); return <-done }
}

func dial(t *testing.T, address string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn, bufio.NewReader(conn)
}

func TestSessions(t *testing.T) {
	address, stop := start(t, &Server{Max: 2, MaxOne: 2, Env: receive.Env{"X": "x", "TCPREMOTEHOST": "liar.example"}, Grace: time.Minute})
	var conns []net.Conn
	for range 2 {
		conn, r := dial(t, address)
		if line, err := r.ReadString('\n'); line != "hello 127.0.0.1 TCP x\n" || err != nil {
			t.Fatalf("%q, %v", line, err)
		}
		conns = append(conns, conn)
	}
	third, waiting := dial(t, address) // its turn comes when another ends
	io.WriteString(conns[0], "bye\n")
	if line, err := waiting.ReadString('\n'); !strings.HasPrefix(line, "hello") || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	io.WriteString(conns[1], "bye\n")
	third.Close()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestStop(t *testing.T) {
	address, stop := start(t, &Server{Max: 5, MaxOne: 5, Grace: 10 * time.Millisecond})
	_, r := dial(t, address)
	r.ReadString('\n')
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := r.ReadString('\n'); err == nil {
		t.Error("the session goes on")
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("connections are still accepted")
	}
}

func TestOneAddress(t *testing.T) {
	r := &running{Server: &Server{MaxOne: 2}, clients: map[netip.Addr]int{}, conns: map[net.Conn]bool{}}
	a, _ := net.Pipe()
	addr := func(ip string) netip.Addr { return network(&net.TCPAddr{IP: net.ParseIP(ip)}) }
	for i, tt := range []struct {
		ip   string
		want bool
	}{
		{"192.0.2.1", true}, {"192.0.2.1", true}, {"192.0.2.1", false}, {"192.0.2.2", true},
		{"2001:db8::1", true}, {"2001:db8::2", true}, {"2001:db8::3", false}, {"2001:db8:0:1::3", true},
		{"127.0.0.1", true}, {"127.0.0.1", true}, {"127.0.0.1", true}, {"::1", true}, {"::1", true}, {"::1", true},
	} {
		if got := r.enter(addr(tt.ip), a); got != tt.want {
			t.Errorf("%d: %s: %v", i, tt.ip, got)
		}
	}
	r.leave(addr("192.0.2.1"), a)
	if !r.enter(addr("192.0.2.1"), a) {
		t.Error("a place that was left is not free")
	}
}

func TestSystemd(t *testing.T) {
	for _, env := range []receive.Env{nil, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}} {
		if l, err := Open(Systemd, env); err == nil {
			l.Close()
			t.Errorf("%v: no error", env)
		}
	}
}
