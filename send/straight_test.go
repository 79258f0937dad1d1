package send

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"goqmail/internal/durable"
	"goqmail/internal/sendctl"
	"goqmail/queue"
)

// watched is a queue that knows which files were made, and fails if it is to.
type watched struct {
	durable.FS
	made chan string
	full atomic.Value // a string: files whose names begin with it cannot be made
}

func (w *watched) Create(name string, perm fs.FileMode) (durable.File, error) {
	if prefix, ok := w.full.Load().(string); ok && strings.HasPrefix(name, prefix) {
		return nil, errors.New("no space left on device")
	}
	w.made <- name
	return w.FS.Create(name, perm)
}

// newLoaded makes a world in which many messages come in.
func newLoaded(t *testing.T) (*world, *watched) {
	w := newWorld(t)
	fsys := &watched{FS: durable.NewDir(filepath.Join(w.home, "queue")), made: make(chan string, 1000)}
	w.many, w.straight, w.fs = -1, time.Hour, fsys
	return w, fsys
}

// made are the folders in which qmail-send has made files.
func (w *watched) folders() []string {
	var all []string
	for {
		select {
		case name := <-w.made:
			all = append(all, name[:strings.IndexByte(name, '/')])
		default:
			return all
		}
	}
}

// stopEmpty ends qmail-send, which must have left nothing.
func (w *world) stopEmpty() {
	w.t.Helper()
	w.stop()
	if left := w.left(); len(left) != 0 {
		w.t.Errorf("%q are left", left)
	}
}

// newBusy makes a world with one place, which a message has that waits for its answer,
// and another message behind it.
func newBusy(t *testing.T, straight time.Duration) (w *world, answer chan string, first, behind queue.Number) {
	w, _ = newLoaded(t)
	w.straight = straight
	w.control("concurrencylocal", "1")
	answer = make(chan string)
	w.reply = func(string) string { return <-answer }
	w.start()
	first = w.queue("ann@example.org", "bob@example.org")
	w.wait("starting delivery 1", 1)
	behind = w.queue("ann@example.org", "eve@example.org")
	w.wait("new msg", 2)
	return w, answer, first, behind
}

// TestStraight has messages that are done at once; there are no files of them but
// those of qmail-queue.
func TestStraight(t *testing.T) {
	w, disk := newLoaded(t)
	w.start()
	a := w.queue("ann@example.org", "bob@example.org")
	b := w.queue("", "eve@far.example")
	w.wait("end msg", 2)
	w.stop()
	if made := disk.folders(); len(made) != 0 {
		t.Errorf("files were made in %q", made)
	}
	if left := w.left(); len(left) != 0 {
		t.Errorf("%q are left", left)
	}
	want := []string{"local ann@example.org bob@example.org", "remote  eve@far.example"}
	if got := w.deliveries(); !slices.Equal(got, want) {
		t.Errorf("deliveries are %q", got)
	}
	for _, n := range []queue.Number{a, b} {
		for _, line := range []string{"new msg " + n.String(), "info msg " + n.String() + ": bytes", "end msg " + n.String()} {
			if w.logged(line) != 1 {
				t.Errorf("the log has %q %d times", line, w.logged(line))
			}
		}
	}
}

