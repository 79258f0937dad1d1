package receive

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// clocked is a connection that notes until when it would be waited for.
type clocked struct {
	net.Conn
	r     io.Reader
	until time.Time
}

func (c *clocked) SetReadDeadline(t time.Time) error { c.until = t; return nil }
func (c *clocked) Read(p []byte) (int, error)        { return c.r.Read(p) }

// TestSlow has input come a byte now and then: each is waited for, but not for ever.
func TestSlow(t *testing.T) {
	conn := &clocked{r: strings.NewReader(strings.Repeat("x", 1<<20) + "\n")}
	w := NewWire(conn, time.Hour)
	waits := func() time.Duration {
		if _, err := w.ReadByte(); err != nil {
			t.Fatal(err)
		}
		w.in.Discard(w.in.Buffered()) // so that the next one has to be read
		return time.Until(conn.until).Round(time.Minute)
	}
	if got := waits(); got != time.Hour {
		t.Errorf("nothing has begun: %v", got)
	}
	w.Begin()
	if got := waits(); got != time.Hour {
		t.Errorf("at the beginning: %v", got)
	}
	w.began, w.got = time.Now().Add(-50*time.Minute), 0
	if got := waits(); got != 10*time.Minute {
		t.Errorf("50 minutes later: %v", got)
	}
	w.began, w.got = time.Now().Add(-50*time.Minute), 30*60*minRate
	if got := waits(); got != 40*time.Minute {
		t.Errorf("with as much as comes in 30 minutes: %v", got)
	}
	w.began, w.got = time.Now().Add(-50*time.Minute), 80*60*minRate
	if got := waits(); got != time.Hour {
		t.Errorf("with more than must be: %v", got)
	}
	w.End = time.Now().Add(5 * time.Minute)
	if got := waits(); got != 5*time.Minute {
		t.Errorf("at the end of the session: %v", got)
	}
	w.End = time.Time{}
	w.began = time.Now().Add(-50 * time.Minute)
	w.Line()
	if time.Since(w.began) > time.Minute {
		t.Error("a command does not begin anew")
	}
}

func TestEarly(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	w := NewWire(there, time.Minute)
	if early, err := w.Early(time.Millisecond); early || err != nil {
		t.Errorf("silence: %v, %v", early, err)
	}
	go io.WriteString(here, "x\n")
	if early, err := w.Early(time.Minute); !early || err != nil {
		t.Errorf("talk: %v, %v", early, err)
	}
	if line, err := w.Line(); line != "x" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
}
