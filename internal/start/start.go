// Package start turns on mail delivery: it starts the programs that work together
// on the queue, each as its own user, joined by pipes, and then becomes
// qmail-send, whose process id is thus that of qmail-start: signals from a
// supervisor reach it.
//
//	                    1, 2 ── 0, 1 qmail-lspawn
//	logger 0 ── 0 qmail-send  3, 4 ── 0, 1 qmail-rspawn
//	                    5, 6 ── 0, 1 qmail-clean
//	                       7 ── 0    qmail-queue -serve
//
// The numbers are descriptors. No process has an end of a pipe that is not its
// own, so all end once qmail-send does: they read the end of their input.
package start

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"goqmail/internal/confine"
	"goqmail/internal/fence"
	"goqmail/internal/spawn"
)

// System is what to start.
type System struct {
	Home     string   // absolute; the programs are those in its folder bin
	Delivery string   // default delivery instructions, for qmail-lspawn
	Logger   []string // program that reads the log on its input, and its arguments; none: standard output takes the log
	Env      []string
	Users    *Users // nil: everything runs as the caller
}

// pipe is the two ends of a pipe.
type pipe struct{ r, w int }

// child is a program to start before qmail-send.
type child struct {
	path   string
	argv   []string
	as     *syscall.Credential
	files  []uintptr
	logger bool
}

// slots is how many deliveries the spawners are told to take at a time: the control
// files of qmail-send are to be the limit.
const slots = 1 << 14

// Run starts everything and does not return unless it fails. Nothing is started
// if a program is missing; what was started by the time of another failure ends
// once the caller has. [Reserve] must have been called first.
func (s System) Run() error {
	var pipes [8]pipe // by the number of qmail-send's descriptor; 0 is used with a logger only
	for i := range pipes {
		var err error
		if pipes[i], err = newPipe(); err != nil {
			return err
		}
	}
	staying := confine.IsOurs(s.program("qmail-queue"), "qmail-queue")
	children, err := s.children(&pipes, staying)
	if err != nil {
		return err
	}
	send := s.program("qmail-send")
	if err := executable(send); err != nil {
		return err
	}
	env := s.env(send)
	ours := append(slices.Clip(env), spawn.SlotsVariable+"="+strconv.Itoa(slots))
	for _, c := range children {
		its := ours
		if c.logger {
			its = s.Env
		}
		if err := c.start(its); err != nil {
			return err
		}
	}
	log := pipes[0].w
	if len(s.Logger) == 0 {
		log = 1
	}
	files := []int{log, pipes[1].w, pipes[2].r, pipes[3].w, pipes[4].r, pipes[5].w, pipes[6].r}
	if staying {
		files = append(files, pipes[7].w)
	}
	return s.become(send, files, env)
}

// env is the environment of all programs. It tells where the fence stands if qmail-send is
// one that moves it there.
func (s System) env(send string) []string {
	env := slices.DeleteFunc(slices.Clone(s.Env), func(v string) bool { return strings.HasPrefix(v, fence.Variable+"=") })
	if !confine.IsOurs(send, "qmail-send") {
		return env
	}
	stand, err := fence.Next(filepath.Join(s.Home, "queue"))
	if err != nil {
		return env // qmail-send will say what is wrong with the queue
	}
	return append(env, fence.Variable+"="+stand)
}

func newPipe() (pipe, error) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		return pipe{}, fmt.Errorf("make a pipe: %w", err)
	}
	return pipe{ends[0], ends[1]}, nil
}

func (s System) program(name string) string { return filepath.Join(s.Home, "bin", name) }

// children lists the programs to start and finds them. A qmail-queue stays only if it
// is that of this system: another one would wait for a message on descriptor 0.
func (s System) children(pipes *[8]pipe, staying bool) ([]child, error) {
	var all []child
	if len(s.Logger) > 0 {
		path, err := find(s.Logger[0], s.Env, filepath.Join(s.Home, "bin"))
		if err != nil {
			return nil, err
		}
		all = append(all, child{path, s.Logger, s.Users.logger(), []uintptr{uintptr(pipes[0].r), 1, 2}, true})
	}
	for _, c := range []struct {
		argv    []string
		as      *syscall.Credential
		in, out int
	}{
		{[]string{"qmail-lspawn", s.Delivery}, s.Users.local(), pipes[1].r, pipes[2].w},
		{[]string{"qmail-rspawn"}, s.Users.remote(), pipes[3].r, pipes[4].w},
		{[]string{"qmail-clean"}, s.Users.queue(), pipes[5].r, pipes[6].w},
		{[]string{"qmail-queue", "-serve"}, s.Users.queue(), pipes[7].r, 2},
	} {
		if c.argv[0] == "qmail-queue" && !staying {
			continue
		}
		path := s.program(c.argv[0])
		if err := executable(path); err != nil {
			return nil, err
		}
		all = append(all, child{path, c.argv, c.as, []uintptr{uintptr(c.in), uintptr(c.out), 2}, false})
	}
	return all, nil
}

func (c child) start(env []string) error {
	_, err := syscall.ForkExec(c.path, c.argv, &syscall.ProcAttr{
		Env:   env,
		Files: c.files,
		Sys:   &syscall.SysProcAttr{Credential: c.as},
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", c.path, err)
	}
	return nil
}

// become turns this process into qmail-send, with those files as its descriptors
// from 0 on.
func (s System) become(send string, files []int, env []string) error {
	if err := s.Users.becomeSend(); err != nil {
		return err
	}
	stderr, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, reserved)
	if err != nil {
		return fmt.Errorf("keep standard error: %w", err)
	}
	for to, from := range files {
		if err := unix.Dup2(from, to); err != nil {
			return fmt.Errorf("arrange descriptor %d: %w", to, restoreStderr(stderr, err))
		}
	}
	// Until qmail-send catches these they would end it, as soon as others see its name.
	signal.Ignore(syscall.SIGALRM, syscall.SIGHUP)
	err = syscall.Exec(send, []string{"qmail-send"}, env)
	return fmt.Errorf("run %s: %w", send, restoreStderr(stderr, err))
}

// restoreStderr lets the caller say what was wrong.
func restoreStderr(stderr int, cause error) error {
	if err := unix.Dup2(stderr, 2); err != nil {
		return err
	}
	return cause
}

// executable fails if there is no program at path.
func executable(path string) error {
	if err := unix.Access(path, unix.X_OK); err != nil {
		return &os.PathError{Op: "run", Path: path, Err: err}
	}
	if st, err := os.Stat(path); err != nil || st.IsDir() {
		return &os.PathError{Op: "run", Path: path, Err: syscall.EACCES}
	}
	return nil
}
