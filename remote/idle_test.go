package remote

import (
	"strings"
	"testing"
	"time"
)

const transaction = envelope + "DATA\r\nx\r\n.\r\n"

// reusing returns a client that keeps connections, to one host.
func reusing(t *testing.T, h handler) (*network, *Client) {
	n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": h, "192.0.2.2:25": h}}
	c := n.client(noDNS{t})
	c.Idle = &Idle{Most: 2, Age: time.Hour, Messages: 3}
	return n, c
}

// TestIdle sends one message after another.
func TestIdle(t *testing.T) {
	h, heard := host()
	n, c := reusing(t, h)
	const ok = "r|K192.0.2.1 accepted message.\nRemote host said: 250 ok\n|"
	for i := range 4 {
		if got := send(t, c, settings(), literalMail("x\n")); got != ok {
			t.Errorf("reports %q", got)
		}
		if i == 2 {
			n.wait() // the first connection ends, and what was heard is noted before the next
		}
	}
	c.Idle.Close()
	n.wait()
	if want := helo + strings.Repeat(transaction, 3) + "QUIT\r\n" + helo + transaction + "QUIT\r\n"; heard.String() != want {
		t.Errorf("the host hears %q, want %q", heard, want)
	}
}

// TestIdleStale has a host that does not wait for another message: the message goes
// over a new connection.
func TestIdleStale(t *testing.T) {
	for _, tt := range []struct{ name, second string }{
		{"421", "421 idle for too long\r\n"},
		{"hangs up", "{close}"},
		{"452", "452 too many messages in this connection\r\n"},
		{"550", "550 too many messages in this connection\r\n"},
	} {
		h, heard := host("MAIL", "250 ok\r\n", "MAIL", tt.second)
		n, c := reusing(t, h)
		for range 2 {
			if got := send(t, c, settings(), literalMail("x\n")); !strings.HasPrefix(got, "r|K192.0.2.1 accepted") {
				t.Errorf("%s: reports %q", tt.name, got)
			}
		}
		c.Idle.Close()
		n.wait()
		if len(n.dialed) != 2 || strings.Count(heard.String(), "MAIL") != 3 {
			t.Errorf("%s: %d connections, the host hears %q", tt.name, len(n.dialed), heard)
		}
	}
}

// TestIdleRefused has a host that takes a message from one sender and not from another:
// that is so on a new connection, too.
func TestIdleRefused(t *testing.T) {
	h := func(p *peer) {
		p.say("220 x\r\n")
		for line := p.hear(); line != "" && line != "QUIT\r\n"; line = p.hear() {
			switch {
			case strings.HasPrefix(line, "MAIL FROM:<b@"):
				p.say("550 not you\r\n")
			case line == "DATA\r\n":
				p.say("354 go\r\n")
				for line != ".\r\n" && line != "" {
					line = p.hear()
				}
				p.say("250 ok\r\n")
			default:
				p.say("250 ok\r\n")
			}
		}
	}
	n, c := reusing(t, h)
	send(t, c, settings(), literalMail("x\n"))
	m := literalMail("x\n")
	m.Sender = "b@test.example"
	want := "DConnected to 192.0.2.1 but sender was rejected.\nRemote host said: 550 not you\n|"
	if got := send(t, c, settings(), m); got != want {
		t.Errorf("reports %q, want %q", got, want)
	}
	c.Idle.Close()
	if n.wait(); len(n.dialed) != 2 {
		t.Errorf("connected %d times", len(n.dialed))
	}
}

// TestIdleLost loses the connection when the host may have the second message, which
// must not be sent again by itself.
func TestIdleLost(t *testing.T) {
	h, _ := host(".", "250 ok\r\n", ".", "{close}")
	n, c := reusing(t, h)
	send(t, c, settings(), literalMail("x\n"))
	got := send(t, c, settings(), literalMail("x\n"))
	if want := "r|ZConnected to 192.0.2.1 but connection died. Possible duplicate! (#4.4.2)\n|"; got != want {
		t.Errorf("reports %q, want %q", got, want)
	}
	if n.wait(); len(n.dialed) != 1 {
		t.Errorf("connected %d times", len(n.dialed))
	}
}

// TestIdleOutOfStep has a host that says two things of a message: the second must not
// be taken for an answer about the next one.
func TestIdleOutOfStep(t *testing.T) {
	h, _ := host(".", "250 ok\r\n250 ok\r\n")
	n, c := reusing(t, h)
	for range 2 {
		if got := send(t, c, settings(), literalMail("x\n")); !strings.HasPrefix(got, "r|K192.0.2.1 accepted") {
			t.Errorf("reports %q", got)
		}
		n.wait()
	}
	if len(n.dialed) != 2 {
		t.Errorf("connected %d times", len(n.dialed))
	}
}

// TestIdleApart has messages that must not share a connection.
func TestIdleApart(t *testing.T) {
	for name, change := range map[string]func(m *Mail, s *Settings){
		"another host":           func(m *Mail, _ *Settings) { m.Host = "[192.0.2.2]" },
		"another name":           func(_ *Mail, s *Settings) { s.Helo = "other.test.example" },
		"another sending domain": func(m *Mail, _ *Settings) { m.Sender = "a@other.example" },
		"the first one failed":   func(*Mail, *Settings) {},
	} {
		replies := []string{}
		if strings.Contains(name, "failed") {
			replies = []string{"RCPT", "550 no\r\n"}
		}
		h, _ := host(replies...)
		n, c := reusing(t, h)
		send(t, c, settings(), literalMail("x\n"))
		m, s := literalMail("x\n"), settings()
		change(m, s)
		send(t, c, s, m)
		c.Idle.Close()
		if n.wait(); len(n.dialed) != 2 {
			t.Errorf("%s: connected %d times", name, len(n.dialed))
		}
	}
}

// TestIdleEnds has nobody want the connection.
func TestIdleEnds(t *testing.T) {
	h, heard := host()
	n, c := reusing(t, h)
	c.Idle.Age = time.Millisecond
	send(t, c, settings(), literalMail("x\n"))
	n.wait() // until the host has heard the end
	if want := helo + transaction + "QUIT\r\n"; heard.String() != want {
		t.Errorf("the host hears %q, want %q", heard, want)
	}
	c.Idle.mu.Lock()
	defer c.Idle.mu.Unlock()
	if c.Idle.n != 0 || len(c.Idle.sessions) != 0 {
		t.Errorf("%d sessions are kept", c.Idle.n)
	}
}
