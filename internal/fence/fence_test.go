package fence

import (
	"os"
	"path/filepath"
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
func worker(t *testing.T, queue string) (f *Fence, send *os.File) {
	t.Helper()
	commands, send, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		commands.Close()
		send.Close()
	})
	if f = New(queue, int(commands.Fd())); f == nil {
		t.Fatal("there is no fence")
	}
	return f, send
}

func move(t *testing.T, queue string) {
	t.Helper()
	if err := Move(queue, time.Hour, func() {}); err != nil {
		t.Fatal(err)
	}
}

func nothing() {}

func TestDo(t *testing.T) {
	queue := newQueue(t)
	first, firstSend := worker(t, queue)
	idle, idleSend := worker(t, queue) // its first command comes late
	move(t, queue)
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
	second, secondSend := worker(t, queue)
	move(t, queue)
	if first.Do(nothing) || first.Do(nothing) {
		t.Error("a command of the first qmail-send is done after the second one has come")
	}
	if !second.Do(nothing) {
		t.Error("one who works for the second one is kept out")
	}
	for range 3 {
		move(t, queue) // within one second
	}
	secondSend.Close()
	if second.Do(nothing) {
		t.Error("the fence does not move within a second")
	}
}

// TestScript has commands from somebody who is gone when they are obeyed, as in
//
//	printf 'foop/1\0' | qmail-clean
func TestScript(t *testing.T) {
	queue := newQueue(t)
	f, send := worker(t, queue)
	send.Close()
	if !f.Do(nothing) || !f.Do(nothing) {
		t.Error("the command is not done")
	}
}

// TestMove has some inside whom qmail-send has to wait for.
func TestMove(t *testing.T) {
	queue := newQueue(t)
	f, send := worker(t, queue)
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
	go func() { moved <- Move(queue, time.Millisecond, func() { close(late) }) }()
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
	f, send := worker(t, queue)
	send.Close()
	move(t, queue)
	if f.Do(nothing) {
		t.Error("the fence does not move as the clock is behind")
	}
}

// TestWithout has a queue without what a fence is made of.
func TestWithout(t *testing.T) {
	f := New(t.TempDir(), 0)
	done := false
	if !f.Do(func() { done = true }) || !done {
		t.Error("without a fence nothing is done")
	}
	if Move(t.TempDir(), time.Hour, nothing) == nil {
		t.Error("no error without a queue")
	}
}
