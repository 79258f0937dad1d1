package send

import (
	"path/filepath"
	"time"

	"goqmail/queue"
)

// Offline carries out orders on a queue that no qmail-send has. Its caller has the
// queue's lock.
type Offline struct {
	Queue *queue.Queue
	Home  string // folder with control
	Now   func() time.Time
	// Clean is called for what qmail-clean is to do, as its user or root; it is to
	// call clean.
	Clean func(command string, clean func(string) bool) bool
}

// Do carries out one of the orders of package sendctl, and says how that went in
// the words of an answer. A bounce is sent by the next qmail-send.
func (o Offline) Do(verb string, n queue.Number) string {
	config, err := LoadConfig(filepath.Join(o.Home, "control"))
	if err != nil {
		return refused(err)
	}
	var e eras
	e.begin(o.Now(), &config.Routes)
	s := &Server{q: o.Queue, log: &logger{w: discard{}}}
	work := orders{
		q:     o.Queue,
		now:   o.Now,
		log:   func(...string) {},
		eras:  &e,
		clean: func(command string) bool { return o.Clean(command, o.clean) },
		tell:  func(n queue.Number, paragraph string) bool { return s.appendBounce(n, paragraph) == nil },
	}
	return work.do(verb, n)
}

// clean removes files as qmail-clean would.
func (o Offline) clean(command string) bool {
	kinds, ok := map[string][]queue.Kind{"foop": {queue.Intd, queue.Mess}, "todo": {queue.Intd, queue.Todo}}[filepath.Dir(command)]
	n, isNumber := queue.ParseNumber(filepath.Base(command))
	if !ok || !isNumber {
		return false
	}
	for _, kind := range kinds {
		if o.Queue.Remove(kind, n) != nil {
			return false
		}
	}
	return true
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
