package queue

import (
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"goqmail/internal/exitcode"
)

// end has qmail-clean do done/N for messages.
func end(t *testing.T, q *Queue, numbers ...Number) string {
	t.Helper()
	var commands, answers strings.Builder
	for _, n := range numbers {
		commands.WriteString("done/" + n.String() + "\x00")
	}
	if err := q.Clean(strings.NewReader(commands.String()), &answers, time.Now, nil); err != nil {
		t.Fatal(err)
	}
	return answers.String()
}

// submit queues a message with that text.
func (s *Spares) submit(t *testing.T, text string) Number {
	t.Helper()
	s.notBefore = time.Time{}
	n, err := s.Submit(strings.NewReader(text), strings.NewReader(goodEnvelope), who)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func linux(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("files are not used again on this system")
	}
}

// TestSpares has the second message use the files of the first one.
func TestSpares(t *testing.T) {
	linux(t)
	q, dir := newQueue(t, 3)
	s := NewSpares(q)
	first := s.submit(t, strings.Repeat("a long message\n", 1000))
	fresh := contents(t, dir)
	if got := end(t, q, first, 99); got != "++" {
		t.Fatalf("answers are %q", got)
	}
	for name := range contents(t, dir) {
		if !strings.HasPrefix(name, "pid/mess.") && !strings.HasPrefix(name, "pid/todo.") {
			t.Errorf("%s is left", name)
		}
	}
	second := s.submit(t, "short\n")
	if second != first {
		t.Errorf("the numbers are %d and %d", first, second)
	}
	left := contents(t, dir)
	if got := left[q.Name(Mess, second)]; got != receivedLine+"short\n" {
		t.Errorf("mess is %q", got)
	}
	if got, want := left[q.Name(Todo, second)], fresh[q.Name(Todo, first)]; got != want || len(left) != 2 {
		t.Errorf("todo is %q, want %q, of %q", got, want, left)
	}
	s.Drop()
	end(t, q, second)
	s.Drop()
	if left := contents(t, dir); len(left) != 0 {
		t.Errorf("%q are left", left)
	}
}

// TestSparesOpen has somebody keep a message open that he was given: he must not see
// the next one.
func TestSparesOpen(t *testing.T) {
	linux(t)
	q, dir := newQueue(t, 1)
	s := NewSpares(q)
	first := s.submit(t, "the first\n")
	for _, kind := range []Kind{Mess, Todo} {
		f, err := os.Open(filepath.Join(dir, q.Name(kind, first)))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		defer func() {
			if text, err := io.ReadAll(f); err != nil || strings.Contains(string(text), "second") {
				t.Errorf("whoever had %s open reads %q, %v", kind, text, err)
			}
		}()
	}
	end(t, q, first)
	second := s.submit(t, "the second\n")
	if second == first {
		t.Error("the number is the same")
	}
	if left := contents(t, dir); len(left) != 2 || left[q.Name(Mess, second)] != receivedLine+"the second\n" {
		t.Errorf("the queue is %q", left)
	}
}

// TestSparesStuck has a spare file that cannot be used, and stays: messages are queued
// all the same.
func TestSparesStuck(t *testing.T) {
	q, dir := newQueue(t, 1)
	s := NewSpares(q)
	for _, name := range []string{"mess.x", "mess.7", "todo.8"} {
		os.WriteFile(filepath.Join(dir, "pid", name), nil, 0o600)
	}
	os.WriteFile(filepath.Join(dir, "mess/0/7"), nil, 0o600)
	for range 5 {
		s.submit(t, "x\n")
	}
}

