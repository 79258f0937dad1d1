package listen

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goqmail/internal/cdb"
	"goqmail/internal/durable"
	"goqmail/receive"
)

// start runs a server whose sessions say hello and then wait for a line.
func start(t *testing.T, s *Server) (address string, stop func() error) {
	t.Helper()
	sockets, err := Open([]Address{{"smtp", "127.0.0.1:0"}}, nil)
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
	go func() { done <- s.Run(ctx, sockets...) }()
	return sockets[0].Listener.Addr().String(), func() error { cancel(); return <-done }
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
	r := &running{Server: &Server{MaxOne: 2}, clients: map[netip.Addr]int{}, conns: map[*watched]bool{}}
	pipe, _ := net.Pipe()
	a := &watched{Conn: pipe}
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
		if sockets, err := Open([]Address{{"smtp", "127.0.0.1:0"}, {"smtp", Systemd}}, env); err == nil || sockets != nil {
			t.Errorf("%v: no error", env)
		}
	}
}

// TestIdle has a client that says nothing lose its place to one who waits.
func TestIdle(t *testing.T) {
	cut := make(chan string, 9)
	address, stop := start(t, &Server{Max: 1, MaxOne: 1, Grace: time.Minute, Patience: 1,
		Log: func(what string, client net.Addr) { cut <- what + " " + client.String() }})
	idle, r := dial(t, address)
	r.ReadString('\n')
	second, waiting := dial(t, address)
	if line, err := waiting.ReadString('\n'); err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	second.Close()
	if got, want := <-cut, "idle, and others wait "+idle.LocalAddr().String(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestIdlest has the client that has said nothing for the longest time lose its place.
func TestIdlest(t *testing.T) {
	for _, tt := range []struct {
		patience time.Duration
		idle     []time.Duration
		want     int // which of them is cut off; -1 for none
	}{
		{time.Minute, nil, -1},
		{time.Minute, []time.Duration{time.Hour, 2 * time.Hour, time.Second}, 1},
		{time.Minute, []time.Duration{2 * time.Hour, time.Hour}, 0},
		{time.Hour, []time.Duration{time.Minute, time.Second}, -1},
		{0, []time.Duration{time.Minute}, -1},
		{0, []time.Duration{time.Hour}, 0},
	} {
		var all []*watched
		r := &running{Server: &Server{Patience: tt.patience, Log: func(string, net.Addr) {}}, conns: map[*watched]bool{}}
		for _, idle := range tt.idle {
			ours, _ := net.Pipe()
			conn := &watched{Conn: ours}
			conn.last.Store(time.Now().Add(-idle).UnixNano())
			all, r.conns[conn] = append(all, conn), true
		}
		r.cutOff()
		for i, conn := range all {
			err := conn.SetDeadline(time.Time{})
			if got := errors.Is(err, io.ErrClosedPipe); got != (i == tt.want) {
				t.Errorf("%v: %d is cut off: %v", tt.idle, i, got)
			}
		}
	}
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want string
		rest string
		ok   bool
	}{
		{"-listen :25 -smtps :465 checker -smtp x", "{[{smtp :25} {smtps :465}] }", "checker -smtp x", true},
		{"-smtp systemd", "{[{smtp systemd}] }", "", true},
		{"checker", "{[] }", "checker", true},
		{"-listen :1 -x a.cdb", "{[{smtp :1}] a.cdb}", "", true},
		{"-x", "{[] }", "", false},
		{"-listen", "{[] }", "", false},
		{"-unknown x", "{[] }", "-unknown x", true},
	} {
		got, rest, ok := Options(strings.Fields(tt.in), "smtp", "smtps")
		if fmt.Sprint(got) != tt.want || strings.Join(rest, " ") != tt.rest || ok != tt.ok {
			t.Errorf("%q: %v, %q, %v", tt.in, got, rest, ok)
		}
	}
}

// TestRules has the rules of tcprules, with the example of the documentation.
func TestRules(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tcp.smtp.cdb")
	err := cdb.Replace(durable.NewDir(filepath.Dir(file)), "tmp", filepath.Base(file), func(w *cdb.Writer) error {
		var all []error
		for key, value := range map[string]string{
			"192.0.2.": "+RELAYCLIENT=\x00+DATABYTES=0\x00", "192.0.2.66": "D", "198.51.100.": "D", "198.51.100.7": "",
			"2001:db8:": "+X=y=z\x00", "": "+ALL=1\x00",
		} {
			all = append(all, w.Add([]byte(key), []byte(value)))
		}
		return errors.Join(all...)
	})
	if err != nil {
		t.Fatal(err)
	}
	rules := Rules(file)
	for ip, want := range map[string]string{
		"192.0.2.1":    "true map[DATABYTES:0 RELAYCLIENT: TCPREMOTEIP:192.0.2.1]",
		"192.0.2.66":   "false map[TCPREMOTEIP:192.0.2.66]",
		"198.51.100.1": "false map[TCPREMOTEIP:198.51.100.1]",
		"198.51.100.7": "true map[TCPREMOTEIP:198.51.100.7]",
		"2001:db8::1":  "true map[TCPREMOTEIP:2001:db8::1 X:y=z]",
		"203.0.113.1":  "true map[ALL:1 TCPREMOTEIP:203.0.113.1]",
	} {
		env := receive.Env{"TCPREMOTEIP": ip}
		ok, err := rules(env)
		if got := fmt.Sprint(ok, " ", map[string]string(env)); got != want || err != nil {
			t.Errorf("%s: %s, %v, want %s", ip, got, err, want)
		}
	}
	if ok, err := Rules(file + "x")(receive.Env{}); ok || err == nil {
		t.Error("without a file clients are let in")
	}
}

// TestTurnedAway has the rules keep a client away.
func TestTurnedAway(t *testing.T) {
	var why string
	address, stop := start(t, &Server{Max: 1, MaxOne: 1, Grace: time.Minute,
		Rules: func(env receive.Env) (bool, error) { return env["TCPREMOTEIP"] != "127.0.0.1", nil },
		Log:   func(what string, _ net.Addr) { why = what }})
	_, r := dial(t, address)
	if line, err := r.ReadString('\n'); err == nil {
		t.Errorf("%q", line)
	}
	if err := stop(); err != nil || why != "denied by the rules" {
		t.Errorf("%q, %v", why, err)
	}
}

// FuzzApply checks that a value does nothing but what it says.
func FuzzApply(f *testing.F) {
	f.Add("+RELAYCLIENT=\x00+DATABYTES=0\x00D")
	f.Add("D+A")
	f.Fuzz(func(t *testing.T, value string) {
		env := receive.Env{}
		allowed := apply([]byte(value), env)
		if !allowed && !strings.Contains(value, "D") {
			t.Errorf("%q denies", value)
		}
		for name, text := range env {
			if !strings.Contains(value, "+"+name+"="+text) {
				t.Errorf("%q sets %q to %q", value, name, text)
			}
		}
	})
}
