package qq

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/serve"
)

// staying has this process take messages for a home whose qmail-queue it is.
func staying(t *testing.T, take func(message, envelope string) serve.Answer) Queue {
	t.Helper()
	// The name of a socket is short, that of a test's folder may not be.
	home, err := os.MkdirTemp("", "qq")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	os.Mkdir(filepath.Join(home, "bin"), 0o755)
	os.Mkdir(filepath.Join(home, "queue"), 0o755)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(exe, filepath.Join(home, usual)); err != nil {
		t.Fatal(err)
	}
	id, err := serve.Self()
	if err != nil {
		t.Fatal(err)
	}
	l, err := serve.Listen(filepath.Join(home, serve.QueueSocket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, _, err := l.Accept()
			if err != nil {
				return
			}
			s := serve.Server{Self: id, Note: "4711", Most: 1, Do: func(_ []string, files []*os.File) serve.Answer {
				message, _ := io.ReadAll(files[0])
				envelope, _ := io.ReadAll(files[1])
				a := take(string(message), string(envelope))
				if a.Code < 0 {
					c.Close()
				}
				return a
			}}
			s.Serve(c)
			c.Close()
		}
	}()
	return Queue{Home: home, Env: os.Environ()}
}

func TestServed(t *testing.T) {
	taken := make(chan [2]string, 1)
	q := staying(t, func(m, e string) serve.Answer {
		taken <- [2]string{m, e}
		return serve.Answer{}
	})
	body := strings.Repeat("line\n", 100000)
	m, err := q.Open()
	if err != nil {
		t.Fatal(err)
	}
	if m.PID() != 4711 {
		t.Errorf("PID = %d", m.PID())
	}
	m.WriteString(body)
	m.From("ann@example.org")
	m.To("joe@example.org")
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-taken; got[0] != body || got[1] != "Fann@example.org\x00Tjoe@example.org\x00\x00" {
		t.Errorf("got a message of %d bytes, envelope %q", len(got[0]), got[1])
	}
}

func TestServedVerdicts(t *testing.T) {
	for _, tt := range []struct {
		code int
		want string
	}{
		{53, "qq write error or disk full (#4.3.0)"},
		{31, "mail server permanently rejected message (#5.3.0)"},
		{serve.Once, "qq temporary problem (#4.3.0)"},
		{-1, "qq crashed (#4.3.0)"},
	} {
		q := staying(t, func(_, _ string) serve.Answer { return serve.Answer{Code: tt.code} })
		if err := send(t, q, "x\n"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%d: got %v, want %q", tt.code, err, tt.want)
		}
	}
}

// TestServedFail gives a message up half way: the envelope has no end.
func TestServedFail(t *testing.T) {
	taken := make(chan string, 1)
	q := staying(t, func(_, e string) serve.Answer {
		taken <- e
		return serve.Answer{Code: 54}
	})
	m, err := q.Open()
	if err != nil {
		t.Fatal(err)
	}
	m.From("ann@example.org")
	m.Fail()
	m.To("joe@example.org")
	if err := m.Close(); err == nil {
		t.Error("Close says that it is queued")
	}
	if envelope := <-taken; strings.HasSuffix(envelope, "\x00\x00") {
		t.Errorf("the envelope is whole: %q", envelope)
	}
}

// TestNotServed has a program that must not be passed over.
func TestNotServed(t *testing.T) {
	q := staying(t, func(_, _ string) serve.Answer { return serve.Answer{Code: 31} })
	wrapper := filepath.Join(q.Home, "wrapper")
	if err := os.WriteFile(wrapper, []byte("#!/bin/sh\ncat >message\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	named := q
	named.Program = "./wrapper"
	if err := send(t, named, "named\n"); err != nil {
		t.Error(err)
	}
	if err := os.Rename(wrapper, filepath.Join(q.Home, usual)); err != nil {
		t.Fatal(err)
	}
	if err := send(t, q, "in its place\n"); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(filepath.Join(q.Home, "message")); string(got) != "in its place\n" {
		t.Errorf("the wrapper got %q", got)
	}
}
