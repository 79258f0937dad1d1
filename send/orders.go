package send

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"time"

	"goqmail/bounce"
	"goqmail/internal/sendctl"
	"goqmail/queue"
)

// orders is the work on the files of a message that an administrator asks for: in
// a step of the message if qmail-send runs, otherwise by whoever has the queue's
// lock ([Offline]).
type orders struct {
	q     *queue.Queue
	now   func() time.Time
	log   func(parts ...string)
	eras  *eras
	clean func(command string) bool                   // does foop/N and todo/N, as qmail-clean
	tell  func(n queue.Number, paragraph string) bool // adds to what the sender will be told
}

// do carries out an order, and says how that went in the words of an answer.
func (o *orders) do(verb string, n queue.Number) string {
	todo, err := o.q.Has(queue.Todo, n)
	if err != nil {
		return refused(err)
	}
	if todo && verb != sendctl.Delete {
		return sendctl.New
	}
	info, err := o.q.Has(queue.Info, n)
	if err != nil {
		return refused(err)
	}
	if !info && !todo {
		return sendctl.Gone
	}
	work, ok := map[string]func(queue.Number) error{
		sendctl.Hold:    o.hold,
		sendctl.Release: o.release,
		sendctl.Retry:   o.retry,
		sendctl.Bounce:  o.bounce,
		sendctl.Delete:  o.delete,
		sendctl.Reroute: o.reroute,
	}[verb]
	if !ok {
		return sendctl.Refused("no such request")
	}
	if err := work(n); err != nil {
		return refused(err)
	}
	o.log("command: ", verb, " msg ", n.String())
	return sendctl.OK
}

func refused(err error) string { return sendctl.Refused(err.Error()) }

// Why an order is not carried out.
var (
	errNothingLeft = errors.New("it has no recipients left")
	errHeld        = errors.New("it is held")
	errNotHeld     = errors.New("it is not held")
	errNotTold     = errors.New("the bounce cannot be written")
	errNotRemoved  = errors.New("its files cannot be removed")
)

// kinds are those of a message's recipient files that are there, and whether one
// of them is held.
func (o *orders) kinds(n queue.Number) (kinds []queue.Kind, held bool, err error) {
	for ch := range channels {
		kind := channel(ch).kind()
		st, err := o.q.FS.Stat(o.q.Name(kind, n))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		kinds = append(kinds, kind)
		held = held || queue.IsHeld(st.ModTime(), o.now())
	}
	if len(kinds) == 0 {
		err = errNothingLeft
	}
	return kinds, held, err
}

func (o *orders) hold(n queue.Number) error {
	kinds, _, err := o.kinds(n)
	if err != nil {
		return err
	}
	return o.setDue(kinds, n, queue.HoldTime(o.now()))
}

func (o *orders) release(n queue.Number) error {
	kinds, held, err := o.kinds(n)
	if err == nil && !held {
		err = errNotHeld
	}
	if err != nil {
		return err
	}
	return o.setDue(kinds, n, o.now())
}

func (o *orders) retry(n queue.Number) error {
	kinds, held, err := o.kinds(n)
	if err == nil && held {
		err = errHeld
	}
	if err != nil {
		return err
	}
	return o.setDue(kinds, n, o.now())
}

func (o *orders) setDue(kinds []queue.Kind, n queue.Number, due time.Time) error {
	for _, kind := range kinds {
		if err := o.q.SetDue(kind, n, due); err != nil {
			return err
		}
	}
	return nil
}

// delete removes a message without a word to anybody. Bounce first: a crash must
// not leave a message that looks done and has one to send.
func (o *orders) delete(n queue.Number) error {
	if todo, err := o.q.Has(queue.Todo, n); err != nil {
		return err
	} else if todo && !o.clean("todo/"+n.String()) {
		return errNotRemoved
	}
	if err := o.q.Remove(queue.Bounce, n); err != nil {
		return err
	}
	if err := o.q.SyncFolders(n, queue.Bounce); err != nil {
		return err
	}
	o.log("end msg ", n.String())
	for _, kind := range []queue.Kind{queue.Local, queue.Remote, queue.LocalReports, queue.RemoteReports, queue.Info} {
		if err := o.q.Remove(kind, n); err != nil {
			return err
		}
	}
	if err := o.q.SyncFolders(n, queue.Info, queue.Todo); err != nil {
		return err
	}
	if !o.clean("foop/" + n.String()) {
		return errNotRemoved
	}
	return nil
}

// returned is added to the last report of a recipient that is not tried again
// because somebody wants it so.
const returned = "I'm not going to try again; the administrator has returned this message.\n"

// bounce has all recipients that are left fail. The message is then to be ended.
func (o *orders) bounce(n queue.Number) error {
	kinds, _, err := o.kinds(n)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		if err := o.failAll(kind, n); err != nil {
			return err
		}
		if err := o.q.Remove(queue.ReportsOf(kind), n); err != nil {
			return err
		}
		if err := o.q.Remove(kind, n); err != nil {
			return err
		}
	}
	return nil
}

// failAtOnce is how many bytes of paragraphs are written and synced together.
const failAtOnce = 64 << 10

func (o *orders) failAll(kind queue.Kind, n queue.Number) error {
	r, err := o.q.OpenRecipients(kind, n)
	if err != nil {
		return err
	}
	defer r.Close()
	_, birth, err := o.q.ReadInfo(n)
	if err != nil {
		return err
	}
	reports := o.q.ReadReports(kind, n)
	var text strings.Builder
	var places []int64
	for {
		recipient, err := r.Next()
		if err != nil && err != io.EOF {
			return err
		}
		if err == nil && !recipient.Done {
			text.WriteString(bounce.Paragraph(o.eras.original(kind, recipient.Address, birth), reports[recipient.Place]+returned))
			places = append(places, recipient.Place)
			o.log("command: bounce msg ", n.String(), " to ", string(kind), " ", safe(recipient.Address))
		}
		if len(places) > 0 && (err == io.EOF || text.Len() >= failAtOnce) {
			if err := o.fail(kind, n, text.String(), places); err != nil {
				return err
			}
			text.Reset()
			places = nil
		}
		if err == io.EOF {
			return nil
		}
	}
}

// fail marks recipients as done once their paragraphs are safe.
func (o *orders) fail(kind queue.Kind, n queue.Number, paragraphs string, places []int64) error {
	if !o.tell(n, paragraphs) {
		return errNotTold
	}
	for _, place := range places {
		if err := o.q.MarkDone(kind, n, place); err != nil {
			return err
		}
	}
	return nil
}
