package send

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"goqmail/internal/durable"
	"goqmail/internal/sendctl"
	"goqmail/queue"
)

// clockFS gives new files the time of the clock that the test has, not the host's.
type clockFS struct{ durable.FS }

func (c clockFS) Create(name string, perm fs.FileMode) (durable.File, error) {
	f, err := c.FS.Create(name, perm)
	if err != nil {
		return nil, err
	}
	return clockFile{f, c.FS, name}, nil
}

type clockFile struct {
	durable.File
	fs   durable.FS
	name string
}

func (c clockFile) Sync() error {
	now := time.Now()
	if err := c.fs.Chtimes(c.name, now, now); err != nil && !errors.Is(err, fs.ErrNotExist) { // pid/N has another name by now
		return err
	}
	return c.File.Sync()
}

// fate is what happens to one message.
type fate struct {
	remote  bool
	verdict string // of the last try; "" if there is none before the message is too old
	at      int    // number of that try, from 1

	tries []time.Time
}

// A week of many messages on a simulated clock: each is tried at the times that
// qmail-send(8) gives, each that fails is bounced once, and in the end nothing is
// left.
func TestWeek(t *testing.T) {
	messages := 10000
	if testing.Short() || raced {
		messages = 500
	}
	synctest.Test(t, func(t *testing.T) { week(t, messages) })
}

func week(t *testing.T, messages int) {
	w := newWorld(t)
	w.fs = clockFS{durable.NewDir(filepath.Join(w.home, "queue"))}
	// Whoever waits for a FIFO or a socket keeps the simulated clock from going on.
	if err := os.Remove(filepath.Join(w.home, "queue/lock/trigger")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(w.home, "queue", sendctl.Path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	notices := filepath.Join(w.home, "notices")
	script := "#!/bin/sh\ncat >/dev/null\ntr '\\0' ' ' <&1 >>" + notices + "\necho >>" + notices + "\n"
	if err := os.WriteFile(filepath.Join(w.home, "submit"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	fates := make([]fate, messages)
	var mu sync.Mutex
	w.reply = func(asked string) string {
		number, _, _ := strings.Cut(strings.Fields(asked)[2], "@")
		i, _ := strconv.Atoi(number)
		mu.Lock()
		defer mu.Unlock()
		f := &fates[i]
		f.tries = append(f.tries, time.Now())
		if len(f.tries) == f.at {
			return f.verdict
		}
		return "Znot now\n"
	}
	q, err := queue.Open(w.fs)
	if err != nil {
		t.Fatal(err)
	}
	w.q = q
	for i := range fates {
		fates[i] = newFate(random)
		host := "example.org"
		if fates[i].remote {
			host = fmt.Sprintf("%d.far.example", i%200)
		}
		w.queue(fmt.Sprintf("%d@sender.example", i), fmt.Sprintf("%d@%s", i, host))
	}
	w.start()
	time.Sleep(9 * 24 * time.Hour)
	w.stop()
	if left := w.left(); len(left) > 0 {
		t.Errorf("%d files are left, such as %s", len(left), left[0])
	}
	if got := w.logged("end msg"); got != messages {
		t.Errorf("%d messages have ended, want %d", got, messages)
	}
	told, err := os.ReadFile(notices)
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	for i, f := range fates {
		tries += len(f.tries)
		f.check(t, i, strings.Count(string(told), fmt.Sprintf("F T%d@sender.example ", i)))
	}
	t.Logf("%d tries of %d messages", tries, messages)
}

func newFate(random *rand.Rand) fate {
	f := fate{remote: random.IntN(2) == 0, at: 1 + random.IntN(25)}
	switch random.IntN(10) {
	case 0:
		f.verdict = "Dno\n"
	case 1, 2:
		f.at = 0
	default:
		f.verdict = "Kok\n"
	}
	return f
}

// check compares the times of the tries with the formula: the first one is taken
// for the message's birth, which is less than two seconds before.
func (f *fate) check(t *testing.T, i, bounces int) {
	t.Helper()
	want := 0
	if f.verdict != "Kok\n" {
		want = 1
	}
	if bounces != want {
		t.Errorf("message %d: %d bounces, want %d", i, bounces, want)
	}
	if f.at > 0 && len(f.tries) != f.at {
		t.Errorf("message %d was tried %d times, want %d", i, len(f.tries), f.at)
		return
	}
	ch := local
	if f.remote {
		ch = remote
	}
	birth := f.tries[0]
	for k := 1; k < len(f.tries); k++ {
		due := nextTry(birth, f.tries[k-1], ch)
		if off := f.tries[k].Sub(due); off < -3*time.Second || off > 3*time.Second {
			t.Errorf("message %d: try %d is %v off its time", i, k+1, off)
			return
		}
	}
	last := f.tries[len(f.tries)-1].Sub(birth)
	const lifetime = 604800 * time.Second
	if f.at == 0 && last <= lifetime-2*time.Second {
		t.Errorf("message %d: given up after %v", i, last)
	}
	if before := len(f.tries) - 2; f.at == 0 && before >= 0 && f.tries[before].Sub(birth) > lifetime+2*time.Second {
		t.Errorf("message %d: tried again after its lifetime", i)
	}
}
