package system

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// local is qmail-local for joe at test.example, with a message on descriptor 0.
func (s *system) local(message string) *exec.Cmd {
	s.t.Helper()
	cmd := s.command("qmail-local", "joe", s.path("joe"), "joe", "", "", "test.example", "ann@far.example", "./Mailbox\n./Maildir/")
	file, err := os.CreateTemp(filepath.Dir(s.home.Dir), "message")
	s.must(err)
	_, err = file.WriteString(message)
	s.must(err)
	s.must(os.Remove(file.Name()))
	cmd.Stdin = file
	return cmd
}

// Sixteen processes deliver at once, each one message after the other, while
// readers move what came away: nothing is lost, mixed or doubled.
func TestSixteenProcesses(t *testing.T) {
	s := newSystem(t)
	for _, folder := range []string{"joe", "joe/Maildir", "joe/Maildir/tmp", "joe/Maildir/new", "joe/Maildir/cur"} {
		if err := os.Mkdir(s.path(folder), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
	}
	s.own()
	os.Remove(s.path("joe/.qmail"))
	const processes, each = 16, 6
	var want []string
	var deliveries sync.WaitGroup
	for p := range processes {
		messages := make([]string, each)
		for n := range messages {
			messages[n] = fmt.Sprintf("Subject: %d.%d\n\n%s\nFrom the end\n", p, n, strings.Repeat("text of the message\n", p*200))
		}
		want = append(want, messages...)
		deliveries.Go(func() {
			for _, message := range messages {
				if out, err := s.local(message).CombinedOutput(); err != nil {
					t.Errorf("qmail-local: %v: %s", err, out)
				}
			}
		})
	}
	over := make(chan struct{})
	var readers sync.WaitGroup
	var fromMaildir, fromMbox []string
	readers.Go(func() {
		fromMaildir = untilOver(over, func() []string { return emptyMaildir(t, s.path("joe/Maildir")) })
	})
	readers.Go(func() { fromMbox = untilOver(over, func() []string { return emptyMbox(t, s.path("joe/Mailbox")) }) })
	deliveries.Wait()
	close(over)
	readers.Wait()
	slices.Sort(want)
	for name, got := range map[string][]string{"maildir": fromMaildir, "mbox": fromMbox} {
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("out of the %s came %d messages, want these %d", name, len(got), len(want))
		}
	}
	if left, _ := os.ReadDir(s.path("joe/Maildir/tmp")); len(left) > 0 {
		t.Errorf("tmp has %d files", len(left))
	}
}

// untilOver reads until nothing more can come.
func untilOver(over <-chan struct{}, read func() []string) (all []string) {
	for {
		select {
		case <-over:
			return append(all, read()...)
		default:
			all = append(all, read()...)
		}
	}
}

// emptyMaildir moves messages to cur, as readers do, and from there away.
func emptyMaildir(t *testing.T, maildir string) (messages []string) {
	names, err := filepath.Glob(maildir + "/new/*")
	if err != nil {
		t.Error(err)
	}
	for _, name := range names {
		seen := maildir + "/cur/" + filepath.Base(name) + ":2,S"
		if err := os.Rename(name, seen); err != nil {
			t.Error(err)
		}
		data, err := os.ReadFile(seen)
		if err != nil {
			t.Error(err)
		}
		messages = append(messages, withoutEnvelope(t, data))
		os.Remove(seen)
	}
	return messages
}

// emptyMbox takes all messages out of an mbox, under the lock that mail readers
// use, and leaves it empty.
func emptyMbox(t *testing.T, name string) (messages []string) {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Error(err)
		return nil
	}
	defer file.Close()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK}
	if err := syscall.FcntlFlock(file.Fd(), syscall.F_SETLKW, &lock); err != nil {
		t.Error(err)
		return nil
	}
	data, err := io.ReadAll(file) // to open it once more, and close that, would end the lock
	if err != nil {
		t.Error(err)
	}
	if err := file.Truncate(0); err != nil {
		t.Error(err)
	}
	for _, m := range bytes.SplitAfter(data, []byte("\n\nFrom ")) {
		m = bytes.TrimSuffix(m, []byte("From "))
		m = bytes.TrimPrefix(m, []byte("From "))
		if len(m) == 0 {
			continue
		}
		_, m, _ = bytes.Cut(m, []byte("\n")) // the rest of the From_ line
		m = bytes.TrimSuffix(m, []byte("\n"))
		messages = append(messages, strings.ReplaceAll(withoutEnvelope(t, m), "\n>From ", "\nFrom "))
	}
	return messages
}

// withoutEnvelope takes away the two lines that a delivery adds.
func withoutEnvelope(t *testing.T, data []byte) string {
	text, ok := strings.CutPrefix(string(data), "Return-Path: <ann@far.example>\nDelivered-To: joe@test.example\n")
	if !ok {
		t.Errorf("a message begins with %.100q", data)
	}
	return text
}