// TestNotStraight has messages that have more recipients, or none, or something of
// them is there already.
func TestNotStraight(t *testing.T) {
	w, disk := newLoaded(t)
	two := w.queue("ann@example.org", "bob@example.org", "eve@far.example")
	none := w.queue("ann@example.org")
	begun := w.queue("ann@example.org", "bob@example.org")
	if err := os.WriteFile(filepath.Join(w.home, "queue", w.q.Name(queue.Remote, begun)), []byte("Told@far.example\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.wait("end msg", 3)
	w.stop()
	made := disk.folders()
	slices.Sort(made)
	if want := []string{"info", "info", "info", "local", "local", "remote"}; !slices.Equal(made, want) {
		t.Errorf("files were made in %q", made)
	}
	if left := w.left(); len(left) != 0 {
		t.Errorf("%q are left", left)
	}
	if len(w.deliveries()) != 3 {
		t.Errorf("deliveries are %q", w.deliveries())
	}
	_, _ = two, none
}

// TestStraightFails has first deliveries that are not the last.
func TestStraightFails(t *testing.T) {
	w, _ := newLoaded(t)
	w.submitter()
	var later, mangled atomic.Bool
	w.reply = func(asked string) string {
		switch {
		case strings.Contains(asked, "bad@"):
			return "Dno such user\n"
		case strings.Contains(asked, "later@") && !later.Swap(true):
			return "Znot now\n"
		case strings.Contains(asked, "mangled@") && !mangled.Swap(true):
			return "?\n"
		}
		return "Kok\n"
	}
	w.start()
	w.queue("ann@example.org", "bad@far.example")
	w.wait("end msg", 1)
	if bounces := w.bounces(); len(bounces) != 1 || !strings.Contains(bounces[0], "<bad@far.example>:\nno such user\n") {
		t.Errorf("bounces are %q", bounces)
	}
	n := w.queue("ann@example.org", "later@example.org")
	w.wait("deferral", 1)
	w.scheduled(n)
	if left := strings.Join(w.left(), " "); strings.Contains(left, "todo") || !strings.Contains(left, "local/") || !strings.Contains(left, "info/") {
		t.Errorf("%q are left", left)
	}
	w.server.RunNow()
	w.wait("end msg", 2)
	n = w.queue("ann@example.org", "mangled@example.org")
	w.wait("report mangled", 1)
	w.scheduled(n)
	w.server.RunNow()
	w.wait("end msg", 3)
	w.stopEmpty()
	if n := w.logged("new msg"); n != 3 {
		t.Errorf("%d messages are new", n)
	}
}

// TestStraightTakesLong has a delivery during which the files are written.
func TestStraightTakesLong(t *testing.T) {
	for report, ends := range map[string]bool{"Kok\n": true, "Zlater\n": false} {
		w, disk := newLoaded(t)
		w.straight = time.Millisecond
		answer := make(chan string)
		w.reply = func(string) string { return <-answer }
		w.start()
		n := w.queue("ann@example.org", "bob@example.org")
		for want := []string{"info", "local"}; len(want) > 0; want = want[1:] {
			if name := <-disk.made; !strings.HasPrefix(name, want[0]+"/") {
				t.Errorf("%s is made", name)
			}
		}
		answer <- report
		if ends {
			w.wait("end msg", 1)
		} else {
			w.wait("deferral", 1)
			w.scheduled(n)
		}
		w.stop()
		if left := w.left(); (len(left) == 0) != ends || len(w.deliveries()) != 1 {
			t.Errorf("%q: %q are left, deliveries are %q", report, left, w.deliveries())
		}
	}
}

// TestStraightOnFullDisk has a deferral that cannot be written down: the message is
// begun anew, later.
func TestStraightOnFullDisk(t *testing.T) {
	w, disk := newLoaded(t)
	disk.full.Store("info/")
	replies := make(chan string, 1)
	w.reply = func(string) string { return <-replies }
	w.start()
	w.queue("ann@example.org", "bob@example.org")
	replies <- "Znot now\n"
	w.wait("unable to create info/", 1)
	disk.full.Store("nothing")
	replies <- "Kok\n"
	w.wait("end msg", 1)
	w.stopEmpty()
}

// TestStraightHalfWritten has files written of a message, but not all, that is delivered
// all the same: nothing stays.
func TestStraightHalfWritten(t *testing.T) {
	w, disk := newLoaded(t)
	w.straight = time.Millisecond
	answer := make(chan string)
	w.reply = func(string) string { return <-answer }
	disk.full.Store("local/")
	w.start()
	w.queue("ann@example.org", "bob@example.org")
	w.wait("unable to create local/", 1)
	answer <- "Kok\n"
	w.wait("end msg", 1)
	w.stopEmpty()
}

// TestStraightWaits has a message that waits for its turn for long: it waits as others do.
func TestStraightWaits(t *testing.T) {
	w, answer, first, behind := newBusy(t, time.Millisecond)
	w.scheduled(first)
	w.scheduled(behind)
	if left := strings.Join(w.left(), " "); strings.Count(left, "info/") != 2 || strings.Contains(left, "todo/") {
		t.Errorf("%q are left", left)
	}
	answer <- "Kok\n"
	answer <- "Kok\n"
	w.wait("end msg", 2)
	w.stop()
	if left := w.left(); len(left) != 0 || len(w.deliveries()) != 2 {
		t.Errorf("%q are left, deliveries are %q", left, w.deliveries())
	}
}

// TestOrderAboutAnother has orders about messages whose numbers others have by then:
// nothing is done about those, and they stay scheduled.
func TestOrderAboutAnother(t *testing.T) {
	w := newWorld(t)
	w.reply = func(string) string { return "Zlater\n" }
	w.start()
	n := w.queue("ann@example.org", "bob@example.org")
	w.wait("deferral", 1)
	w.scheduled(n)
	st, err := os.Stat(filepath.Join(w.home, "queue", w.q.Name(queue.Mess, n)))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(changed int64) (words string) {
		if err := w.connect().Ask(sendctl.Request{Verb: sendctl.Retry, Numbers: []uint64{uint64(n)}, Changed: []int64{changed}},
			func(a sendctl.Answer) { words = a.Words }); err != nil {
			t.Fatal(err)
		}
		return words
	}
	changed := st.ModTime().UnixNano()
	if words := ask(changed - 1); words != sendctl.Gone {
		t.Errorf("of another one: %q", words)
	}
	w.server.RunNow()
	w.wait("deferral", 2)
	w.scheduled(n)
	if words := ask(changed); words != sendctl.OK {
		t.Errorf("of the one that is there: %q", words)
	}
	w.wait("deferral", 3)
	w.stop()
}

// TestStraightWithAnother has a qmail-clean that does not know done/N.
func TestStraightWithAnother(t *testing.T) {
	w, _ := newLoaded(t)
	w.oldClean = true
	w.start()
	for range 3 {
		w.queue("ann@example.org", "bob@example.org")
	}
	w.wait("end msg", 3)
	w.stop()
	if left := w.left(); len(left) != 0 || w.logged("warning") != 0 {
		t.Errorf("%q are left, the log is %q", left, w.log)
	}
}

// TestStraightStopped has qmail-send end while a message waits for its turn.
func TestStraightStopped(t *testing.T) {
	w, answer, _, _ := newBusy(t, time.Hour)
	w.server.Stop()
	answer <- "Kok\n"
	w.stop()
	left := strings.Join(w.left(), " ")
	if !strings.Contains(left, "todo/") || strings.Contains(left, "info/") {
		t.Errorf("%q are left", left)
	}
	w.reply = func(string) string { return "Kok\n" }
	w.start()
	w.wait("end msg", 2)
	w.stopEmpty()
}

// TestHaste has messages come in at so many a second.
func TestHaste(t *testing.T) {
	for _, tt := range []struct {
		name   string
		counts []int // for each second
		want   bool  // of the last message
	}{
		{"a few", []int{16, 16, 16}, false},
		{"many", []int{17}, true},
		{"many a second ago", []int{17, 1}, true},
		{"many before", []int{17, 0, 1}, false},
	} {
		h := haste{from: 16}
		now := time.Unix(1e9, 0)
		got := false
		for _, count := range tt.counts {
			for range count {
				got = h.count(now)
			}
			if h.now(now) != got && count > 0 {
				t.Errorf("%s: it is not the same afterwards", tt.name)
			}
			now = now.Add(time.Second)
		}
		if got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// TestStraightTimer has the time of straight deliveries be over just as they have
// ended, one well and one on a full disk: nothing more is done about their numbers,
// which may be those of other messages by then.
func TestStraightTimer(t *testing.T) {
	for first, line := range map[string]string{"Kok\n": "end msg", "Znot now\n": "unable to create info/"} {
		w, disk := newLoaded(t)
		replies := make(chan string, 1)
		w.reply = func(string) string { return <-replies }
		w.start()
		n := w.queue("ann@example.org", "bob@example.org")
		w.wait("starting delivery", 1)
		jobs := make(chan *job)
		w.server.post(func() { jobs <- w.server.active[n].jobs[local] })
		j := <-jobs
		if first != "Kok\n" {
			disk.full.Store("info/")
		}
		replies <- first
		w.wait(line, 1)
		for there := true; there; { // until Run knows
			known := make(chan bool)
			w.server.post(func() { m := w.server.active[n]; known <- m != nil && m.jobs[local] == j })
			there = <-known
		}
		w.server.post(func() {
			w.server.writeStraight(j)
			jobs <- nil
		})
		<-jobs
		if j.straight != nil {
			t.Errorf("after %q the files of the message are written", first)
		}
		disk.full.Store("nothing")
		if first != "Kok\n" {
			replies <- "Kok\n"
			w.wait("end msg", 1)
		}
		w.stop()
	}
}
