package sendmail

import (
	"errors"
	"io"
	"strings"

	"goqmail/inject"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
)

// ErrSetup is wrapped by errors in control files.
var ErrSetup = errors.New("the system is not set up well")

// Submit takes one message and queues it. In s, what concerns the policy and the
// options of the command line is filled in. Login returns the name of the caller's
// account, or nothing; it is asked only if the environment does not have it. Errors
// are for [Report].
func (c *Command) Submit(s inject.Setup, login func() string, message io.Reader, open func() (inject.Queue, error)) error {
	in, err := c.injector(s, login)
	if err != nil {
		return err
	}
	in.Recipients = inject.Arguments
	if c.FromHeader {
		in.Recipients = inject.Both
	}
	if c.HasSender {
		if err := in.SetSender(c.Sender); err != nil {
			return err
		}
	}
	if c.NoBounces {
		in.NoBounces()
	}
	in.VERP(c.VERP)
	if err := in.AddRecipients(c.Args); err != nil {
		return err
	}
	if !c.FromHeader && len(c.Args) == 0 {
		return inject.ErrNobody // before somebody types a message in vain
	}
	return in.Queue(NewInput(message, c.IgnoreDots), open)
}

// Addresses returns the addresses in the arguments, complete.
func (c *Command) Addresses(s inject.Setup) ([]string, error) {
	in, err := c.injector(s, func() string { return "" })
	if err != nil {
		return nil, err
	}
	in.Recipients = inject.Arguments
	if err := in.AddRecipients(c.Args); err != nil {
		return nil, err
	}
	return in.Given(), nil
}

func (c *Command) injector(s inject.Setup, login func() string) (*inject.Injector, error) {
	s.Policy = inject.Policy{Exact: true, RefuseNobody: true}
	s.Getenv = c.environment(s.Getenv, login)
	in, err := inject.New(s)
	if err != nil {
		return nil, errors.Join(ErrSetup, err)
	}
	return in, nil
}

// environment is the environment with what the command line and the host know
// better.
func (c *Command) environment(getenv func(string) (string, bool), login func() string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		text, set := getenv(name)
		switch {
		case name == "MAILNAME" && c.HasName:
			return c.Name, true
		case name == "LOGNAME" && !set: // the last of the variables that name the user
			text = login()
			return text, text != ""
		}
		return text, set
	}
}

// Report returns what to say of an error on standard error, behind "sendmail:
// fatal: ", and the exit code.
func Report(err error) (text string, code int) {
	if errors.Is(err, inject.ErrNobody) {
		return "no recipients: there are neither arguments nor addresses in a header read with -t", exitcode.Usage
	}
	text, _ = inject.Report(err)
	return strings.TrimSuffix(text, "\n"), verdict(err)
}

func verdict(err error) int {
	parsed := errors.Is(err, inject.ErrLine) || errors.Is(err, inject.ErrAddress)
	switch {
	case errors.Is(err, ErrSetup) && parsed:
		return exitcode.Config
	case parsed, errors.Is(err, inject.ErrTooLong):
		return exitcode.DataErr
	case fault.IsPermanent(err):
		return exitcode.Unavailable
	}
	return exitcode.TempFail
}
