// Package child runs a program on behalf of another one that was put in front of
// it, as in a line "|except grep x" of a .qmail file. It finds and starts programs
// as execvp(3) does, says in qmail's words why it could not, and reads what they
// end with.
//
// Programs get the descriptors of this process, and its signals as they were
// before it caught any. Errors are of type [fault.Error]; a program that does not
// exist will not exist next time, so that is for good.
package child

import (
	"errors"
	"os"
	"syscall"

	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/syserr"
)

// Start starts a program with its arguments, of which the first is its name.
// Files are its descriptors from 0 up.
func Start(argv, env []string, files []*os.File) (*os.Process, error) {
	return In("").Start(argv, env, files)
}

// In is the folder that programs are started in; empty: that of this process. Names
// of programs with a slash are from there on.
type In string

// Start is [Start] in a folder.
func (in In) Start(argv, env []string, files []*os.File) (*os.Process, error) {
	var p *os.Process
	err := search(argv, env, func(file string, argv []string) (err error) {
		p, err = os.StartProcess(file, argv, &os.ProcAttr{Dir: string(in), Env: env, Files: files})
		return err
	})
	if err != nil {
		return nil, notStarted(argv, err)
	}
	return p, nil
}

// Exec puts a program in the place of this one. It returns only if it fails.
func Exec(argv, env []string) error {
	return notStarted(argv, search(argv, env, func(file string, argv []string) error {
		return syscall.Exec(file, argv, env)
	}))
}

func notStarted(argv []string, err error) error {
	if short(err) {
		return fault.Soft("unable to fork: "+syserr.Text(err), err)
	}
	name := ""
	if len(argv) > 0 {
		name = argv[0]
	}
	return &fault.Error{Perm: !syserr.Temporary(err), Text: "unable to run " + name + ": " + syserr.Text(err), Err: err}
}

// short reports whether the host was short of what it takes to run anything.
func short(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOMEM) ||
		errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// Wait waits for a program and returns its exit code. One that dies by a signal
// has none, which is a temporary failure.
func Wait(p *os.Process) (code int, err error) {
	state, err := p.Wait()
	if err != nil {
		return 0, fault.Soft("wait failed", err)
	}
	if !state.Exited() {
		return 0, fault.Soft("child crashed", nil)
	}
	return state.ExitCode(), nil
}

// Succeeds runs a program that answers a question about the message, and reports
// whether the answer is yes: it ends with 0. With 111 it is not able to say, which
// is an error; anything else means no.
//
// Compat: so does a program that cannot be run, silently.
func Succeeds(argv []string) (bool, error) {
	p, err := Start(argv, os.Environ(), []*os.File{os.Stdin, os.Stdout, os.Stderr})
	switch {
	case fault.IsPermanent(err):
		return false, nil
	case err != nil && !short(err):
		return false, fault.Soft("temporary child error", err)
	case err != nil:
		return false, err
	}
	code, err := Wait(p)
	if err == nil && code == exitcode.Soft {
		err = fault.Soft("temporary child error", nil)
	}
	return err == nil && code == exitcode.OK, err
}
