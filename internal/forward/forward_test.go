package forward

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"goqmail/internal/fault"
	"goqmail/internal/qq"
)

// queue is a home whose qmail-queue is a shell script.
func queue(t *testing.T, script string) qq.Queue {
	t.Helper()
	home := t.TempDir()
	program := filepath.Join(home, "qq")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return qq.Queue{Home: home, Program: program, Env: os.Environ()}
}

var envelope = Envelope{
	Sender: "sue@remote.example",
	To:     []string{"bob@test.example", "odd one"},
	DTLine: "Delivered-To: kim@test.example\n",
}

func TestSend(t *testing.T) {
	q := queue(t, "cat >message; cat <&1 >envelope; echo $$ >pid\n")
	pid, err := Send(q, envelope, strings.NewReader("Subject: lunch\n\nAt noon?"))
	if err != nil || pid == 0 {
		t.Fatalf("got %d, %v", pid, err)
	}
	for name, want := range map[string]string{
		"message":  "Delivered-To: kim@test.example\nSubject: lunch\n\nAt noon?",
		"envelope": "Fsue@remote.example\x00Tbob@test.example\x00Todd one\x00\x00",
	} {
		if got, _ := os.ReadFile(filepath.Join(q.Home, name)); string(got) != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestSendFails(t *testing.T) {
	broken := io.MultiReader(strings.NewReader("Subject: x\n"), iotest.ErrReader(syscall.EIO))
	for _, tt := range []struct {
		name, script string
		message      io.Reader
		perm         bool
		want         string
	}{
		{"unread", "cat >/dev/null; cat <&1 >envelope; test -s envelope && exit 0; exit 54", broken, false, "unable to read message: input/output error"},
		{"refused", "cat >/dev/null; cat <&1 >/dev/null; exit 31", strings.NewReader(""), true, "mail server permanently rejected message (#5.3.0)"},
	} {
		_, err := Send(queue(t, tt.script+"\n"), envelope, tt.message)
		var f *fault.Error
		if !errors.As(err, &f) || f.Text != tt.want || f.Perm != tt.perm {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestFromEnv(t *testing.T) {
	t.Setenv("SENDER", "")
	t.Setenv("DTLINE", "Delivered-To: x\n")
	os.Unsetenv("NEWSENDER")
	if e, err := FromEnv("SENDER"); err != nil || e.Sender != "" || e.DTLine != "Delivered-To: x\n" {
		t.Errorf("got %v, %v", e, err)
	}
	if _, err := FromEnv("NEWSENDER"); !fault.IsPermanent(err) || err.Error() != "NEWSENDER not set" {
		t.Errorf("got %v", err)
	}
	os.Unsetenv("DTLINE")
	if _, err := FromEnv("SENDER"); !fault.IsPermanent(err) || err.Error() != "DTLINE not set" {
		t.Errorf("got %v", err)
	}
}
