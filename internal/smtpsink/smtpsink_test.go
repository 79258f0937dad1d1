package smtpsink

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// start runs a server on a loopback port until the test ends.
func start(t *testing.T, s *Server) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// talk sends everything at once and returns all that comes back.
func talk(t *testing.T, address, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	go conn.Write([]byte(text))
	var all bytes.Buffer
	all.ReadFrom(conn)
	return all.String()
}

func TestSession(t *testing.T) {
	const hello = "HELO me\r\n"
	const envelope = hello + "MAIL FROM:<a@test.example>\r\nRCPT TO:<b@example.org>\r\n"
	long := strings.Repeat("x", mostLine+10)
	tests := []struct {
		name, send string
		replies    string // first digits of each reply after the greeting
		data       []string
	}{
		{"plain", envelope + "DATA\r\nx\r\n.\r\nQUIT\r\n", "250 250 250 354 250 221", []string{"x\r\n"}},
		{"empty", envelope + "DATA\r\n.\r\nQUIT\r\n", "250 250 250 354 250 221", []string{""}},
		{"dots", envelope + "DATA\r\n..\r\n...\r\nx.\r\n.\r\nQUIT\r\n", "250 250 250 354 250 221", []string{".\r\n..\r\nx.\r\n"}},
		{"bare line ends are data", envelope + "DATA\r\na\n.\nb\r.\rc\n.\r\n\r.\r\n\r\n.\r\nQUIT\r\n", "250 250 250 354 250 221", []string{"a\n.\nb\r.\rc\n.\r\n\r.\r\n\r\n"}},
		{"long line", envelope + "DATA\r\n" + long + "\r\n.\r\nQUIT\r\n", "250 250 250 354 250 221", []string{long + "\r\n"}},
		{"long line that fills the buffer", envelope + "DATA\r\n" + long[:mostLine-1] + "\r\n.\r\nQUIT\r\n", "250 250 250 354 250 221", []string{long[:mostLine-1] + "\r\n"}},
		{"too big", envelope + "DATA\r\n" + strings.Repeat(long+"\r\n", 20) + ".\r\nQUIT\r\n", "250 250 250 354 552 221", nil},
		{"two messages", envelope + "DATA\r\nx\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<c@example.org>\r\nDATA\r\ny\r\n.\r\nQUIT\r\n", "250 250 250 354 250 250 250 354 250 221", []string{"x\r\n", "y\r\n"}},
		{"cut off", envelope + "DATA\r\nx\r\n.", "250 250 250 354", nil},
		{"no recipient", hello + "MAIL FROM:<>\r\nDATA\r\nQUIT\r\n", "250 250 503 221", nil},
		{"no sender", hello + "RCPT TO:<a@example.org>\r\nQUIT\r\n", "250 503 221", nil},
		{"syntax", hello + "MAIL FROM:a\r\nMAIL\r\nMAIL FROM:<a\r\nQUIT\r\n", "250 501 501 501 221", nil},
		{"other commands", "NOOP\r\nVRFY x\r\nRSET\r\nSTARTTLS\r\n\r\nQUIT\r\n", "250 252 250 500 500 221", nil},
		{"long command", "NOOP " + long + "\r\nQUIT\r\n", "500 221", nil},
		{"extensions", "EHLO me\r\nQUIT\r\n", "250-250-250-250 221", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			address := start(t, &Server{MaxSize: 1 << 20, Deliver: func(m *Message) error {
				got = append(got, string(m.Data))
				return nil
			}})
			var replies strings.Builder
			if tt.name == "cut off" {
				replies.WriteString(cutOff(t, address, tt.send))
			} else {
				replies.WriteString(talk(t, address, tt.send))
			}
			lines := bufio.NewScanner(strings.NewReader(replies.String()))
			lines.Scan() // the greeting
			codes := ""
			for lines.Scan() {
				codes += lines.Text()[:4]
			}
			codes = strings.ReplaceAll(strings.TrimSpace(codes), "  ", " ")
			if codes != tt.replies {
				t.Errorf("replies %q, want %q", codes, tt.replies)
			}
			if strings.Join(got, "|") != strings.Join(tt.data, "|") || len(got) != len(tt.data) {
				t.Errorf("messages %.200q, want %.200q", got, tt.data)
			}
		})
	}
}

// cutOff is talk, but the client stops sending in the middle.
func cutOff(t *testing.T, address, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte(text))
	conn.(*net.TCPConn).CloseWrite()
	var all bytes.Buffer
	all.ReadFrom(conn)
	return all.String()
}

