package conformance

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// RunStep runs qmail-send and qmail-clean until nothing has happened for a
// while, and ends them by SIGTERM.
type RunStep struct {
	Replies map[string][]Bytes `json:"replies"` // reports of the spawners, see [spawner]
	Slots   int                `json:"slots"`   // what the spawners say they can take (120); -1: they are gone
	Clean   Bytes              `json:"clean"`   // shell line in place of qmail-clean
	Then    []Step             `json:"then"`    // done once idle, with a wait after each
	Idle    int                `json:"idle_ms"` // how long nothing must happen, in place of the usual time
}

const (
	usualIdle    = 600 * time.Millisecond
	lateAnswer   = 100 * time.Millisecond // after SIGTERM
	spawnersAway = time.Second            // after SIGTERM, if a spawner owes an answer
	termPatience = 5 * time.Second        // for qmail-send to end
)

// pipe is the two ends of a pipe.
type pipe struct{ r, w *os.File }

// sendRun is a qmail-send under way.
type sendRun struct {
	w           *world
	step        *RunStep
	got         *Want
	pipes       [7]pipe // by the number of qmail-send's descriptor
	send, clean *exec.Cmd
	wg          sync.WaitGroup
	spoke       chan struct{} // closed once qmail-send has logged something, or is gone

	mu     sync.Mutex
	last   time.Time      // when something happened
	turn   map[string]int // reports given, by channel and recipient
	atTerm []func()       // late answers
	atEnd  []func()       // closing of spawners that owe an answer
	log    []string
}

func (w *world) runSend(s *RunStep, got *Want) error {
	w.nameMessages()
	run := &sendRun{w: w, step: s, got: got, turn: map[string]int{}, spoke: make(chan struct{})}
	if err := run.start(); err != nil {
		return err
	}
	err := run.steps()
	if stopErr := run.stop(); err == nil {
		err = stopErr
	}
	for _, line := range run.log {
		normal := string(w.normal(Bytes(line)))
		got.Log = append(got.Log, w.messages.logLine(line, normal))
	}
	return err
}

// start starts the programs: descriptor 0 of qmail-send is its log, 1 and 2 go to
// and come from qmail-lspawn, 3 and 4 qmail-rspawn, 5 and 6 qmail-clean.
func (run *sendRun) start() error {
	for i := range run.pipes {
		var err error
		if run.pipes[i].r, run.pipes[i].w, err = os.Pipe(); err != nil {
			return err
		}
	}
	p := &run.pipes
	run.clean = exec.Command(filepath.Join(run.w.runner.Bin, "qmail-clean"))
	if run.step.Clean != "" {
		run.clean = exec.Command("/bin/sh", "-c", run.w.fill(run.step.Clean))
	}
	run.clean.Stdin, run.clean.Stdout = p[5].r, p[6].w
	run.send = exec.Command(filepath.Join(run.w.runner.Bin, "qmail-send"))
	run.send.Stdin, run.send.Stdout, run.send.Stderr = p[0].w, p[1].w, p[2].r
	run.send.ExtraFiles = []*os.File{p[3].w, p[4].r, p[5].w, p[6].r}
	err := run.startBoth()
	for _, f := range []*os.File{p[0].w, p[1].w, p[2].r, p[3].w, p[4].r, p[5].w, p[5].r, p[6].r, p[6].w} {
		f.Close()
	}
	run.touch()
	run.wg.Go(run.readLog)
	run.wg.Go((&spawner{run: run, channel: "local", in: p[1].r, out: p[2].w}).serve)
	run.wg.Go((&spawner{run: run, channel: "remote", in: p[3].r, out: p[4].w}).serve)
	if err != nil {
		run.wg.Wait()
	}
	return err
}

func (run *sendRun) startBoth() error {
	run.clean.Env = run.w.environment()
	run.send.Env = run.w.environment()
	if err := run.clean.Start(); err != nil {
		return err
	}
	if err := run.send.Start(); err != nil {
		run.clean.Process.Kill()
		return errors.Join(err, run.clean.Wait())
	}
	return nil
}

// steps waits until qmail-send is idle and does what the step wants then.
func (run *sendRun) steps() error {
	select {
	case <-run.spoke: // its status, as it starts
	case <-time.After(run.w.runner.Timeout):
	}
	run.settle()
	for _, step := range run.step.Then {
		if err := run.w.step(step, run.got, run.send.Process); err != nil {
			return err
		}
		run.settle()
	}
	return nil
}

func (run *sendRun) touch() {
	run.mu.Lock()
	run.last = time.Now()
	run.mu.Unlock()
}

// settle waits until nothing has been logged or asked for a while.
func (run *sendRun) settle() {
	idle := usualIdle
	if run.step.Idle > 0 {
		idle = time.Duration(run.step.Idle) * time.Millisecond
	}
	run.touch()
	limit := time.Now().Add(run.w.runner.Timeout)
	for time.Now().Before(limit) {
		run.mu.Lock()
		left := time.Until(run.last.Add(idle))
		run.mu.Unlock()
		if left <= 0 {
			return
		}
		time.Sleep(left)
	}
}

// stop ends qmail-send, and with it everything else.
func (run *sendRun) stop() error {
	run.send.Process.Signal(syscall.SIGTERM)
	run.doAfter(lateAnswer, &run.atTerm)
	run.doAfter(spawnersAway, &run.atEnd)
	killed := time.AfterFunc(termPatience, func() { run.send.Process.Kill() })
	err := run.send.Wait()
	stopped := killed.Stop()
	run.clean.Wait()
	run.wg.Wait()
	var exit *exec.ExitError
	switch {
	case !stopped:
		return fmt.Errorf("qmail-send: did not stop within %v of SIGTERM", termPatience)
	case errors.As(err, &exit) && exit.Exited():
		run.got.Exit = exit.ExitCode()
		return nil
	}
	return err
}

func (run *sendRun) doAfter(wait time.Duration, what *[]func()) {
	time.AfterFunc(wait, func() {
		run.mu.Lock()
		defer run.mu.Unlock()
		for _, f := range *what {
			f()
		}
	})
}

// readLog keeps the lines of qmail-send. Status lines depend on timing.
func (run *sendRun) readLog() {
	in := run.pipes[0].r
	defer in.Close()
	lines := bufio.NewReader(in)
	speak := sync.OnceFunc(func() { close(run.spoke) })
	for {
		line, err := lines.ReadString('\n')
		speak()
		if err != nil {
			return
		}
		run.touch()
		if !strings.HasPrefix(line, "status: ") {
			run.log = append(run.log, strings.TrimSuffix(line, "\n"))
		}
	}
}
