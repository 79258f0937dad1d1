// Package queuectl is qmail-queuectl(8): it shows an administrator what is in the
// queue, has something done about messages, and checks and repairs the queue.
//
// What it shows it reads from the files, as any program may. What it has done is
// done by the qmail-send that has the queue, which is asked (package sendctl); if
// none runs, by this program, which then has the queue's lock meanwhile. So no
// file is ever changed behind qmail-send's back.
package queuectl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"goqmail/internal/durable"
	"goqmail/internal/exitcode"
	"goqmail/internal/ids"
	"goqmail/internal/sendctl"
	"goqmail/internal/syserr"
	"goqmail/queue"
)

// Tool is one run of the program.
type Tool struct {
	Home string // folder with control and queue
	// Accounts tell whose a queue is to be that is no private one.
	Accounts ids.Files
	Out      io.Writer
	Errors   io.Writer
	Now      func() time.Time
	Sleep    func(time.Duration) // between two attempts to reach qmail-send
	// Become has the process act as another user, if root has started it, and again
	// as root.
	Become func(uid, gid int) error

	folder string
	q      *queue.Queue
	json   bool
}

// Usage is what a wrong command line is told.
const Usage = `usage: qmail-queuectl list|count [-json] [FILTER...]
       qmail-queuectl show [-json] [-body] N...
       qmail-queuectl hold|release|retry|bounce|delete|reroute [-json] N...|FILTER...|-all
       qmail-queuectl check|repair [-json] [-split N]
filters: -sender A  -recipient A  -domain D  -older T  -newer T  -larger SIZE  -held
`

// errUsage is a command line that says nothing.
var errUsage = errors.New("wrong usage")

// Run carries out a command line and returns the exit code: 0; 100 for wrong usage
// or a message that is not there; 111 if something could not be done or is wrong
// with the queue.
func (t *Tool) Run(args []string) int {
	if len(args) == 0 {
		io.WriteString(t.Errors, Usage)
		return exitcode.Hard
	}
	verb := args[0]
	o, err := parseOptions(args[1:])
	if err != nil {
		fmt.Fprintf(t.Errors, "qmail-queuectl: %v\n%s", err, Usage)
		return exitcode.Hard
	}
	t.folder, t.json = filepath.Join(t.Home, "queue"), o.json
	code, err := t.run(verb, o)
	switch {
	case errors.Is(err, errUsage):
		io.WriteString(t.Errors, Usage)
		return exitcode.Hard
	case err != nil:
		fmt.Fprintf(t.Errors, "qmail-queuectl: fatal: %s\n", explain(err))
		return exitcode.Soft
	}
	return code
}

// explain is an error for people: a system error in the words of the system.
func explain(err error) string {
	if text := syserr.Text(err); text != "unknown error" {
		return fmt.Sprintf("%v (%s)", err, text)
	}
	return err.Error()
}

func (t *Tool) run(verb string, o *options) (code int, err error) {
	switch verb {
	case "check", "repair":
		return t.checkOrRepair(verb == "repair", o)
	}
	if t.q, err = queue.Open(durable.NewDir(t.folder)); err != nil {
		return 0, err
	}
	switch verb {
	case "list":
		return 0, t.list(o)
	case "count":
		return 0, t.count(o)
	case "show":
		return t.show(o)
	case sendctl.Hold, sendctl.Release, sendctl.Retry, sendctl.Bounce, sendctl.Delete, sendctl.Reroute:
		return t.act(verb, o)
	}
	return 0, errUsage
}

// writeJSON writes a value on a line.
func (t *Tool) writeJSON(v any) error { return json.NewEncoder(t.Out).Encode(v) }

// array writes the elements of a JSON array one by one, so that a large queue need
// not be in memory.
type array struct {
	t     *Tool
	begun bool
}

func (a *array) add(v any) error {
	separator := ",\n"
	if !a.begun {
		separator, a.begun = "[\n", true
	}
	data, err := json.Marshal(v)
	if err == nil {
		_, err = io.WriteString(a.t.Out, separator+string(data))
	}
	return err
}

func (a *array) end() error {
	text := "\n]\n"
	if !a.begun {
		text = "[]\n"
	}
	_, err := io.WriteString(a.t.Out, text)
	return err
}
