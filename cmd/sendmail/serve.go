package main

import (
	"os"
	"path/filepath"
	"syscall"
	"time"

	"goqmail/control"
	"goqmail/inject"
	"goqmail/inject/sendmail"
	"goqmail/internal/exitcode"
	"goqmail/internal/hostname"
	"goqmail/internal/qq"
	"goqmail/internal/syserr"
)

// become runs another program of the system in the place of this one. That
// sendmail itself stands in the other's place must not run it for ever.
func become(name string, args ...string) int {
	path := program(name)
	there, err := os.Stat(path)
	if err == nil {
		self, selfErr := os.Stat("/proc/self/exe")
		if selfErr == nil && os.SameFile(self, there) {
			err = syscall.ELOOP
		} else {
			err = syscall.Exec(path, append([]string{name}, args...), os.Environ())
		}
	}
	return fail("unable to run "+path+": "+syserr.Text(err), exitcode.Unavailable)
}

// explain has qmail-explain tell about each address. The worst of its verdicts is
// the exit code.
func explain(addrs []string) int {
	if len(addrs) == 0 {
		return fail("no address to explain", exitcode.Usage)
	}
	worst := exitcode.OK
	for _, addr := range addrs {
		p, err := os.StartProcess(program("qmail-explain"), []string{"qmail-explain", "--", addr}, &os.ProcAttr{Files: []*os.File{nil, os.Stdout, os.Stderr}})
		if err != nil {
			return fail("unable to run "+program("qmail-explain")+": "+syserr.Text(err), exitcode.Unavailable)
		}
		state, err := p.Wait()
		switch {
		case err != nil || !state.Exited():
			worst = exitcode.Software
		case state.ExitCode() == exitcode.Hard:
			worst = max(worst, exitcode.NoUser)
		case state.ExitCode() != exitcode.OK:
			worst = max(worst, exitcode.TempFail)
		}
	}
	return worst
}

// serve speaks SMTP. A server program that has set PROTO speaks to a host on the
// network, which is qmail-smtpd's affair.
func serve(dir string) int {
	if _, network := os.LookupEnv("PROTO"); network {
		return become("qmail-smtpd")
	}
	host, senders, err := smtpSettings(filepath.Join(dir, "control"))
	if err != nil {
		os.Stdout.WriteString("421 unable to read controls (#4.3.0)\r\n")
		return fail("unable to read controls: "+syserr.Text(err), exitcode.TempFail)
	}
	s := sendmail.Session{In: os.Stdin, Out: os.Stdout, Host: host, Now: time.Now,
		Open:   func() (sendmail.Message, error) { return qq.System(dir).Open() },
		Sender: func(sender string) string { return inject.Masquerade(senders, sender) }}
	if err := s.Serve(); err != nil {
		return fail(err.Error(), exitcode.TempFail)
	}
	return exitcode.OK
}

func smtpSettings(folder string) (host string, senders control.Map, err error) {
	files, err := control.Open(folder)
	if err != nil {
		return "", nil, err
	}
	lines, _, err := files.List("masquerade")
	if err != nil {
		return "", nil, err
	}
	host, given, err := files.Given("smtpgreeting")
	if me, ok := files.Me(); !given && ok {
		host = me
	} else if !given {
		host = hostname.System.Name()
	}
	return host, control.Pairs(lines), err
}