// TestNotSpare has files that cannot be used again.
func TestNotSpare(t *testing.T) {
	q, dir := newQueue(t, 1)
	s := NewSpares(q)
	large := s.submit(t, strings.Repeat("x", maxSpareSize+1))
	linked := s.submit(t, "linked\n")
	for _, kind := range []Kind{Mess, Todo} {
		if err := os.Link(filepath.Join(dir, q.Name(kind, linked)), filepath.Join(dir, "..", string(kind))); err != nil {
			t.Fatal(err)
		}
	}
	moved := Number(5)
	os.WriteFile(filepath.Join(dir, q.Name(Mess, moved)), []byte("with another number"), 0o644)
	if got := end(t, q, large, linked, moved); got != "+++" {
		t.Errorf("answers are %q", got)
	}
	for name := range contents(t, dir) {
		if !strings.HasPrefix(name, "pid/todo.") { // that of the large one
			t.Errorf("%s is left", name)
		}
	}
}

// TestSparesBounded has more messages end than files are kept.
func TestSparesBounded(t *testing.T) {
	linux(t)
	q, dir := newQueue(t, 1)
	s := NewSpares(q)
	var numbers []Number
	for range maxSpares + 5 {
		numbers = append(numbers, s.submit(t, "x\n"))
	}
	answers := end(t, q, numbers...)
	if answers != strings.Repeat("+", len(numbers)) {
		t.Errorf("answers are %q", answers)
	}
	if left := contents(t, dir); len(left) != 2*maxSpares {
		t.Errorf("%d files are left", len(left))
	}
	// What is taken is used up, and a failure leaves nothing behind.
	for range 3 {
		s.notBefore = time.Time{}
		if _, err := s.Submit(strings.NewReader("x\n"), strings.NewReader("bad"), who); err == nil {
			t.Fatal("a bad envelope is queued")
		}
	}
	left := contents(t, dir)
	maps.DeleteFunc(left, func(name, _ string) bool { return isSpare(name) })
	if len(left) != 0 {
		t.Errorf("%q are left", left)
	}
}

// TestSparesKept has a qmail-clean keep the files of many messages, one after the other:
// as long as they are used again there is place for each.
func TestSparesKept(t *testing.T) {
	linux(t)
	q, dir := newQueue(t, 1)
	s := NewSpares(q)
	commands, toClean := io.Pipe()
	answers, fromClean := io.Pipe()
	done := make(chan error)
	go func() { done <- q.Clean(commands, fromClean, time.Now, nil) }()
	for i := range 2 * maxSpares {
		n := s.submit(t, "x\n")
		if _, err := io.WriteString(toClean, "done/"+n.String()+"\x00"); err != nil {
			t.Fatal(err)
		}
		if _, err := answers.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if left := contents(t, dir); len(left) != 2 {
			t.Fatalf("after %d messages %q are left", i, left)
		}
	}
	toClean.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// slow is a message that is taken for garbage while it comes in.
type slow struct {
	io.Reader
	meanwhile func()
}

func (s *slow) Read(p []byte) (int, error) {
	s.meanwhile()
	return s.Reader.Read(p)
}

// TestTakenForGarbage has a message that must not be said to be queued.
func TestTakenForGarbage(t *testing.T) {
	q, dir := newQueue(t, 1)
	_, err := q.Submit(&slow{strings.NewReader("x\n"), func() {
		found, _ := filepath.Glob(filepath.Join(dir, "mess/0/*"))
		for _, name := range found {
			os.Remove(name)
		}
	}}, strings.NewReader(goodEnvelope), who)
	var f *Failure
	if !errors.As(err, &f) || f.Code != exitcode.QueueTimeout {
		t.Errorf("got %v", err)
	}
	if left := contents(t, dir); len(left) != 0 {
		t.Errorf("%q are left", left)
	}
}

// TestWithdrawn has an envelope that qmail-queue left in intd, too.
func TestWithdrawn(t *testing.T) {
	q, dir := newQueue(t, 1)
	n, err := q.Submit(strings.NewReader("x\n"), strings.NewReader(goodEnvelope), who)
	if err != nil {
		t.Fatal(err)
	}
	if got := end(t, q, n); got != "+" {
		t.Errorf("answer is %q", got)
	}
	for name := range contents(t, dir) {
		if !isSpare(name) {
			t.Errorf("%s is left", name)
		}
	}
}
