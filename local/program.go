package local

import (
	"os"

	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/syserr"
)

// Shell runs a shell command in a folder, with the message on its standard input,
// and returns its exit code. Errors are of type [fault.Error].
type Shell func(command, dir string, env []string) (code int, err error)

const shell = "/bin/sh"

// NewShell returns the host's shell, run with these as descriptors 0, 1 and 2.
// Signals are at their defaults in it, as os.StartProcess leaves those alone that
// this process catches.
func NewShell(stdin, stdout, stderr *os.File) Shell {
	return func(command, dir string, env []string) (int, error) {
		p, err := os.StartProcess(shell, []string{shell, "-c", command}, &os.ProcAttr{
			Dir:   dir,
			Env:   env,
			Files: []*os.File{stdin, stdout, stderr},
		})
		if err != nil {
			what := "Unable to run " + shell + ": "
			if syserr.Temporary(err) {
				what = "Unable to fork: "
			}
			return 0, fault.Soft(what+syserr.Text(err)+". (#4.3.0)", err)
		}
		state, err := p.Wait()
		if err != nil || !state.Exited() {
			return 0, fault.Soft("Aack, child crashed. (#4.3.0)", err)
		}
		return state.ExitCode(), nil
	}
}

// toProgram feeds the message to a command.
func (r *run) toProgram(command string) (stop bool, err error) {
	if err := r.rewind(); err != nil {
		return false, err
	}
	code, err := r.Shell(command, r.Home, r.env)
	if err != nil {
		return false, err
	}
	verdict, stop := exitcode.Command(code)
	if verdict == exitcode.Success {
		return stop, nil
	}
	return false, &fault.Error{Perm: verdict == exitcode.Permanent}
}
