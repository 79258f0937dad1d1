package send

import (
	"math"
	"slices"
	"time"

	"goqmail/queue"
)

// slowness is how fast a channel gives up trying often: the square root of a
// message's age grows by so much from one try to the next.
var slowness = [channels]int64{local: 10, remote: 20}

// nextTry is when a recipient of a message born at birth is tried again, if it is
// tried now: at birth plus the square of (the root of the age, plus 10 seconds for
// local recipients or 20 for remote ones).
func nextTry(birth, now time.Time, ch channel) time.Time {
	age := now.Unix() - birth.Unix()
	if age < 0 {
		age = 0
	}
	n := squareRoot(age) + slowness[ch]
	return birth.Truncate(time.Second).Add(time.Duration(n*n) * time.Second)
}

// squareRoot rounds down.
func squareRoot(x int64) int64 {
	r := int64(math.Sqrt(float64(x)))
	for r*r > x {
		r--
	}
	for (r+1)*(r+1) <= x {
		r++
	}
	return r
}

// entry is a message that waits for something.
type entry struct {
	due     int64 // Unix time, seconds
	n       queue.Number
	unsaved bool // the time of the recipient file is not due
}

func (e entry) held(now time.Time) bool { return queue.IsHeld(time.Unix(e.due, 0), now) }

// before is the order in which entries come. Of many that are due at the same time, as
// after SIGALRM, the numbers tell where they are on the disk.
func (e entry) before(other entry) bool {
	return e.due < other.due || e.due == other.due && e.n < other.n
}

// entries is a heap: the entry that is due first is at 0.
type entries []entry

func (h entries) first() (entry, bool) {
	if len(h) == 0 {
		return entry{}, false
	}
	return h[0], true
}

func (h *entries) push(e entry) {
	*h = append(*h, e)
	s := *h
	i := len(s) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !s[i].before(s[parent]) {
			return
		}
		s[parent], s[i] = s[i], s[parent]
		i = parent
	}
}

// pop takes the first entry away.
func (h *entries) pop() entry {
	s := *h
	top := s[0]
	last := len(s) - 1
	s[0] = s[last]
	*h = s[:last]
	h.down(0)
	return top
}

// down moves an entry to behind those that are due before it.
func (h entries) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if !h[child].before(h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// remove takes messages out, in one pass over what may be a million others.
func (h *entries) remove(numbers map[queue.Number]bool) {
	before := len(*h)
	*h = slices.DeleteFunc(*h, func(e entry) bool { return numbers[e.n] })
	if len(*h) == before {
		return
	}
	h.order()
}

// popDue takes the first entry away if it is due.
func (h *entries) popDue(now time.Time) (entry, bool) {
	e, ok := h.first()
	if !ok || e.due > now.Unix() {
		return entry{}, false
	}
	return h.pop(), true
}

// allDue makes everything due now but what is held, which is last in the heap anyway.
func (h entries) allDue(now time.Time) {
	for i := range h {
		if !h[i].held(now) {
			h[i].due, h[i].unsaved = now.Unix(), true
		}
	}
	h.order()
}

// order makes a heap of entries in any order.
func (h entries) order() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}
