package queuectl

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/fence"
	"goqmail/internal/sendctl"
	"goqmail/queue"
	"goqmail/send"
)

// Result is what became of an order about one message.
type Result struct {
	Number queue.Number `json:"number"`
	Result string       `json:"result"` // ok, later, new, gone or refused
	Reason string       `json:"reason,omitempty"`
}

// Patience with a qmail-send that begins, and with messages being preprocessed.
const (
	startTries = 300 // of pause each
	newTries   = 50
	pause      = 200 * time.Millisecond
)

// delivery is how a delivery under way is told of.
func delivery(n queue.Number, kind queue.Kind, place int64) sendctl.Answer {
	return sendctl.Answer{Number: uint64(n), Words: string(kind) + " " + strconv.FormatInt(place, 10)}
}

// act has something done about the messages that are chosen.
func (t *Tool) act(verb string, o *options) (int, error) {
	if len(o.numbers) == 0 && o.filter.isEmpty() && !o.all {
		return 0, errUsage // nobody means all of them by nothing
	}
	var numbers []target
	if len(o.numbers) > 0 && o.filter.isEmpty() {
		numbers = t.targets(o.numbers)
	} else if err := t.pick(o, func(m *Message) error {
		numbers = append(numbers, target{m.Number, m.changed})
		return nil
	}, func(queue.Number) {}); err != nil {
		return 0, err
	}
	do, done, err := t.doer()
	if err != nil {
		return 0, err
	}
	defer done()
	return t.actOn(verb, numbers, len(o.numbers) > 0, do)
}

// target is a message that something is to be done about. Its number may be another
// one's soon, whose file has changed at another time.
type target struct {
	n       queue.Number
	changed int64 // in nanoseconds since 1970; 0 if there is no file
}

func (t *Tool) targets(numbers []queue.Number) []target {
	all := make([]target, len(numbers))
	for i, n := range numbers {
		all[i].n = n
		if st, err := t.q.FS.Stat(t.q.Name(queue.Mess, n)); err == nil {
			all[i].changed = st.ModTime().UnixNano()
		}
	}
	return all
}

func find(all []target, n queue.Number) target {
	for _, one := range all {
		if one.n == n {
			return one
		}
	}
	return target{n: n}
}

// actOn goes through the messages in batches, and comes back to new ones.
func (t *Tool) actOn(verb string, numbers []target, named bool, do doer) (int, error) {
	code := exitcode.OK
	out := array{t: t}
	for tries := 0; len(numbers) > 0; tries++ {
		var again []target
		for len(numbers) > 0 {
			batch := numbers[:min(len(numbers), sendctl.MaxNumbers)]
			numbers = numbers[len(batch):]
			err := do(verb, batch, func(r Result) error {
				if r.Result == sendctl.New && tries < newTries {
					again = append(again, find(batch, r.Number))
					return nil
				}
				code = max(code, r.code(named))
				return t.tell(&out, verb, r)
			})
			if err != nil {
				return 0, err
			}
		}
		if numbers = again; len(again) > 0 {
			t.Sleep(pause)
		}
	}
	if t.json {
		return code, out.end()
	}
	return code, nil
}

func (r Result) code(named bool) int {
	switch r.Result {
	case sendctl.OK, sendctl.Later:
		return exitcode.OK
	case sendctl.Gone:
		if named {
			return exitcode.Hard
		}
		return exitcode.OK // it has gone its way meanwhile
	}
	return exitcode.Soft
}

func (t *Tool) tell(out *array, verb string, r Result) error {
	if t.json {
		return out.add(r)
	}
	line := fmt.Sprintf("%d %s: %s", r.Number, verb, r.Result)
	if r.Reason != "" {
		line += ": " + printable(r.Reason)
	}
	_, err := io.WriteString(t.Out, line+"\n")
	return err
}

// doer carries out an order about some messages and tells the result of each.
type doer func(verb string, numbers []target, yield func(Result) error) error

// errNoCommands means that somebody has the queue who cannot be asked.
var errNoCommands = errors.New("the qmail-send that has the queue takes no commands; stop it first")

