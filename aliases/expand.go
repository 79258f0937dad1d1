package aliases

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"goqmail/internal/durable"
	"goqmail/internal/fault"
)

// Table looks names up in a compiled table. *cdb.Reader is one.
type Table interface {
	Get(key []byte) (value []byte, ok bool, err error)
}

// Expansion is all that mail for a name comes to in the end.
type Expansion struct {
	Targets []Target // addresses, programs and files, each once
	// Self is set if the name is among its own targets: the mailbox of that name
	// is to have the message too.
	Self bool
	// Owner is the address that failures go to instead of to the author: that of
	// the alias owner-NAME, if there is one. Otherwise it is empty.
	Owner string
}

// What a name or a file may not do.
var (
	ErrLoop    = errors.New("leads to itself and to nobody else")
	ErrTooMany = errors.New("too many targets")
	ErrInclude = errors.New("an included file may hold nothing but addresses")
)

// Refusal is the error for a name whose mail is refused, by :fail: or :defer:.
type Refusal struct {
	Perm bool
	Text string // the reason
}

func (r *Refusal) Error() string { return r.Text }

// Expander finds out where mail goes. It looks aliases up in aliases, and includes
// files, each once.
type Expander struct {
	Table Table // nil: there is none
	// Open opens a file to be included. It must not wait for the other end of a FIFO.
	Open func(name string) (fs.File, error)

	self func(address string) bool
	seen map[Target]bool // targets met
	done map[Target]bool // those in out
	out  Expansion
	loop bool // a name was met twice
}

// Recipient expands an address: by local@host, by local, or by @host. Ok is false,
// without an error, if the table has none of them.
func (x Expander) Recipient(local, host string) (e Expansion, ok bool, err error) {
	for _, name := range []string{local + "@" + host, local, "@" + host} {
		targets, ok, err := x.lookUp(name)
		if err != nil {
			return Expansion{}, false, err
		}
		if !ok {
			continue
		}
		x.self = func(address string) bool {
			return strings.EqualFold(address, local) || strings.EqualFold(address, local+"@"+host)
		}
		if name != "@"+host {
			owned, err := x.has("owner-" + name)
			if err != nil {
				return Expansion{}, false, err
			}
			if owned {
				x.out.Owner = "owner-" + local + "@" + host
			}
		}
		e, err := x.expand(targets)
		return e, true, err
	}
	return Expansion{}, false, nil
}

// List expands a list that stands by itself, that of a .forward file. Self tells
// which addresses are the owner's own.
func (x Expander) List(targets []Target, self func(address string) bool) (Expansion, error) {
	x.self = self
	return x.expand(targets)
}

func (x *Expander) lookUp(name string) ([]Target, bool, error) {
	if x.Table == nil {
		return nil, false, nil
	}
	value, ok, err := x.Table.Get(key(name))
	if err != nil || !ok {
		return nil, false, err
	}
	targets, err := unpack(value)
	return targets, err == nil, err
}

func (x *Expander) has(name string) (bool, error) {
	_, ok, err := x.lookUp(name)
	return ok, err
}

// expand takes one target after the other, and what it leads to before the next.
func (x *Expander) expand(targets []Target) (Expansion, error) {
	x.seen, x.done = map[Target]bool{}, map[Target]bool{}
	for todo := [][]Target{targets}; len(todo) > 0; {
		last := len(todo) - 1
		if len(todo[last]) == 0 {
			todo = todo[:last]
			continue
		}
		t := todo[last][0]
		todo[last] = todo[last][1:]
		if x.seen[t] {
			x.loop = x.loop || t.Kind == Address
			continue
		}
		if x.seen[t] = true; len(x.seen) > MaxTargets {
			return Expansion{}, ErrTooMany
		}
		more, err := x.step(t)
		if err != nil {
			return Expansion{}, err
		}
		todo = append(todo, more)
	}
	if len(x.out.Targets) == 0 && !x.out.Self && x.loop {
		return Expansion{}, ErrLoop
	}
	return x.out, nil
}

