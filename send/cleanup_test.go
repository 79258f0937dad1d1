package send

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"goqmail/queue"
)

func TestCleanup(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	old := now.Add(-queue.Age - time.Hour)
	var want []string
	for _, m := range []struct {
		read  time.Time
		files map[queue.Kind]string
		stays bool
	}{
		{old, nil, false},
		{old, map[queue.Kind]string{queue.Intd: ""}, false}, // never queued
		{now, nil, true},
		{old, map[queue.Kind]string{queue.Info: sentByAnn, queue.Remote: "Tlater@far.example\x00"}, true},
	} {
		n := w.plant(now.Add(time.Hour), m.files)
		name := w.q.Name(queue.Mess, n)
		if err := os.Chtimes(filepath.Join(w.home, "queue", name), m.read, m.read); err != nil {
			t.Fatal(err)
		}
		if m.stays {
			want = append(want, name)
		}
	}
	w.start()
	for deadline := time.Now().Add(time.Minute); len(w.messages()) > len(want) && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	w.stop()
	slices.Sort(want)
	if got := w.messages(); !slices.Equal(got, want) {
		t.Errorf("in mess are %q, want %q", got, want)
	}
	if left, _ := filepath.Glob(filepath.Join(w.home, "queue/intd/*")); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// messages are the files in mess.
func (w *world) messages() []string {
	found, _ := filepath.Glob(filepath.Join(w.home, "queue/mess/*/*"))
	for i, name := range found {
		found[i], _ = filepath.Rel(filepath.Join(w.home, "queue"), name)
	}
	slices.Sort(found)
	return found
}
