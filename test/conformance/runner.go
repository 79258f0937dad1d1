package conformance

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Runner judges cases on one build of the programs. Make one with [NewRunner].
type Runner struct {
	Bin       string            // absolute path of the folder of the programs
	Link      string            // path of the home that the programs were built for; each case makes it a symbolic link to its own home. Empty: the programs obey $QMAILHOME
	Different map[string]string // cases that are meant to differ, and why
	Timeout   time.Duration     // of one program

	folder  string // of the stand-in
	standIn string // path of the stand-in for qmail-queue
}

// Verdict is what comes of a case.
type Verdict string

const (
	Passed  Verdict = "ok"
	Failed  Verdict = "FAIL"
	Skipped Verdict = "SKIP"
	Differs Verdict = "DIFF" // as it is meant to
)

// errSkip is wrapped by the reason why a case cannot be run here.
var errSkip = errors.New("cannot be run here")

// usualTimeout bounds one program.
const usualTimeout = 20 * time.Second

// NewRunner returns a runner for the programs in bin. The running program, which
// must begin with [StandIn], is copied to where any user can run it; Close takes
// the copy away.
func NewRunner(bin string) (*Runner, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	if st, err := os.Stat(bin); err != nil || !st.IsDir() {
		return nil, fmt.Errorf("%s is not a folder of programs", bin)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return nil, err
	}
	r := &Runner{Bin: bin, Timeout: usualTimeout, folder: folder, standIn: filepath.Join(folder, "stand-in")}
	if err := errors.Join(os.Chmod(folder, 0o755), copyProgram(self, r.standIn)); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Close removes what the runner keeps on disk.
func (r *Runner) Close() error { return os.RemoveAll(r.folder) }

// Judge runs one case. The detail tells every difference, or why the case was
// skipped, in indented lines.
func (r *Runner) Judge(c *Case) (v Verdict, detail string) {
	v, detail = r.judge(c)
	reason, listed := r.Different[c.ID()]
	switch {
	case listed && v == Failed:
		return Differs, "  meant to differ: " + reason + "\n"
	case listed && v == Passed:
		return Failed, "  listed as different, but it passes\n"
	}
	return v, detail
}

func (r *Runner) judge(c *Case) (Verdict, string) {
	if reason := r.cannotRun(c); reason != "" {
		return Skipped, "  " + reason + "\n"
	}
	got, err := r.run(c)
	switch {
	case errors.Is(err, errSkip):
		return Skipped, "  " + err.Error() + "\n"
	case err != nil:
		return Failed, "  " + err.Error() + "\n"
	}
	if diff := compare(c.Want, got); diff != "" {
		return Failed, diff
	}
	return Passed, ""
}

// cannotRun tells why the case can not be run with this build or on this host.
func (r *Runner) cannotRun(c *Case) string {
	for _, prog := range c.programs() {
		if _, err := os.Stat(filepath.Join(r.Bin, prog)); err != nil {
			return "no " + prog + " in this build"
		}
	}
	if c.Needs != "" && exec.Command("/bin/sh", "-c", c.Needs).Run() != nil {
		return "needs " + c.Needs
	}
	return ""
}

// run runs one case in a world of its own.
func (r *Runner) run(c *Case) (*Want, error) {
	w, err := newWorld(r, c)
	if w != nil {
		defer w.remove()
	}
	if err != nil {
		return nil, err
	}
	if len(c.SMTP) == 0 {
		return w.run()
	}
	s, err := startServer(c.SMTP)
	if err != nil {
		return nil, err
	}
	w.port = s.port
	got, err := w.run()
	received := s.stop()
	if err != nil {
		return nil, err
	}
	for _, b := range received {
		got.SMTP = append(got.SMTP, w.normal(b))
	}
	return got, nil
}

// run plants the files, runs the program or the steps, and looks what is there.
func (w *world) run() (*Want, error) {
	if err := w.plant(); err != nil {
		return nil, err
	}
	dir, home := snapshot(w.dir), snapshot(w.home)
	if err := w.age(); err != nil {
		return nil, err
	}
	got := &Want{}
	if w.c.Steps != nil {
		if err := w.runSteps(got); err != nil {
			return nil, err
		}
	} else {
		if err := w.runProgram(got); err != nil {
			return nil, err
		}
		got.Home, got.Gone = w.changed(home, snapshot(w.home))
	}
	files, gone := w.changed(dir, snapshot(w.dir))
	got.Files, got.Gone = files, append(got.Gone, gone...)
	var err error
	got.Queued, err = w.queued()
	return got, err
}