// step adds a target to what comes out, or returns what it stands for.
func (x *Expander) step(t Target) (more []Target, err error) {
	switch t.Kind {
	case Include:
		return x.include(t.Text)
	case Fail, Defer:
		return nil, &Refusal{Perm: t.Kind == Fail, Text: t.Text}
	case File:
		if t.Text == nowhere {
			return nil, nil
		}
	case Address, Final:
		if x.self(t.Text) {
			x.out.Self = true
			return nil, nil
		}
		if t.Kind == Address && !strings.Contains(t.Text, "@") {
			more, inside, err := x.inside(t.Text)
			if err != nil || inside {
				return more, err
			}
		}
		t.Kind = Address
	}
	if !x.done[t] {
		x.done[t] = true
		x.out.Targets = append(x.out.Targets, t)
	}
	return nil, nil
}

// inside returns the targets of a name that an alias leads to. One that names itself
// or has an owner of its own is left to a delivery of its own: the mailbox of that
// name is to have the message as well, or the sender is to be another.
func (x *Expander) inside(name string) (targets []Target, ok bool, err error) {
	targets, ok, err = x.lookUp(name)
	if err != nil || !ok {
		return nil, false, err
	}
	for _, t := range targets {
		if (t.Kind == Address || t.Kind == Final) && strings.EqualFold(t.Text, name) {
			return nil, false, nil
		}
	}
	owned, err := x.has("owner-" + name)
	if err != nil || owned {
		return nil, false, err
	}
	return targets, true, nil
}

// include reads a file with targets.
func (x *Expander) include(name string) ([]Target, error) {
	file, err := x.Open(name)
	if err != nil {
		return nil, fmt.Errorf("include: %w", err)
	}
	defer file.Close()
	text, err := readFile(file, MaxFile)
	if err != nil {
		return nil, fmt.Errorf("include %s: %w", name, err)
	}
	targets, err := ParseList(text)
	if err != nil {
		return nil, fmt.Errorf("include %s: %w", name, err)
	}
	for _, t := range targets {
		if t.Kind != Address && t.Kind != Final && t.Kind != Include {
			return nil, fmt.Errorf("include %s: %w", name, ErrInclude)
		}
	}
	return targets, nil
}

// Open opens a file of the host for an [Expander].
func Open(name string) (fs.File, error) {
	f, err := durable.NewDir("").Open(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// ReadForward reads a .forward file, or another of that form. Ok is false, without
// an error, if there is none.
func ReadForward(name string) (list []Target, ok bool, err error) {
	file, err := Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	text, err := readFile(file, MaxFile)
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", name, err)
	}
	if list, err = ParseList(text); err != nil {
		return nil, false, fmt.Errorf("%s: %w", name, err)
	}
	return list, true, nil
}

// Lines are the targets as instructions of a .qmail file, dot-qmail(5).
func (e Expansion) Lines() string {
	var b strings.Builder
	for _, t := range e.Targets {
		if t.Kind != File {
			b.WriteByte(byte(t.Kind))
		}
		b.WriteString(t.Text + "\n")
	}
	return b.String()
}

// String tells what mail would come to, a line each.
func (e Expansion) String() string {
	var b strings.Builder
	for _, t := range e.Targets {
		b.WriteString(t.String() + "\n")
	}
	if e.Self {
		b.WriteString("self\n")
	}
	if e.Owner != "" {
		b.WriteString("sender " + e.Owner + "\n")
	}
	return b.String()
}

// Fault is what is told of an error of this package. All are temporary but refusals
// and that of a name that leads nowhere: somebody is to put the files right.
func Fault(err error) error {
	var r *Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &r) && r.Perm:
		return &fault.Error{Perm: true, Text: r.Text + " (#5.1.1)", Err: err}
	case errors.As(err, &r):
		return fault.Soft(r.Text+" (#4.2.1)", err)
	case errors.Is(err, ErrLoop):
		return &fault.Error{Perm: true, Text: "Sorry, this alias leads to itself and to nobody else. (#5.4.6)", Err: err}
	}
	return fault.Soft("Unable to read aliases: "+err.Error()+". (#4.3.5)", err)
}
