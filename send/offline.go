package send

import (
	"io"
	"path/filepath"
	"time"

	"goqmail/internal/sendctl"
	"goqmail/queue"
)

// Offline carries out orders on a queue that no qmail-send has. Its caller has the
// queue's lock.
type Offline struct {
	q    *queue.Queue
	work orders
}

// NewOffline reads the control files of a home. Clean is called for what qmail-clean
// is to do, as its user or root; it is to call remove.
func NewOffline(q *queue.Queue, home string, now func() time.Time, clean func(remove func() bool) bool) (*Offline, error) {
	config, err := LoadConfig(filepath.Join(home, "control"))
	if err != nil {
		return nil, err
	}
	o := &Offline{q: q}
	writer := &Server{q: q, log: &logger{w: io.Discard}}
	o.work = orders{
		q:     q,
		now:   now,
		log:   func(...string) {},
		eras:  &eras{},
		clean: func(command string) bool { return clean(func() bool { return o.remove(command) }) },
		tell:  func(n queue.Number, paragraph string) bool { return writer.appendBounce(n, paragraph) == nil },
	}
	o.work.eras.begin(now(), &config.Routes)
	return o, nil
}

// Do carries out one of the orders of package sendctl, and says how that went in
// the words of an answer. A bounce is sent by the next qmail-send. The message's file was
// changed at that time, in nanoseconds since 1970, if that is not 0: one that was changed
// at another is a message that has got the number since.
func (o *Offline) Do(verb string, n queue.Number, changed int64) string {
	if !isChangedAt(o.q, n, changed) {
		return sendctl.Gone
	}
	return o.work.do(verb, n)
}

// remove removes files as qmail-clean would.
func (o *Offline) remove(command string) bool {
	kinds, ok := map[string][]queue.Kind{"foop": {queue.Intd, queue.Mess}, "todo": {queue.Intd, queue.Todo}}[filepath.Dir(command)]
	n, isNumber := queue.ParseNumber(filepath.Base(command))
	if !ok || !isNumber {
		return false
	}
	for _, kind := range kinds {
		if o.q.Remove(kind, n) != nil {
			return false
		}
	}
	return true
}
