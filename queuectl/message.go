package queuectl

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"goqmail/internal/sendctl"
	"goqmail/queue"
)

// States of messages and recipients.
const (
	stateNew        = "new"        // not preprocessed yet
	stateQueued     = "queued"     // a message that is preprocessed
	stateHeld       = "held"       // not tried until it is released
	stateWaiting    = "waiting"    // a recipient that will be tried
	stateDelivering = "delivering" // being tried now
	stateDone       = "done"       // delivered, or failed for good
)

// Message is what the queue has of a message, and its form in JSON.
type Message struct {
	Number     queue.Number `json:"number"`
	State      string       `json:"state"`
	Born       time.Time    `json:"born"`
	Size       int64        `json:"size"` // bytes
	Sender     string       `json:"sender"`
	Bouncing   bool         `json:"bouncing"` // there are failures to tell the sender of
	Recipients []Recipient  `json:"recipients"`
	Header     string       `json:"header,omitempty"` // by show
	Body       string       `json:"body,omitempty"`
	Trouble    string       `json:"trouble,omitempty"` // why some of this is missing

	changed int64 // the file in mess, in nanoseconds since 1970
}

// Recipient is one recipient of a message.
type Recipient struct {
	Channel string     `json:"channel,omitempty"` // local or remote, once that is decided
	State   string     `json:"state"`
	Address string     `json:"address"`
	NextTry *time.Time `json:"next_try,omitempty"`
	Report  string     `json:"report,omitempty"`     // of the last attempt, as far as it is kept
	Since   *time.Time `json:"told_since,omitempty"` // when the reports of this message last changed
}

// reader reads messages.
type reader struct {
	q      *queue.Queue
	now    time.Time
	active map[sendctl.Answer]bool // deliveries under way
}

// reader asks qmail-send, if it can be asked, which deliveries are under way.
func (t *Tool) reader() *reader {
	r := &reader{q: t.q, now: t.Now(), active: map[sendctl.Answer]bool{}}
	if c, err := t.dial(); err == nil {
		defer c.Close()
		c.Ask(sendctl.Request{Verb: sendctl.Active}, func(a sendctl.Answer) { r.active[a] = true })
	}
	return r
}

// each calls yield with each message in the queue, the new ones last.
func (r *reader) each(yield func(*Message) error) error {
	var failed error
	visit := func(n queue.Number) bool {
		if m := r.message(n); m != nil {
			failed = yield(m)
		}
		return failed == nil
	}
	err := r.q.Numbers(queue.Info, func(n queue.Number) bool {
		if has, err := r.q.Has(queue.Todo, n); has && err == nil {
			return true
		}
		return visit(n)
	})
	if err == nil && failed == nil {
		err = r.q.Numbers(queue.Todo, visit)
	}
	return errors.Join(err, failed)
}

// message reads what there is of a message. It is nil if there is none.
func (r *reader) message(n queue.Number) *Message {
	m := &Message{Number: n, Recipients: []Recipient{}}
	st, err := r.q.FS.Stat(r.q.Name(queue.Mess, n))
	if err == nil {
		m.Size, m.Born, m.changed = st.Size(), st.ModTime().UTC(), st.ModTime().UnixNano()
		if err = r.readTodo(m); errors.Is(err, fs.ErrNotExist) {
			err = r.readQueued(m)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		m.Trouble = err.Error()
	}
	return m
}

func (r *reader) readTodo(m *Message) error {
	f, err := r.q.FS.Open(r.q.Name(queue.Todo, m.Number), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	m.State = stateNew
	return queue.ReadTodo(f, func(e queue.Envelope) error {
		m.Sender = e.Sender
		return nil
	}, func(addr string) error {
		m.Recipients = append(m.Recipients, Recipient{State: stateNew, Address: addr})
		return nil
	})
}

func (r *reader) readQueued(m *Message) error {
	sender, birth, err := r.q.ReadInfo(m.Number)
	if err != nil {
		return err
	}
	m.State, m.Sender, m.Born = stateQueued, sender, birth.UTC()
	m.Bouncing, _ = r.q.Has(queue.Bounce, m.Number)
	for _, kind := range []queue.Kind{queue.Local, queue.Remote} {
		if err := r.readRecipients(m, kind); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (r *reader) readRecipients(m *Message, kind queue.Kind) error {
	st, err := r.q.FS.Stat(r.q.Name(kind, m.Number))
	if err != nil {
		return err
	}
	file, err := r.q.OpenRecipients(kind, m.Number)
	if err != nil {
		return err
	}
	defer file.Close()
	next := st.ModTime().UTC()
	held := queue.IsHeld(next, r.now)
	if held {
		m.State = stateHeld
	}
	reports, since := r.reports(kind, m.Number)
	for {
		rec, err := file.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		out := Recipient{Channel: string(kind), Address: rec.Address}
		switch {
		case rec.Done:
			out.State = stateDone
		case r.active[delivery(m.Number, kind, rec.Place)]:
			out.State = stateDelivering
		case held:
			out.State = stateHeld
		default:
			out.State, out.NextTry = stateWaiting, &next
		}
		if out.Report = reports[rec.Place]; rec.Done {
			out.Report = ""
		}
		if out.Report != "" {
			out.Since = since
		}
		m.Recipients = append(m.Recipients, out)
	}
}

func (r *reader) reports(kind queue.Kind, n queue.Number) (queue.Reports, *time.Time) {
	st, err := r.q.FS.Stat(r.q.Name(queue.ReportsOf(kind), n))
	if err != nil {
		return nil, nil
	}
	since := st.ModTime().UTC()
	return r.q.ReadReports(kind, n), &since
}
