package send

import "time"

// setBackNoticed is how much earlier than before it has to be for the clock to have
// been set back.
const setBackNoticed = time.Minute

// mindClock has what waits be due sooner by as much as the host's clock was set back,
// or it would wait for so much longer, at worst for days. A clock that is set forth
// makes things due, which harms nobody.
func (s *Server) mindClock(now time.Time) {
	back := s.looked.Round(0).Sub(now.Round(0)) // Round leaves the time of day alone
	s.looked = now
	if back < setBackNoticed {
		return
	}
	heaps := []entries{s.ending, s.unknown, s.telling}
	for _, l := range s.lanes {
		heaps = append(heaps, l.waiting)
	}
	for _, h := range heaps {
		h.sooner(back, now)
	}
}

// sooner makes all due sooner but what is held, which is last in the heap anyway.
func (h entries) sooner(by time.Duration, now time.Time) {
	for i := range h {
		if !h[i].held(now) {
			h[i].due, h[i].unsaved = h[i].due-int64(by/time.Second), true
		}
	}
}