func TestEnvelope(t *testing.T) {
	var got *Message
	address := start(t, &Server{
		Refuse: func(verb, path string) string {
			if verb == "RCPT" && path == "no@example.org" {
				return "550 no"
			}
			return ""
		},
		Deliver: func(m *Message) error { got = m; return errors.New("disk\nfull") },
	})
	replies := talk(t, address, "EHLO client.test.example\r\nMAIL FROM:<\"<a> \\\"\"@test.example> SIZE=5 BODY=8BITMIME\r\n"+
		"RCPT TO:<no@example.org>\r\nrcpt to: <yes@example.org> X\r\nDATA\r\na\r\nb\r\n.\r\nQUIT\r\n")
	if !strings.Contains(replies, "550 no\r\n") || !strings.Contains(replies, "451 disk full\r\n") {
		t.Errorf("replies are %q", replies)
	}
	if got == nil {
		t.Fatal("no message")
	}
	if got.Hello != "client.test.example" || got.Sender != `"<a> \""@test.example` ||
		strings.Join(got.Recipients, " ") != "yes@example.org" || string(got.Text()) != "a\nb\n" {
		t.Errorf("message is %+v", got)
	}
}

// TestStop ends the server while a client is silent.
func TestStop(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- (&Server{Delay: time.Millisecond}).Serve(ctx, listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	bufio.NewReader(conn).ReadString('\n')
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestMaildir(t *testing.T) {
	d, err := NewMaildir(t.TempDir() + "/a/b")
	if err != nil {
		t.Fatal(err)
	}
	m := &Message{Sender: "a@test.example", Recipients: []string{"b@example.org", "c@example.org"}, Data: []byte("x\r\n")}
	name, err := d.Deliver(m)
	if err != nil {
		t.Fatal(err)
	}
	again, err := d.Deliver(m)
	if err != nil || again == name {
		t.Errorf("second message in %q, %v", again, err)
	}
	got, err := os.ReadFile(name)
	if want := "Return-Path: <a@test.example>\nDelivered-To: b@example.org\nDelivered-To: c@example.org\nx\n"; string(got) != want {
		t.Errorf("file is %q, %v, want %q", got, err, want)
	}
}

func TestRefusals(t *testing.T) {
	var r Refusals
	for _, text := range []string{"No@Example.org=550", "@later.example=451"} {
		if err := r.Set(text); err != nil {
			t.Errorf("Set(%q): %v", text, err)
		}
	}
	for _, text := range []string{"", "a@b", "a@b=250", "a@b=55", "a@b=5x0", "a@b=5500"} {
		if r.Set(text) == nil {
			t.Errorf("Set(%q) gives no error", text)
		}
	}
	tests := []struct{ verb, path, want string }{
		{"RCPT", "no@example.ORG", "550 no such mailbox (#5.1.1)"},
		{"RCPT", "yes@example.org", ""},
		{"RCPT", "any@later.example", "451 not now (#4.2.1)"},
		{"RCPT", "postmaster", ""},
		{"RCPT", "", ""},
		{"MAIL", "no@example.org", ""},
	}
	for _, tt := range tests {
		if got := r.Reply(tt.verb, tt.path); got != tt.want {
			t.Errorf("Reply(%q, %q) = %q, want %q", tt.verb, tt.path, got, tt.want)
		}
	}
}

func TestPrinter(t *testing.T) {
	d, err := NewMaildir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	m := &Message{Sender: "a\x1b@test.example", Recipients: []string{"b@x.example", "c@x.example"}, Data: []byte("x\r\n")}
	p := &Printer{Out: &out, Err: &errs}
	if err := p.Deliver(m); err != nil {
		t.Error(err)
	}
	p.Maildir = d
	if err := p.Deliver(m); err != nil {
		t.Error(err)
	}
	line := "smtp-sink: from <a?@test.example> to <b@x.example> <c@x.example>, 3 bytes"
	if got := out.String(); !strings.HasPrefix(got, line+"\n"+line+" in "+d.path+"/new/") {
		t.Errorf("printed %q", got)
	}
	p.Maildir = &Maildir{path: d.path + "/none"}
	if p.Deliver(m) == nil || !strings.HasPrefix(errs.String(), "smtp-sink: warning: ") {
		t.Errorf("a maildir that is not there is no error; printed %q", errs.String())
	}
}

// scripted is a client that has said all and only listens.
type scripted struct {
	net.Conn
	in *strings.Reader
}

func (c scripted) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c scripted) Write(p []byte) (int, error) { return len(p), nil }
func (c scripted) SetDeadline(time.Time) error { return nil }
func (c scripted) RemoteAddr() net.Addr        { return &net.TCPAddr{} }

// Whatever a client says, a message has recipients, and what is stored of it is what
// came in one piece, without the dots that lines begin with.
func FuzzSession(f *testing.F) {
	f.Add("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<\"x>y\"@z>\r\nDATA\r\n..\r\n.\n\r\n.\r\nQUIT\r\n")
	f.Add("MAIL FROM:<>\r\nRCPT TO:<x>\r\nDATA\r\n.\r\nDATA\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		plain := strings.ReplaceAll(text, "\r\n.", "\r\n")
		s := &Server{Deliver: func(m *Message) error {
			if len(m.Recipients) == 0 || !strings.Contains(plain, "\n"+string(m.Data)) {
				t.Errorf("%q gives a message for %q: %q", text, m.Recipients, m.Data)
			}
			return nil
		}}
		newSession(s, scripted{in: strings.NewReader(text)}).run(t.Context())
	})
}
