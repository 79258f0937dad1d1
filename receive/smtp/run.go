package smtp

import (
	"os"
	"time"

	"goqmail/receive"
)

// Runner starts a program, its name first in argv, with descriptors from 0 up; nil
// stands for one that is closed.
type Runner func(argv, env []string, files []*os.File) (*os.Process, error)

// runTimeout is how long a checker may take.
const runTimeout = time.Minute

// run runs a checker, with one end of a pipe as a descriptor, and returns its exit
// code, or -1. Whatever happens, the end is closed. Meanwhile talk uses the other.
func (s *session) run(argv []string, env receive.Env, fd int, end *os.File, talk func()) int {
	defer end.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return -1
	}
	defer null.Close()
	files := []*os.File{null, null, os.Stderr, nil, nil}[:fd]
	if fd > 3 {
		files[1] = os.Stderr // Compat: what a recipient check prints is logged
	}
	process, err := s.srv.Run(argv, env.List(), append(files, end))
	if err != nil {
		s.srv.Log.event(s, "cannot run a checker: ", err.Error())
		return -1
	}
	end.Close()
	defer time.AfterFunc(runTimeout, func() { process.Kill() }).Stop()
	talk()
	state, err := process.Wait()
	if err != nil || !state.Exited() {
		return -1
	}
	return state.ExitCode()
}
