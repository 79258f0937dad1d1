package remote

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"goqmail/internal/smtpsink"
)

// startSink runs a server that keeps what it gets, and returns a route to it.
func startSink(tb testing.TB, keep func(*smtpsink.Message)) []string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	server := &smtpsink.Server{Deliver: func(m *smtpsink.Message) error { keep(m); return nil }}
	go func() { done <- server.Serve(ctx, listener) }()
	tb.Cleanup(func() {
		cancel()
		<-done
	})
	return []string{":" + listener.Addr().String()}
}

// TestSink sends messages of many kinds to a real server: what arrives is what
// was sent.
func TestSink(t *testing.T) {
	var got *smtpsink.Message
	s := settings()
	s.Routes = ParseRoutes(startSink(t, func(m *smtpsink.Message) { got = m }))
	c := (&network{t: t}).client(noDNS{t})
	c.Dial = DialTCP
	messages := map[string]string{
		"empty":   "",
		"usual":   "Subject: x\n\nbody\n",
		"dots":    strings.Repeat(".\n..\n", 10000),
		"binary":  strings.Repeat("\x00\x01\xff\x80\n", 10000),
		"large":   strings.Repeat(strings.Repeat("QUJD", 19)+"\n", 20<<20/77),
		"1 line":  strings.Repeat("x", 1<<20) + "\n",
		"headers": strings.Repeat("X-Header: value\n", 5000) + "\n",
	}
	for name, text := range messages {
		got = nil
		m := literalMail(text)
		m.Recipients = []string{"b@example.org", "c c@example.org"}
		reports := send(t, c, s, m)
		if want := "r|r|K127.0.0.1 accepted message.\nRemote host said: 250 ok\n|"; reports != want {
			t.Errorf("%s: reports %q, want %q", name, reports, want)
			continue
		}
		if !bytes.Equal(got.Text(), []byte(text)) {
			t.Errorf("%s: %d bytes arrive as %d others", name, len(text), len(got.Text()))
		}
		if envelope := fmt.Sprint(got.Hello, got.Sender, got.Recipients); envelope != `me.test.examplea@test.example[b@example.org "c c"@example.org]` {
			t.Errorf("%s: envelope arrives as %s", name, envelope)
		}
	}
}

// BenchmarkSend is a whole delivery of a message of 1 MB over the loopback
// interface.
func BenchmarkSend(b *testing.B) {
	s := settings()
	s.Routes = ParseRoutes(startSink(b, func(*smtpsink.Message) {}))
	text := strings.Repeat(strings.Repeat("QUJD", 19)+"\n", 1<<20/77)
	c := &Client{Dial: DialTCP, Now: time.Now}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		var out bytes.Buffer
		if err := c.Send(context.Background(), s, literalMail(text), &out); err != nil || !bytes.Contains(out.Bytes(), []byte("\x00K")) {
			b.Fatal(out.String(), err)
		}
	}
}
