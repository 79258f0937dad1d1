package send

import "goqmail/queue"

// message is a message that something is being done about. Its steps are carried
// out one after the other, in the order in which they were asked for, those of
// different messages beside each other: so the reports about a message go into
// its bounce in their order, and no file goes while another step needs it.
type message struct {
	n      queue.Number
	users  int // jobs, ends and orders under way
	jobs   [channels]*job
	orders []*order // what to do once nothing else is done

	steps   []func()
	marks   [channels]*[]int64 // what the step among them marks as done, see markSoon
	running bool
	// spoiled is set by a step that could not do its work before qmail-send has to
	// end. The steps after it must not be done then: the next run will do it all.
	spoiled bool
}

// use returns the message for something that will be done about it, until release.
func (s *Server) use(n queue.Number) *message {
	m := s.active[n]
	if m == nil {
		m = &message{n: n}
		s.active[n] = m
	}
	m.users++
	return m
}

func (s *Server) release(m *message) {
	m.users--
	s.forget(m)
}

func (s *Server) forget(m *message) {
	if m.users == 0 && !m.running && len(m.steps) == 0 {
		delete(s.active, m.n)
		s.nextOrder(m)
	}
}

// do has a step of a message carried out, in another goroutine, at the end of Run's
// turn. It talks to the rest through Server.post.
func (s *Server) do(m *message, step func()) {
	m.steps = append(m.steps, step)
	if !m.running {
		m.running = true
		s.running++
		s.stepping = append(s.stepping, m)
	}
}

// beginSteps begins what was asked for in a turn.
func (s *Server) beginSteps() {
	for _, m := range s.stepping {
		s.nextStep(m)
	}
	s.stepping = s.stepping[:0]
}

func (s *Server) nextStep(m *message) {
	steps := m.steps
	m.steps, m.marks = nil, [channels]*[]int64{}
	s.workers.Go(func() {
		s.disk <- struct{}{}
		for _, step := range steps {
			if !m.spoiled {
				step()
			}
		}
		<-s.disk
		s.post(func() { s.stepsDone(m) })
	})
}

func (s *Server) stepsDone(m *message) {
	if len(m.steps) > 0 {
		s.stepping = append(s.stepping, m)
		return
	}
	m.running = false
	s.running--
	s.forget(m)
}
