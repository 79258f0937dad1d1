package send

import "goqmail/queue"

// keepReport remembers why a recipient has to be tried again, until the job ends.
func (j *job) keepReport(r queue.Recipient, text string) {
	if j.reports == nil {
		j.reports = queue.Reports{}
	}
	j.reports.Keep(r.Place, text)
}

// saveReports writes down what the deferrals of a job were, in a step of its
// message. They are good to know, no more: if that cannot be done, as in a queue
// that has no place for them, all goes on.
func (s *Server) saveReports(kind queue.Kind, n queue.Number, reports queue.Reports) {
	if len(reports) > 0 {
		s.q.MergeReports(kind, n, reports)
	}
}

// cleanReports removes reports about recipients that are gone, as when somebody has
// deleted the message by hand.
func (s *Server) cleanReports() {
	for ch := range channels {
		kind := channel(ch).kind()
		s.q.Numbers(queue.ReportsOf(kind), func(n queue.Number) bool {
			if has, err := s.q.Has(kind, n); !has && err == nil {
				s.q.Remove(queue.ReportsOf(kind), n)
			}
			return !s.isStopping()
		})
	}
}