// lock takes the queue's lock, and keeps those from the queue who still work for a
// qmail-send that was killed. Where that cannot be done qmail-send does without, too.
func (t *Tool) lock() (io.Closer, error) {
	lock, err := queue.Lock(t.folder)
	if err == nil {
		_ = fence.Move(t.folder, "", 5*time.Second, func() {
			io.WriteString(t.Errors, "qmail-queuectl: waiting for programs of an earlier qmail-send to finish\n")
		})
	}
	return lock, err
}

// doer is the qmail-send that has the queue, or this program, which keeps the lock
// until done is called.
func (t *Tool) doer() (do doer, done func(), err error) {
	lock, err := t.lock()
	switch {
	case err == nil:
		return t.doHere, func() { lock.Close() }, nil
	case !errors.Is(err, queue.ErrLocked):
		return nil, nil, err
	}
	// It may have been another qmail's queue until now, or qmail-send just begins.
	if err := queue.MakeSendFolder(t.folder); err != nil {
		return nil, nil, err
	}
	var c *sendctl.Conn
	for range startTries / 5 {
		if c, err = t.dial(); err == nil {
			return func(verb string, numbers []target, yield func(Result) error) error {
				return t.ask(c, verb, numbers, yield)
			}, func() { c.Close() }, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, nil, err
		}
		t.Sleep(pause)
	}
	return nil, nil, errNoCommands
}

func (t *Tool) dial() (*sendctl.Conn, error) {
	c, err := sendctl.Dial(filepath.Join(t.folder, sendctl.Path))
	if err != nil {
		return nil, err
	}
	if err := c.Greet(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// ask has qmail-send do it.
func (t *Tool) ask(c *sendctl.Conn, verb string, numbers []target, yield func(Result) error) error {
	r := sendctl.Request{Verb: verb}
	for _, one := range numbers {
		r.Numbers, r.Changed = append(r.Numbers, uint64(one.n)), append(r.Changed, one.changed)
	}
	var failed error
	for range startTries {
		err := c.Ask(r, func(a sendctl.Answer) {
			if failed == nil {
				failed = yield(result(queue.Number(a.Number), a.Words))
			}
		})
		var refused *sendctl.RefusedError
		if !errors.As(err, &refused) || refused.Reason != sendctl.Busy {
			return errors.Join(err, failed)
		}
		t.Sleep(pause)
	}
	return errors.New("qmail-send is still reading the queue, or ending; try again later")
}

func result(n queue.Number, words string) Result {
	if reason, ok := sendctl.Reason(words); ok {
		return Result{n, "refused", reason}
	}
	return Result{n, words, ""}
}

// doHere does it without qmail-send, as its user: what it writes is for the next
// qmail-send to read, and root does not write in folders of others.
func (t *Tool) doHere(verb string, numbers []target, yield func(Result) error) error {
	uid, gid, err := t.sender()
	if err != nil {
		return err
	}
	if err := t.Become(uid, gid); err != nil {
		return err
	}
	defer t.Become(os.Getuid(), os.Getgid())
	offline, err := send.NewOffline(t.q, t.Home, t.Now, func(remove func() bool) bool {
		if t.Become(os.Getuid(), os.Getgid()) != nil {
			return false
		}
		ok := remove() // the files are qmail-queue's
		return t.Become(uid, gid) == nil && ok
	})
	if err != nil {
		return err
	}
	for _, one := range numbers {
		words := offline.Do(verb, one.n, one.changed)
		if words == sendctl.New {
			words = sendctl.Refused("it is not preprocessed; start qmail-send first")
		}
		if err := yield(result(one.n, words)); err != nil {
			return err
		}
	}
	return nil
}

// sender is the user of qmail-send, whose lock/sendmutex is.
func (t *Tool) sender() (uid, gid int, err error) {
	st, err := os.Stat(filepath.Join(t.folder, "lock/sendmutex"))
	if err != nil {
		return 0, 0, err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return os.Getuid(), os.Getgid(), nil
	}
	return int(sys.Uid), int(sys.Gid), nil
}
