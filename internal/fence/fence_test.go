package fence

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// newQueue makes what there must be of a queue.
func newQueue(t *testing.T) string {
	t.Helper()
	queue := t.TempDir()
	if err := os.Mkdir(filepath.Join(queue, lockFolder), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(queue, standFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return queue
}

// worker is a process that works for a qmail-send, which has the other end of a pipe.
func worker(t *testing.T, queue, own string) (f *Fence, send *os.File) {
	t.Helper()
	commands, send, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		commands.Close()
		send.Close()
	})
	if f, err = New(queue, int(commands.Fd()), own); f == nil || err != nil {
		t.Fatalf("there is no fence: %v", err)
	}
	return f, send
}

func mustMove(t *testing.T, queue, to string) {
	t.Helper()
	if err := Move(queue, to, time.Hour, nothing); err != nil {
		t.Fatal(err)
	}
}

func next(t *testing.T, queue string) string {
	t.Helper()
	stand, err := Next(queue)
	if err != nil {
		t.Fatal(err)
	}
	return stand
}

func nothing() {}

// twice reports whether something is done both times.
func twice(f *Fence) bool {
	first := f.Do(nothing)
	return f.Do(nothing) && first
}

func TestDo(t *testing.T) {
	queue := newQueue(t)
	first, firstSend := worker(t, queue, "")
	idle, idleSend := worker(t, queue, "") // its first command comes late
	mustMove(t, queue, "")
	if !first.Do(nothing) {
		t.Error("one whose qmail-send has moved the fence is kept out")
	}
	firstSend.Close()
	idleSend.Close()
	if !first.Do(nothing) {
		t.Error("nobody has come in the place of qmail-send, and its command is not done")
	}
	if idle.Do(nothing) {
		t.Error("the fence was moved, and qmail-send is gone: nobody knows by whom, and the command is done")
	}
	second, secondSend := worker(t, queue, "")
	mustMove(t, queue, "")
	for range 2 {
		if first.Do(nothing) {
			t.Error("a command of the first qmail-send is done after the second one has come")
		}
	}
	if !second.Do(nothing) {
		t.Error("one who works for the second one is kept out")
	}
	for range 3 {
		mustMove(t, queue, "") // within one second
	}
	secondSend.Close()
	if second.Do(nothing) {
		t.Error("the fence does not move within a second")
	}
}

// TestTold has systems that were told where the fence stands for them.
func TestTold(t *testing.T) {
	queue := newQueue(t)
	stand := next(t, queue)
	first, firstSend := worker(t, queue, stand)
	mustMove(t, queue, stand)
	if !first.Do(nothing) {
		t.Error("one whose qmail-send has moved the fence is kept out")
	}
	firstSend.Close()
	if !first.Do(nothing) {
		t.Error("nobody has come in the place of qmail-send, and its command is not done")
	}
	other := next(t, queue)
	second, _ := worker(t, queue, other)
	mustMove(t, queue, other)
	if first.Do(nothing) {
		t.Error("a command of the first qmail-send is done after the second one has come")
	}
	slow, slowSend := worker(t, queue, stand)
	slowSend.Close()
	if slow.Do(nothing) {
		t.Error("a program that comes up when its qmail-send has come and gone is let in")
	}
	if !second.Do(nothing) {
		t.Error("one who works for the second one is kept out")
	}
	if err := Move(queue, other, time.Hour, nothing); !errors.Is(err, ErrTaken) {
		t.Errorf("moved to where it stands: %v", err)
	}
}

// TestDying has a process end that has given back the lock before its ends of the pipes.
func TestDying(t *testing.T) {
	queue := newQueue(t)
	stand := next(t, queue)
	f, send := worker(t, queue, stand)
	mustMove(t, queue, stand)
	mustMove(t, queue, "")
	done := make(chan bool)
	go func() { done <- f.Do(nothing) }()
	send.Close()
	if <-done {
		t.Error("let in")
	}
}

// TestTouched has somebody else change the time of the file, or remove it.
func TestTouched(t *testing.T) {
	queue := newQueue(t)
	stand := next(t, queue)
	f, _ := worker(t, queue, stand)
	mustMove(t, queue, stand)
	now := time.Now().Add(time.Minute)
	if err := os.Chtimes(filepath.Join(queue, standFile), now, now); err != nil {
		t.Fatal(err)
	}
	f.patience = time.Millisecond
	if !twice(f) {
		t.Error("kept out by another time, though qmail-send is there")
	}
	if err := os.Remove(filepath.Join(queue, standFile)); err != nil {
		t.Fatal(err)
	}
	if !f.Do(nothing) {
		t.Error("kept out as there is no file any more")
	}
}

// TestScript has commands from somebody who is gone when they are obeyed, as in
//
//	printf 'foop/1\0' | qmail-clean
func TestScript(t *testing.T) {
	queue := newQueue(t)
	f, send := worker(t, queue, "")
	send.Close()
	if !twice(f) {
		t.Error("the command is not done")
	}
}

// TestMove has some inside whom qmail-send has to wait for.
func TestMove(t *testing.T) {
	queue := newQueue(t)
	f, send := worker(t, queue, "")
	in, out := make(chan bool), make(chan bool)
	for range 2 {
		go f.Do(func() {
			in <- true
			<-out
		})
		<-in
	}
	send.Close()
	late, moved := make(chan bool), make(chan error, 1)
	go func() { moved <- Move(queue, "", time.Millisecond, func() { close(late) }) }()
	<-late
	out <- true // the other one is still inside
	select {
	case err := <-moved:
		t.Fatalf("the fence was moved while somebody was inside: %v", err)
	default:
	}
	out <- true
	if err := <-moved; err != nil {
		t.Error(err)
	}
	if f.Do(nothing) {
		t.Error("got in again")
	}
}

// TestFuture has a clock that was set back.
func TestFuture(t *testing.T) {
	queue := newQueue(t)
	future := time.Now().Add(24 * time.Hour)
	if err := os.Chtimes(filepath.Join(queue, standFile), future, future); err != nil {
		t.Fatal(err)
	}
	f, send := worker(t, queue, "")
	send.Close()
	mustMove(t, queue, "")
	if f.Do(nothing) {
		t.Error("the fence does not move as the clock is behind")
	}
}

// TestWithout has a queue without what a fence is made of.
func TestWithout(t *testing.T) {
	f, err := New(t.TempDir(), 0, "1")
	if f != nil || err != nil {
		t.Errorf("without a queue: %v, %v", f, err)
	}
	done := false
	if !f.Do(func() { done = true }) || !done {
		t.Error("without a fence nothing is done")
	}
	if Move(t.TempDir(), "", time.Hour, nothing) == nil {
		t.Error("no error without a queue")
	}
}

// FuzzParse has anything in the variable: what is taken for a time is one that is written
// like that, and what is not is no stand.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"1795341600", "", "-1", "0x10", " 1", "1 ", "9223372036854775807", "1e3", "+5"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		stand, ok := parse(text)
		seconds, err := strconv.ParseInt(text, 10, 64)
		if ok != (err == nil) {
			t.Fatalf("%q: ok is %v", text, ok)
		}
		if again, _ := parse(strconv.FormatInt(stand.Unix(), 10)); ok && (!again.Equal(stand) || stand.Unix() != seconds) {
			t.Errorf("%q is %d, and then %d", text, stand.Unix(), again.Unix())
		}
	})
}
