package fdconn

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func pipes(t *testing.T) (c *Conn, peerIn, peerOut *os.File) {
	t.Helper()
	r1, w1, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r2, w2, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r1.Close(); w1.Close(); r2.Close(); w2.Close() })
	return New(int(r1.Fd()), int(w2.Fd())), r2, w1
}

var _ net.Conn = (*Conn)(nil)

func TestReadAndWrite(t *testing.T) {
	c, in, out := pipes(t)
	go func() { io.WriteString(out, "hello"); out.Close() }()
	got, err := io.ReadAll(c)
	if string(got) != "hello" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	big := strings.Repeat("x", 200<<10) // more than a pipe holds
	done := make(chan string)
	go func() {
		b := make([]byte, len(big))
		io.ReadFull(in, b)
		done <- string(b)
	}()
	if n, err := io.WriteString(c, big); n != len(big) || err != nil {
		t.Fatalf("wrote %d, %v", n, err)
	}
	if <-done != big {
		t.Error("other bytes came out than went in")
	}
}

func TestDeadline(t *testing.T) {
	c, _, _ := pipes(t)
	c.SetDeadline(time.Now().Add(-time.Second))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read after the deadline: %v", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("write after the deadline: %v", err)
	}
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read until the deadline: %v", err)
	}
}

func TestIsSocket(t *testing.T) {
	c, _, _ := pipes(t)
	if IsSocket(c.in) {
		t.Error("a pipe is a socket")
	}
}
