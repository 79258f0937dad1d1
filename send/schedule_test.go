package send

import (
	"math/rand/v2"
	"testing"
	"time"

	"goqmail/queue"
)

func TestNextTry(t *testing.T) {
	birth := time.Unix(1_700_000_000, 5)
	for _, tt := range []struct {
		age, local, remote int64
	}{
		{0, 100, 400}, {-50, 100, 400}, {99, 361, 841}, {100, 400, 900},
		{2500, 3600, 4900}, {10000, 12100, 14400}, {400000, 642 * 642, 652 * 652}, {604800, 787 * 787, 797 * 797},
	} {
		now := birth.Add(time.Duration(tt.age) * time.Second)
		if got := nextTry(birth, now, local).Unix() - birth.Unix(); got != tt.local {
			t.Errorf("local, after %d s: next at %d, want %d", tt.age, got, tt.local)
		}
		if got := nextTry(birth, now, remote).Unix() - birth.Unix(); got != tt.remote {
			t.Errorf("remote, after %d s: next at %d, want %d", tt.age, got, tt.remote)
		}
	}
}

func TestEntries(t *testing.T) {
	var h entries
	r := rand.New(rand.NewPCG(1, 2))
	const count = 1000
	for i := range count {
		h.push(entry{due: r.Int64N(300), n: queue.Number(i)})
	}
	seen := map[queue.Number]bool{}
	last := entry{due: -1}
	for {
		e, ok := h.popDue(time.Unix(1000, 0))
		if !ok {
			break
		}
		if e.before(last) {
			t.Fatalf("%v comes after %v", e, last)
		}
		last = e
		seen[e.n] = true
	}
	if len(seen) != count {
		t.Errorf("%d entries come out, want %d", len(seen), count)
	}
	h.push(entry{due: 50})
	if _, ok := h.popDue(time.Unix(49, 0)); ok {
		t.Error("an entry is due too soon")
	}
	h.push(entry{due: 40})
	h.allDue(time.Unix(9, 0))
	if e, ok := h.popDue(time.Unix(9, 0)); !ok || !e.unsaved {
		t.Errorf("after allDue: %v, %v", e, ok)
	}
}

func TestRemoveFromEntries(t *testing.T) {
	var h entries
	r := rand.New(rand.NewPCG(3, 4))
	gone := map[queue.Number]bool{5000: true} // one that is not there
	const count = 1000
	for i := range count {
		h.push(entry{due: r.Int64N(300), n: queue.Number(i)})
		if r.IntN(3) == 0 {
			gone[queue.Number(i)] = true
		}
	}
	h.remove(gone)
	h.remove(map[queue.Number]bool{5000: true})
	last, left := int64(-1), 0
	for len(h) > 0 {
		e := h.pop()
		if gone[e.n] || e.due < last {
			t.Fatalf("%v comes after one due at %d; removed: %v", e, last, gone[e.n])
		}
		last = e.due
		left++
	}
	if want := count - len(gone) + 1; left != want {
		t.Errorf("%d are left, want %d", left, want)
	}
}
