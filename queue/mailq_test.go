package queue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/durable"
)

func TestWriteMailq(t *testing.T) {
	q, dir := newQueue(t, 3)
	list := func(uid int, everybody bool) string {
		t.Helper()
		var out strings.Builder
		if err := q.WriteMailq(&out, uid, everybody); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if got := list(1000, true); got != "Mail queue is empty\n" {
		t.Errorf("an empty queue: %q", got)
	}
	submit := func(uid int, account, message string) Number {
		t.Helper()
		n, err := q.Submit(strings.NewReader(message), strings.NewReader(goodEnvelope), Origin{UID: uid, PID: 7, Account: account, Time: who.Time})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	todo := submit(1000, "", "mine\n")
	// A line of the sender's own says nothing.
	submit(100, "", "Received: (qmail 1 invoked by uid 1000); x\n")
	submit(1001, "qmaild", "from elsewhere\n")
	done := submit(1000, "", "mine, too\n")
	for name, text := range map[string]string{
		q.Name(Info, done): "Fann\x1b@example.org\x00", q.Name(Remote, done): "Tjoe@example.org\x00Deve@example.net\x00",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	os.Remove(filepath.Join(dir, q.Name(Todo, done)))
	// Left over from a crash, or not queued yet: no message.
	os.WriteFile(filepath.Join(dir, q.Name(Mess, 5)), []byte("x"), 0o600)

	got := list(1000, false)
	for _, want := range []string{
		fmt.Sprintf(" GMT  #%s  73  <ann@example.org> \n\tnew\tjoe@example.org\n\tnew\teve@example.net\n", todo),
		fmt.Sprintf(" GMT  #%s  78  <ann_@example.org> \n\tremote\tjoe@example.org\n  done\tremote\teve@example.net\n", done),
		"\n-- 1 Kbytes in 4 Requests. Not shown because they are other people's: 2.\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
	if n := strings.Count(got, "#"); n != 2 {
		t.Errorf("%d messages are shown, want 2:\n%s", n, got)
	}
	if got := list(5, true); strings.Count(got, "#") != 4 || !strings.HasSuffix(got, "\n-- 1 Kbytes in 4 Requests.\n") {
		t.Errorf("root sees\n%s", got)
	}
	if got := list(5, false); got != "-- 1 Kbytes in 4 Requests. Not shown because they are other people's: 4.\n" {
		t.Errorf("a stranger sees\n%s", got)
	}
	if err := (&Queue{FS: durable.NewDir(filepath.Join(dir, "none")), split: 1}).WriteMailq(&strings.Builder{}, 0, true); err == nil {
		t.Error("a queue that is not there is empty")
	}
}

func TestInvokedBy(t *testing.T) {
	for line, want := range map[string]int{
		"Received: (qmail 4711 invoked by uid 1000); 21 Nov 2026 18:04:07 -0000\n": 1000,
		"Received: (qmail 4711 invoked by uid 0); x":                               0,
		"Received: (qmail 4711 invoked by alias); x":                               -1,
		"Received: (qmail 4711 invoked from network); invoked by uid 1000); x":     -1,
		"Received: (qmail 4711 invoked by uid -5); x":                              -1,
		"Received: (qmail 4711 invoked by uid 10":                                  -1,
		"X: (qmail 4711 invoked by uid 1000); x":                                   -1,
		"":                                                                         -1,
	} {
		if got := invokedBy(line); got != want {
			t.Errorf("invokedBy(%q) = %d, want %d", line, got, want)
		}
	}
}

func TestHolder(t *testing.T) {
	_, dir := newQueue(t, 1)
	if _, err := Holder(dir); err == nil {
		t.Error("an unlocked queue has a holder")
	}
	lock, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if pid, err := Holder(dir); err == nil && pid != os.Getpid() {
		t.Errorf("the holder is %d, want %d", pid, os.Getpid())
	} else if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, ErrNobody) {
		t.Error(err)
	} // the numbers of devices are others on some file systems
	locks := "1: POSIX  ADVISORY  WRITE 9 08:01:12 0 EOF\n2: FLOCK  ADVISORY  WRITE 4711 08:01:123 0 EOF\n2: -> FLOCK  ADVISORY  WRITE 4712 08:01:123 0 EOF\nx\n"
	for _, tt := range []struct {
		device, inode string
		right         bool
		want          int
	}{{"08:01", "123", false, 4711}, {"00:19", "123", true, 4711}, {"00:19", "123", false, 0}, {"08:01", "1", true, 0}, {"08:01", "23", true, 0}} {
		pid, err := holder(strings.NewReader(locks), tt.device, tt.inode, func(int) bool { return tt.right })
		if pid != tt.want || (pid == 0) != errors.Is(err, ErrNobody) {
			t.Errorf("%+v: got %d, %v", tt, pid, err)
		}
	}
}
