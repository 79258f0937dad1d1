package send

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"goqmail/queue"
)

// eras remembers which routes were in force when: an address to which a virtual
// domain put its user can be told from one that was so from the start only by the
// routes of the time.
type eras struct {
	mu   sync.Mutex
	eras []era // oldest first
}

type era struct {
	since  time.Time
	routes *Routes
}

// Bounds of what is remembered of earlier control files: how often they changed,
// and their entries in all.
const (
	maxEras    = 64
	maxEntries = 1 << 18
)

// begin puts routes in force.
func (e *eras) begin(since time.Time, routes *Routes) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := len(e.eras); n > 0 && e.eras[n-1].routes.Equal(routes) {
		return
	}
	e.eras = append(e.eras, era{since, routes})
	entries := 0
	for i := len(e.eras) - 1; i >= 0; i-- {
		r := e.eras[i].routes
		entries += len(r.Locals) + len(r.Virtual) + len(r.PercentHack)
		if i < len(e.eras)-1 && (entries > maxEntries || len(e.eras)-i > maxEras) {
			e.eras = slices.Clone(e.eras[i+1:])
			return
		}
	}
}

func (e *eras) last() *Routes {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.eras[len(e.eras)-1].routes
}

// from returns the routes that were in force at a time, the oldest ones known for
// times before, and all since.
func (e *eras) from(t time.Time) []era {
	e.mu.Lock()
	defer e.mu.Unlock()
	first := 0
	for i, era := range e.eras {
		if !era.since.After(t) {
			first = i
		}
	}
	return e.eras[first:]
}

// original is the address that a recipient had before a message that was born then
// was preprocessed: by the routes of that time, or of a later one if it had to wait.
func (e *eras) original(kind queue.Kind, addr string, birth time.Time) string {
	if kind != queue.Local {
		return addr
	}
	for _, era := range e.from(birth) {
		if before, ok := era.routes.Undo(addr); ok {
			return before
		}
	}
	return addr
}

// reroute preprocesses what is left of a message again. Recipients who had it do
// not get it again, unless the host crashes meanwhile: the files are written so
// that at each moment no recipient is missing, though one may be there twice.
func (o *orders) reroute(n queue.Number) error {
	_, held, err := o.kinds(n)
	if err != nil {
		return err
	}
	due := o.now()
	if held {
		due = queue.HoldTime(due)
	}
	old, next, err := o.newLists(n)
	if err != nil {
		return err
	}
	if bytes.Equal(old[local], next[local]) && bytes.Equal(old[remote], next[remote]) {
		return nil
	}
	// Places change, and with them what the reports are about.
	for ch := range channels {
		if err := o.q.Remove(queue.ReportsOf(channel(ch).kind()), n); err != nil {
			return err
		}
	}
	for ch := range channels {
		if err := o.replace(channel(ch).kind(), n, append(next[ch][:len(next[ch]):len(next[ch])], old[ch]...), due); err != nil {
			return err
		}
	}
	for ch := range channels {
		if err := o.replace(channel(ch).kind(), n, next[ch], due); err != nil {
			return err
		}
	}
	return nil
}

// newLists returns the records of those to do, as they are and as they are to be.
func (o *orders) newLists(n queue.Number) (old, next [channels][]byte, err error) {
	_, birth, err := o.q.ReadInfo(n)
	if err != nil {
		return old, next, err
	}
	routes := o.eras.last()
	for ch := range channels {
		kind := channel(ch).kind()
		err := o.eachToDo(kind, n, func(r queue.Recipient) {
			to, addr := channelOf(routes, o.eras.original(kind, r.Address, birth))
			old[ch] = append(old[ch], "T"+r.Address+"\x00"...)
			next[to] = append(next[to], "T"+addr+"\x00"...)
		})
		if err != nil {
			return old, next, err
		}
	}
	return old, next, nil
}

func (o *orders) eachToDo(kind queue.Kind, n queue.Number, f func(queue.Recipient)) error {
	r, err := o.q.OpenRecipients(kind, n)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		recipient, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !recipient.Done {
			f(recipient)
		}
	}
}

// newSuffix ends the name of a recipient file that is being written anew.
const newSuffix = ".new"

// replace writes a recipient file anew, durably. An empty one goes.
func (o *orders) replace(kind queue.Kind, n queue.Number, data []byte, due time.Time) error {
	name := o.q.Name(kind, n)
	if len(data) == 0 {
		if err := o.q.Remove(kind, n); err != nil {
			return err
		}
		return o.q.SyncFolders(n, kind)
	}
	next := name + newSuffix
	if err := o.q.FS.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := o.q.FS.Create(next, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, strings.NewReader(string(data)))
	if err == nil {
		err = o.q.FS.Chtimes(next, due, due)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = o.q.FS.Rename(next, name)
	}
	if err != nil {
		o.q.FS.Remove(next)
		return err
	}
	return o.q.SyncFolders(n, kind)
}
