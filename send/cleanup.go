package send

import (
	"time"

	"goqmail/queue"
)

// cleanup looks, at the start and then about once a day, for messages that were
// never queued, because qmail-queue or the host crashed, and has them removed.
func (s *Server) cleanup() {
	for {
		s.q.Numbers(queue.Mess, func(n queue.Number) bool {
			if s.isGarbage(n) {
				s.clean("foop/" + n.String())
			}
			return !s.isStopping()
		})
		s.cleanReports()
		select {
		case <-time.After(cleanupEvery):
		case <-s.stopping:
			return
		}
	}
}

// isGarbage reports whether a message is old and neither in todo nor in info.
func (s *Server) isGarbage(n queue.Number) bool {
	st, err := s.q.FS.Stat(s.q.Name(queue.Mess, n))
	if err != nil || !queue.IsOld(st, s.now()) {
		return false
	}
	// Todo first: it goes when info is there.
	for _, kind := range []queue.Kind{queue.Todo, queue.Info} {
		if has, err := s.q.Has(kind, n); has || err != nil {
			return false
		}
	}
	return true
}
