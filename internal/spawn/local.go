package spawn

import (
	"bytes"
	"errors"
	"io"
	"syscall"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/report"
	"goqmail/internal/serve"
)

// User is who is in charge of a local address: the account that its deliveries
// are done as, and the words that qmail-local gets, qmail-local(8).
type User struct {
	Name     string
	UID, GID uint32
	Home     string
	Dash     string
	Ext      string
}

// Local does local deliveries, the way qmail-lspawn does: it finds the user in
// charge, becomes that user and runs qmail-local.
type Local struct {
	Program Program  // qmail-local; never by the shell, to which an empty file is a success
	Dir     string   // the home, in which it is run; empty: the caller's working folder
	Env     []string // of the program
	Default string   // default delivery instructions
	// Find finds the user in charge of the local part of an address. Of its
	// errors those that are a fault.Error are reported with their text.
	Find func(local string) (User, error)
	UID  uint32        // the caller's; unless it is 0, only that user gets deliveries
	Wait time.Duration // see [Child.Linger]
	// Staying are the processes that stay; nil: one is started for each delivery.
	Staying *Staying
}

// Deliver does one delivery.
func (l Local) Deliver(d Delivery) report.Report {
	if d.Local == "" {
		return report.K("") // the address <> of qmail-lspawn(8), for what is to be thrown away
	}
	u, err := l.Find(d.Local)
	if err != nil {
		return failure(err)
	}
	credential, err := l.become(u)
	if err != nil {
		return failure(err)
	}
	args := []string{l.Program.Name, "--", u.Name, u.Home, d.Local, u.Dash, u.Ext, d.Host, d.Sender, l.Default}
	if l.Staying != nil {
		if a, ok := l.Staying.Do(credential, args[2:], d.Message); ok {
			return stayedLocal(a)
		}
		if _, err := d.Message.Seek(0, io.SeekStart); err != nil {
			return report.Z("qmail-spawn unable to rewind message. (#4.3.0)\n")
		}
	}
	var out localOutput
	status, err := Child{
		Path:       l.Program.Path,
		Args:       args,
		Dir:        l.Dir,
		Env:        l.Env,
		Stdin:      d.Message,
		Stderr:     true,
		Credential: credential,
		Linger:     l.Wait,
	}.Run(&out)
	if err != nil {
		return notRun(err, "Unable to run qmail-local.")
	}
	if !status.Exited() {
		return localReport(crashed, "")
	}
	return localReport(status.ExitStatus(), out.text())
}

// stayedLocal reports what a process that stays has said.
func stayedLocal(a serve.Answer) report.Report {
	var out localOutput
	io.WriteString(&out, a.Text)
	return localReport(a.Code, out.text())
}

// become returns how to become a user: all supplementary groups go.
func (l Local) become(u User) (*syscall.Credential, error) {
	switch {
	case u.UID == 0:
		text, _ := exitcode.Start(exitcode.StartRoot)
		return nil, fault.Soft(text, nil)
	case l.UID == 0:
		return &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: []uint32{u.GID}}, nil
	case l.UID != u.UID:
		return nil, fault.Soft("Unable to deliver to "+u.Name+": qmail-lspawn does not run as root. (#4.3.5)", nil)
	}
	return nil, nil
}

// localReport reads how qmail-local ended.
//
// Compat: to qmail an exit code that nobody knows is a permanent failure. Here it
// is temporary: 2 is a Go program's panic, 126 and 127 are the shell's for a
// program that it cannot run.
func localReport(code int, text string) report.Report {
	if code == crashed || code == exitPanic {
		return report.Z("qmail-local crashed.\n")
	}
	if text, ok := exitcode.Start(code); ok {
		return report.Z(text + "\n")
	}
	switch code {
	case exitcode.OK:
		return report.K(text)
	case exitcode.Hard:
		return report.D(text)
	}
	return report.Z(text)
}

// exitPanic is the exit code of a Go program that panics.
const exitPanic = 2

// failure reports why there is no user to deliver to.
func failure(err error) report.Report {
	var f *fault.Error
	if !errors.As(err, &f) {
		text, _ := exitcode.Start(exitcode.StartSystem)
		return report.Z(text + "\n")
	}
	if f.Perm {
		return report.D(f.Text + "\n")
	}
	return report.Z(f.Text + "\n")
}

// notRun reports why a child did not run: always a temporary failure, a program
// that is missing included.
func notRun(err error, text string) report.Report {
	switch {
	case errors.Is(err, errPipe):
		text = "qmail-spawn unable to create pipe. (#4.3.0)"
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM):
		text = "qmail-spawn unable to fork. (#4.3.0)"
	}
	return report.Z(text + "\n")
}

// Limits of qmail-local's output.
const (
	maxLocal    = 3000
	localIsLong = "\nError report too long, sorry.\n"
	keptLocal   = maxLocal - len(localIsLong) - 3
)

// localOutput takes qmail-local's output and keeps a bounded part of it.
type localOutput struct{ kept []byte }

func (o *localOutput) Write(p []byte) (int, error) {
	room := maxLocal + 1 - len(o.kept)
	o.kept = append(o.kept, p[:min(len(p), room)]...)
	return len(p), nil
}

// text is the output up to a NUL; of what is too long the beginning, and a line
// that says so.
func (o *localOutput) text() string {
	kept := o.kept
	if len(kept) > maxLocal {
		kept = append(kept[:keptLocal:keptLocal], localIsLong...)
	}
	kept, _, _ = bytes.Cut(kept, []byte{0})
	return string(kept)
}
