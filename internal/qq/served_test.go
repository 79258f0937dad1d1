package qq

import (
	"fmt"
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
			s := serve.Server{Self: id, Most: 1, Take: func(request []byte, files []*os.File) serve.Answer {
				message, envelope, ok := serve.SplitTexts(request)
				if len(files) == 2 {
					message, _ = io.ReadAll(files[0])
					envelope, _ = io.ReadAll(files[1])
				} else if !ok {
					t.Errorf("request is %q", request)
				}
				a := take(string(message), string(envelope))
				a.Text = "4711"
				if a.Code < 0 {
					c.Close()
				}
				return a
			}}
			go func() {
				s.Serve(c)
				c.Close()
			}()
		}
	}()
	return Queue{Home: home, Env: os.Environ()}
}

// TestServed queues messages of all kinds, in a process that queues many and in one that
// has only this one to queue.
func TestServed(t *testing.T) {
	conns := &Conns{}
	t.Run("many", func(t *testing.T) { testServed(t, Queue{Conns: conns}) })
	if len(conns.idle) != 1 {
		t.Errorf("%d connections are kept", len(conns.idle))
	}
	t.Run("some", func(t *testing.T) { testServed(t, Queue{}) })
	t.Run("one", func(t *testing.T) { testServed(t, Queue{Once: true}) })
}

func testServed(t *testing.T, how Queue) {
	taken := make(chan [2]string, 1)
	q := staying(t, func(m, e string) serve.Answer {
		taken <- [2]string{m, e}
		return serve.Answer{}
	})
	q.Conns, q.Once = how.Conns, how.Once
	var envelope strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&envelope, "Tsubscriber%d@example.org\x00", i)
	}
	for _, tt := range []struct {
		name, body, to string
	}{
		{"small", "Subject: hi\n\n\x00", "Tjoe@example.org\x00"},
		{"empty", "", ""},
		{"small again", "x\n", "Tjoe@example.org\x00"},
		{"large", strings.Repeat("line\n", 100000), "Tjoe@example.org\x00"},
		{"many recipients", "x\n", envelope.String()},
	} {
		m, err := q.Open()
		if err != nil {
			t.Fatal(err)
		}
		m.WriteString(tt.body)
		m.From("ann@example.org")
		for _, to := range strings.Split(tt.to, "\x00") {
			if to != "" {
				m.To(to[1:])
			}
		}
		if err := m.Close(); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := <-taken; got[0] != tt.body || got[1] != "Fann@example.org\x00"+tt.to+"\x00" {
			t.Errorf("%s: got a message of %d bytes, envelope of %d", tt.name, len(got[0]), len(got[1]))
		}
		if m.PID() != 4711 {
			t.Errorf("%s: PID = %d", tt.name, m.PID())
		}
	}
}

// TestExample is the example of the package's documentation.
func TestExample(t *testing.T) {
	message, envelope, ok := serve.SplitTexts([]byte("\x00\x00\x00\x0dSubject: hi\n\nFann@example.org\x00Tjoe@example.org\x00\x00"))
	if string(message) != "Subject: hi\n\n" || string(envelope) != "Fann@example.org\x00Tjoe@example.org\x00\x00" || !ok {
		t.Errorf("got %q, %q, %v", message, envelope, ok)
	}
}

// TestConnsEnded has a process that ends while a connection to it is kept.
func TestConnsEnded(t *testing.T) {
	q := staying(t, func(m, _ string) serve.Answer {
		if m == "last\n" {
			return serve.Answer{Code: -1}
		}
		return serve.Answer{}
	})
	q.Conns = &Conns{}
	if err := send(t, q, "first\n"); err != nil {
		t.Error(err)
	}
	if err := send(t, q, "last\n"); err == nil {
		t.Error("a message of which nothing is known is said to be queued")
	}
	if err := send(t, q, "another\n"); err != nil {
		t.Error(err)
	}
}

func TestServedVerdicts(t *testing.T) {
	for _, tt := range []struct {
		code int
		want string
	}{
		{53, "qq write error or disk full (#4.3.0)"},
		{31, "mail server permanently rejected message (#5.3.0)"},
		{-1, "qq crashed (#4.3.0)"},
	} {
		q := staying(t, func(_, _ string) serve.Answer { return serve.Answer{Code: tt.code} })
		for _, q.Once = range []bool{false, true} {
			if err := send(t, q, "x\n"); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%d: got %v, want %q", tt.code, err, tt.want)
			}
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
	for _, size := range []int{1, 1 << 20} {
		m, err := q.Open()
		if err != nil {
			t.Fatal(err)
		}
		m.WriteString(strings.Repeat("x", size))
		m.From("ann@example.org")
		m.Fail()
		m.To("joe@example.org")
		if err := m.Close(); err == nil || err.Error() != "qq read error (#4.3.0)" {
			t.Errorf("Close says %v", err)
		}
		if size == 1 {
			continue // nobody was asked
		}
		if envelope := <-taken; strings.HasSuffix(envelope, "\x00\x00") {
			t.Errorf("the envelope is whole: %q", envelope)
		}
	}
	if len(taken) > 0 {
		t.Errorf("more was asked for: %q", <-taken)
	}
}

// TestServedOnce has a process that can take no more: the program is started.
func TestServedOnce(t *testing.T) {
	q := staying(t, func(_, _ string) serve.Answer { return serve.Answer{Code: serve.Once} })
	if err := send(t, q, "x\n"); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(filepath.Join(q.Home, "message")); string(got) != "x\n" {
		t.Errorf("the program got %q", got)
	}
}

// TestMain is the program, too.
func TestMain(m *testing.M) {
	if os.Args[0] != usual {
		os.Exit(m.Run())
	}
	message, _ := io.ReadAll(os.Stdin)
	io.Copy(io.Discard, os.NewFile(1, "envelope"))
	if os.WriteFile("message", message, 0o644) != nil {
		os.Exit(1)
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
