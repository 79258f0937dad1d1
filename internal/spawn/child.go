package spawn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// Child is a program to be run, with its output caught.
type Child struct {
	Path  string   // not sought in PATH
	Args  []string // the program's name first
	Dir   string   // working folder; empty: the caller's
	Env   []string
	Stdin *os.File // nil: nothing to read
	// Stderr is whether descriptor 2 is caught together with 1; otherwise it
	// is the caller's.
	Stderr     bool
	Credential *syscall.Credential // nil: the caller's
	// Limit is for the program to end, after which it is killed; 0: none.
	Limit time.Duration
	// Linger is for others that hold the program's descriptors 1 and 2 once it
	// has ended itself: it is looked for once in that time, and then what they
	// say is not waited for any longer. 0: a minute.
	Linger time.Duration
	// Shell is whether a script without #! is given to the shell, as
	// execvp(3) does.
	Shell bool
}

// errPipe marks the error of a child that was not started as there was no pipe.
var errPipe = errors.New("cannot make a pipe")

// Output runs the child and returns up to limit bytes of its output.
func (c Child) Output(limit int) ([]byte, syscall.WaitStatus, error) {
	var out bytes.Buffer
	status, err := c.Run(&limited{&out, limit})
	return out.Bytes(), status, err
}

// limited is a buffer that takes no more than a number of bytes, and all the
// others too, to throw them away.
type limited struct {
	to   *bytes.Buffer
	room int
}

func (l *limited) Write(p []byte) (int, error) {
	keep := p[:min(len(p), l.room)]
	l.room -= len(keep)
	l.to.Write(keep)
	return len(p), nil
}

// Run runs the child, writes its output to out, which must not fail, and waits
// for its end. An error means that it did not run or nobody knows how it ended.
func (c Child) Run(out io.Writer) (syscall.WaitStatus, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errPipe, err)
	}
	defer r.Close()
	pid, err := c.start(w)
	w.Close()
	if err != nil {
		return 0, err
	}
	var deadline time.Time
	if c.Limit > 0 {
		deadline = time.Now().Add(c.Limit)
	}
	status, err := c.listen(r, pid, out, deadline)
	// Usually the child is just ending. It is looked for, not waited for:
	// that would take a thread, and it must not be killed under a number
	// that is no longer its own.
	for pause := 20 * time.Microsecond; err == nil && status == stillRunning; pause = min(2*pause, 100*time.Millisecond) {
		if !deadline.IsZero() && !time.Now().Before(deadline) {
			syscall.Kill(pid, syscall.SIGKILL)
			return wait(pid, 0)
		}
		if status, err = wait(pid, syscall.WNOHANG); status == stillRunning {
			time.Sleep(pause)
		}
	}
	return status, err
}

// start starts the child. It uses neither os/exec nor os.StartProcess: a child is
// waited for by its number, without a descriptor or a thread for each.
func (c Child) start(w *os.File) (pid int, err error) {
	stdin := c.Stdin
	if stdin == nil {
		if stdin, err = os.Open(os.DevNull); err != nil {
			return 0, err
		}
		defer stdin.Close()
	}
	files := []uintptr{stdin.Fd(), w.Fd(), 2}
	if c.Stderr {
		files[2] = files[1]
	}
	attr := &syscall.ProcAttr{Dir: c.Dir, Env: c.Env, Files: files}
	if c.Credential != nil {
		attr.Sys = &syscall.SysProcAttr{Credential: c.Credential}
	}
	pid, _, err = syscall.StartProcess(c.Path, c.Args, attr)
	if c.Shell && errors.Is(err, syscall.ENOEXEC) {
		shell := append([]string{"sh", c.Path}, c.Args[1:]...)
		pid, _, err = syscall.StartProcess("/bin/sh", shell, attr)
	}
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", c.Path, err)
	}
	return pid, nil
}

const (
	defaultLinger = time.Minute
	listenAtOnce  = 4 << 10
)

// listen copies the child's output until nobody holds the pipe open any more,
// which is usually because the child has ended, or until the deadline, if there is
// one. If the child has ended and left the pipe to others, it returns the status.
func (c Child) listen(r *os.File, pid int, out io.Writer, deadline time.Time) (syscall.WaitStatus, error) {
	linger := c.Linger
	if linger == 0 {
		linger = defaultLinger
	}
	buf := make([]byte, listenAtOnce)
	for {
		next := time.Now().Add(linger)
		if !deadline.IsZero() && deadline.Before(next) {
			next = deadline
		}
		r.SetReadDeadline(next)
		if copyUntilError(out, r, buf) != os.ErrDeadlineExceeded {
			return stillRunning, nil
		}
		status, err := wait(pid, syscall.WNOHANG)
		if err != nil || status != stillRunning || next == deadline {
			return status, err
		}
	}
}

func copyUntilError(to io.Writer, from *os.File, buf []byte) error {
	for {
		n, err := from.Read(buf)
		to.Write(buf[:n])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return os.ErrDeadlineExceeded
		}
		if err != nil {
			return err
		}
	}
}

// stillRunning is a wait status that no process can end with.
const stillRunning = syscall.WaitStatus(1<<32 - 1)

// wait waits for the end of a child, or with WNOHANG asks for it.
func wait(pid, options int) (syscall.WaitStatus, error) {
	for {
		var status syscall.WaitStatus
		got, err := syscall.Wait4(pid, &status, options, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, fmt.Errorf("wait for process %d: %w", pid, err)
		case got == 0:
			return stillRunning, nil
		default:
			return status, nil
		}
	}
}
