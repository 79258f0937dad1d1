package qq

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/fault"
)

// script makes a home whose qmail-queue is a shell script.
func script(t *testing.T, text string) Queue {
	t.Helper()
	home := t.TempDir()
	os.Mkdir(filepath.Join(home, "bin"), 0o755)
	if err := os.WriteFile(filepath.Join(home, "bin/qmail-queue"), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return Queue{Home: home, Env: os.Environ()}
}

func send(t *testing.T, q Queue, body string) error {
	t.Helper()
	m, err := q.Open()
	if err != nil {
		t.Fatal(err)
	}
	m.WriteString(body)
	m.From("ann@example.org")
	m.To("joe@example.org")
	m.To("eve@example.org")
	return m.Close()
}

func TestMessage(t *testing.T) {
	q := script(t, "cat >message; cat <&1 >envelope\n")
	body := strings.Repeat("line\n", 100000)
	if err := send(t, q, body); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(q.Home, "message")); string(got) != body {
		t.Errorf("got a message of %d bytes, want %d", len(got), len(body))
	}
	want := "Fann@example.org\x00Tjoe@example.org\x00Teve@example.org\x00\x00"
	if got, _ := os.ReadFile(filepath.Join(q.Home, "envelope")); string(got) != want {
		t.Errorf("got envelope %q, want %q", got, want)
	}
}

func TestVerdicts(t *testing.T) {
	for _, tt := range []struct {
		script string
		perm   bool
		text   string
	}{
		{"cat >/dev/null; cat <&1 >/dev/null; exit 53", false, "qq write error or disk full (#4.3.0)"},
		{"exit 31", true, "mail server permanently rejected message (#5.3.0)"},
		{"exit 40", true, "qq permanent problem (#5.3.0)"},
		{"exit 41", false, "qq temporary problem (#4.3.0)"},
		{"exit 0", false, "qq read error (#4.3.0)"}, // with the message unread
		{"kill -9 $$", false, "qq crashed (#4.3.0)"},
		{"echo >&6 Dno thanks; exit 82", true, "no thanks\n"},
		{"echo >&4 Zlater; exit 88", false, "later\n"},
		{"echo >&6 Dno; exit 81", false, "qq internal bug (#4.3.0)"},
		{"exit 82", false, "qq temporary problem (#4.3.0)"},
		{"sleep 5 </dev/null >/dev/null 2>&1 & echo >&6 Dno; exit 82", true, "no\n"},
	} {
		q := script(t, tt.script+"\n")
		err := send(t, q, strings.Repeat("x", 1<<20))
		var f *fault.Error
		if !errors.As(err, &f) || f.Perm != tt.perm || f.Text != tt.text {
			t.Errorf("%s: got %v, want %q (for good: %v)", tt.script, err, tt.text, tt.perm)
		}
	}
}

func TestNotQueued(t *testing.T) {
	home := t.TempDir()
	for _, tt := range []struct {
		q    Queue
		text string
	}{
		{Queue{Home: filepath.Join(home, "none")}, "qq trouble in home directory (#4.3.0)"},
		{Queue{Home: home}, "unable to exec qq (#4.3.0)"},
	} {
		var f *fault.Error
		if err := send(t, tt.q, "x"); !errors.As(err, &f) || f.Perm || f.Text != tt.text {
			t.Errorf("%v: got %v, want %q", tt.q, err, tt.text)
		}
	}
	for name, spoil := range map[string]func(*Message){
		"Fail":               func(m *Message) { m.From("a"); m.To("b"); m.Fail() },
		"NUL":                func(m *Message) { m.From("a"); m.To("b\x00c") },
		"no envelope":        func(m *Message) {},
		"recipient too soon": func(m *Message) { m.To("b"); m.From("a") },
		"two senders":        func(m *Message) { m.From("a"); m.From("a") },
	} {
		q := script(t, "cat >/dev/null; cat <&1 >envelope\n")
		m, err := q.Open()
		if err != nil {
			t.Fatal(err)
		}
		spoil(m)
		if m.Close() == nil {
			t.Errorf("%s: no error", name)
		}
		if got, _ := os.ReadFile(filepath.Join(q.Home, "envelope")); strings.HasSuffix(string(got), "\x00\x00") {
			t.Errorf("%s: the envelope %q is whole", name, got)
		}
	}
}

func TestSystem(t *testing.T) {
	home := t.TempDir()
	t.Setenv("QMAILQUEUE", "")
	var f *fault.Error
	if err := send(t, System(home), "x"); !errors.As(err, &f) || f.Perm || f.Text != "unable to exec qq (#4.3.0)" {
		t.Errorf("with QMAILQUEUE set to nothing: got %v", err)
	}
	t.Setenv("QMAILQUEUE", "other/queue")
	if got := System(home).Program; got != "other/queue" {
		t.Errorf("the program is %q", got)
	}
	os.Unsetenv("QMAILQUEUE")
	if got := System(home).Program; got != "" {
		t.Errorf("without QMAILQUEUE the program is %q", got)
	}
}
