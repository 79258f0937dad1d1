package send

import (
	"time"

	"goqmail/queue"
)

// cleanup looks, at the start and then about once a day, for messages that were
// never queued, because qmail-queue or the host crashed, and has them removed.
func (s *Server) cleanup() {
	for {
		for i, folder := range s.q.Folders(queue.Mess) {
			s.cleanFolder(s.list(folder).numbers, s.list(s.q.Folders(queue.Info)[i]))
		}
		s.cleanReports()
		select {
		case <-time.After(cleanupEvery):
		case <-s.stopping:
			return
		}
	}
}

// cleanFolder looks at the messages of one folder in mess that are not in info: of a
// million that are it need not ask anything.
func (s *Server) cleanFolder(numbers []queue.Number, info *listing) {
	for _, n := range numbers {
		if s.isStopping() {
			return
		}
		if info.lists(n) || !s.isOld(n) || !s.intake.borrow(n) {
			continue
		}
		s.whenIdle(n, func() {
			if s.isGarbage(n) {
				s.clean("foop/" + n.String())
			}
		})
		s.intake.giveBack(n)
	}
}

// whenIdle has something done as a step of a message of which nobody knows anything, and
// waits for that.
func (s *Server) whenIdle(n queue.Number, step func()) {
	over := make(chan struct{})
	s.post(func() {
		if s.active[n] != nil || s.exiting {
			close(over)
			return
		}
		m := s.use(n)
		s.do(m, func() {
			step()
			s.post(func() {
				s.release(m)
				close(over)
			})
		})
	})
	select {
	case <-over:
	case <-s.finished:
	}
}

func (s *Server) isOld(n queue.Number) bool {
	st, err := s.q.FS.Stat(s.q.Name(queue.Mess, n))
	return err == nil && queue.IsOld(st, s.now())
}

// isGarbage reports whether an old message is neither in todo nor in info. It must be
// borrowed, and idle: as it ends, the next one may take its number.
func (s *Server) isGarbage(n queue.Number) bool {
	// Todo first: it goes when info is there.
	return s.q.HasNone(n, queue.Todo, queue.Info) && s.isOld(n)
}
