package send

import (
	"sync/atomic"
	"testing"
	"time"

	"goqmail/queue"
)

// TestClockSetBack has a message that waits to be tried again, one that is held, and
// one whose bounce cannot be queued. Then the clock is set back by a day: the first and
// the last wait no longer than before. ALRM has the bounce follow at once.
func TestClockSetBack(t *testing.T) {
	w := newWorld(t)
	var ahead atomic.Int64
	ahead.Store(int64(24 * time.Hour))
	w.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	w.reply = func(asked string) string {
		if asked == "remote ann@far.example bob@far.example" {
			return "Zlater\n"
		}
		return "Dnever\n"
	}
	w.start()
	later := w.queue("ann@far.example", "bob@far.example")
	w.wait("deferral", 1)
	failed := w.queue("ann@far.example", "joe@example.org")
	w.wait("trouble injecting bounce message", 1)
	const held = 1
	far := queue.HoldTime(w.now())
	wait := func() map[queue.Number]time.Duration {
		all := map[queue.Number]time.Duration{}
		told := make(chan struct{})
		w.server.post(func() {
			defer close(told)
			s := w.server
			s.begin()
			for _, h := range []entries{s.ending, s.lanes[remote].waiting} {
				for _, e := range h {
					all[e.n] = time.Unix(e.due, 0).Sub(s.now())
				}
			}
		})
		<-told
		return all
	}
	w.server.post(func() { w.server.lanes[remote].waiting.push(entry{due: far.Unix(), n: held}) })
	before := wait()
	for len(before) < 3 { // what is told in the log comes first
		before = wait()
	}
	ahead.Store(0)
	after := wait()
	for _, n := range []queue.Number{later, failed} {
		if d, ok := after[n]; !ok || d > before[n]+2*setBackNoticed {
			t.Errorf("message %d was due in %v, and now is in %v", n, before[n], d)
		}
	}
	if d := after[held]; !queue.IsHeld(far, w.now()) || d < 365*24*time.Hour {
		t.Errorf("the held message is due in %v", d)
	}
	w.submitter()
	w.server.RunNow()
	w.wait("bounce msg", 1)
	w.stop()
}
