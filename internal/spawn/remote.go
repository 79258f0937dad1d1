package spawn

import (
	"io"
	"os"
	"syscall"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/report"
	"goqmail/internal/serve"
)

// Remote does remote deliveries, the way qmail-rspawn does: it runs qmail-remote
// for each recipient.
type Remote struct {
	Program Program       // qmail-remote
	Dir     string        // folder in which it is run; empty: the caller's working folder
	Env     []string      // of the program
	Wait    time.Duration // see [Child.Linger]
	// Staying is the process that stays; nil: one is started for each delivery.
	Staying *Staying
}

// Deliver does one delivery.
func (r Remote) Deliver(d Delivery) report.Report {
	var out report.Remote
	args := []string{r.Program.Name, d.Host, d.Sender, d.Recipient}
	if r.Staying != nil {
		if a, ok := r.Staying.Do(nil, args[1:], d.Message); ok {
			io.WriteString(&out, a.Text)
			return remoteReport(a.Code, &out)
		}
		if _, err := d.Message.Seek(0, io.SeekStart); err != nil {
			return report.Z("qmail-spawn unable to rewind message. (#4.3.0)\n")
		}
	}
	status, err := Child{
		Path:   r.Program.Path,
		Args:   args,
		Dir:    r.Dir,
		Env:    r.Env,
		Stdin:  d.Message,
		Stderr: true,
		Linger: r.Wait,
		Shell:  r.Program.Shell,
	}.Run(&out)
	if err != nil {
		return notRun(err, "Unable to run qmail-remote.")
	}
	if !status.Exited() {
		return remoteReport(crashed, &out)
	}
	return remoteReport(status.ExitStatus(), &out)
}

// Bounds on one request, that it fits into a packet: how many bytes of arguments, and a
// few more for each.
const (
	mostBytes = 56 << 10
	forEach   = 3
)

// Together does deliveries of one message, as [Server] has it, by requests for many to
// the process that stays.
func (r Remote) Together(message *os.File, all []Delivery, done func(i int, outcome *report.Report)) {
	if r.Staying == nil {
		for i := range all {
			done(i, nil)
		}
		return
	}
	var args []string
	begin, size := 0, 0
	for i, d := range all {
		more := len(d.Host) + len(d.Sender) + len(d.Recipient) + forEach
		if size > 0 && size+more > mostBytes {
			r.request(message, args, begin, done)
			args, begin, size = nil, i, 0
		}
		args = append(args, d.Host, d.Sender, d.Recipient)
		size += more
	}
	r.request(message, args, begin, done)
}

// request asks for the deliveries from begin on, of which it has the arguments.
func (r Remote) request(message *os.File, args []string, begin int, done func(i int, outcome *report.Report)) {
	r.Staying.Many(len(args)/forEach, args, message, func(i int, a serve.Answer, ok bool) {
		if !ok {
			done(begin+i, nil)
			return
		}
		var out report.Remote
		io.WriteString(&out, a.Text)
		outcome := remoteReport(a.Code, &out)
		done(begin+i, &outcome)
	})
}

// remoteReport reads how qmail-remote ended.
//
// Compat: to qmail every exit code but 0 and 111 is a permanent failure; here 100
// is the only one. For the others see localReport.
func remoteReport(code int, out *report.Remote) report.Report {
	switch code {
	case crashed, exitPanic:
		return report.Z("qmail-remote crashed.\n")
	case exitcode.OK:
	case exitcode.Hard:
		return report.D("Unable to run qmail-remote.\n")
	default:
		return report.Z("Unable to run qmail-remote.\n")
	}
	if out.Empty() {
		return report.Z("qmail-remote produced no output.\n")
	}
	return out.Report()
}

// maxTimeouts bounds the file of connection timeouts.
const maxTimeouts = 16 << 20

// ForgetTimeouts clears the file lock/tcpto of the queue, in which qmail-remote
// keeps the hosts that did not answer, so that a restart tries them all again.
// Zeros are free entries. Trouble with the file is none for deliveries.
func ForgetTimeouts(path string) {
	f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() || st.Size() > maxTimeouts {
		return
	}
	f.WriteAt(make([]byte, st.Size()), 0)
}
