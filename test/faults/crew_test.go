//go:build linux && amd64

package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"

	"goqmail/internal/testbin"
)

// worker is the environment variable that makes the test's program do what it is told
// on descriptor 0, on a host of its own.
const worker = "FAULTS_TEST_WORKER"

// job is one run of a scenario.
type job struct {
	Scenario string
	Plan     plan
}

// outcome is what became of it.
type outcome struct {
	Report   report
	Problems []string
	Doubled  int      // deliveries that were done again
	Telling  []string // lines of the log that a run without faults does not have
	Log      string

	Disturbed bool // something came later than it would have
}

func (o *outcome) problem(format string, args ...any) {
	o.Problems = append(o.Problems, fmt.Sprintf(format, args...))
}

// work does the jobs that come.
func work(in io.Reader, out io.Writer) int {
	makeHost()
	jobs, outcomes := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var j job
		if err := jobs.Decode(&j); err != nil {
			return 0
		}
		if outcomes.Encode(j.do()) != nil {
			return 1
		}
	}
}

func (j job) do() (o outcome) {
	defer func() {
		if p := recover(); p != nil {
			o.problem("the test: %v\n%s", p, debug.Stack())
		}
		reap()
	}()
	scenarios[j.Scenario].run(&o, j.Plan)
	return o
}

// reap ends all processes of the host but this one, to which their ends are told as it
// is the first.
func reap() {
	syscall.Kill(-1, syscall.SIGKILL)
	for {
		if _, err := syscall.Wait4(-1, nil, 0, nil); err != nil && err != syscall.EINTR {
			return
		}
	}
}

// hand is one worker.
type hand struct {
	cmd *exec.Cmd
	in  io.Closer
	enc *json.Encoder
	dec *json.Decoder
	err bytes.Buffer
}

// hands are workers, each of which has a job at a time.
type hands struct {
	once sync.Once
	all  []*hand
	free chan *hand
	err  error
}

var crew hands

// each is how many workers there are for each processor. Most of them wait.
const each = 3

func (c *hands) hire(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to have hosts of its own and to trace programs that become other users")
	}
	c.once.Do(func() {
		n := each * runtime.GOMAXPROCS(0)
		c.free = make(chan *hand, n)
		for range n {
			h, err := hire()
			if err != nil {
				c.err = err
				return
			}
			c.all = append(c.all, h)
			c.free <- h
		}
	})
	if errors.Is(c.err, syscall.EPERM) {
		t.Skip("cannot have name spaces: ", c.err)
	}
	if c.err != nil {
		t.Fatal(c.err)
	}
}

func hire() (*hand, error) {
	bin, err := testbin.Dir()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	h := &hand{cmd: exec.Command(self)}
	h.cmd.Env = append(os.Environ(), worker+"=1", "Q_BIN="+bin, "TMPDIR=/var")
	h.cmd.Stderr = &h.err
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET}
	in, err := h.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.in, h.enc, h.dec = in, json.NewEncoder(in), json.NewDecoder(out)
	return h, h.cmd.Start()
}

// do has a job done by whoever is free.
func (c *hands) do(j job) outcome {
	h := <-c.free
	defer func() { c.free <- h }()
	var o outcome
	err := h.enc.Encode(j)
	if err == nil {
		err = h.dec.Decode(&o)
	}
	if err != nil {
		o.problem("the test: no answer: %v: %s", err, h.err.String())
	}
	return o
}

func (c *hands) dismiss() {
	for _, h := range c.all {
		h.in.Close()
		h.cmd.Wait()
	}
}
