// Sendmail takes mail from other programs. By the name that it is called by, or by
// its options, it is mailq and newaliases too. See sendmail(8).
package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"goqmail/inject"
	"goqmail/inject/sendmail"
	"goqmail/internal/exitcode"
	"goqmail/internal/home"
	"goqmail/internal/hostname"
	"goqmail/internal/ids"
	"goqmail/internal/qq"
	"goqmail/internal/version"
)

func main() { exitcode.Main(run) }

func run() int {
	if version.Answer(os.Args[1:], "sendmail", sendmail.Usage, os.Stdout) {
		return exitcode.OK
	}
	c, err := sendmail.Parse(os.Args)
	switch c.Mode {
	case sendmail.List:
		return become("mailq")
	case sendmail.RunQueue:
		return become("mailq", "-q")
	case sendmail.Aliases:
		return become("newaliases")
	case sendmail.Nothing:
		return exitcode.OK
	case sendmail.Daemon:
		return fail("this program is no server: mail that comes in is for qmail-smtpd(8), and qmail-start(8) runs the queue", exitcode.Config)
	}
	code, err := take(c, err)
	var wrong *sendmail.UsageError
	switch {
	case errors.As(err, &wrong):
		os.Stderr.WriteString("sendmail: " + wrong.Text + "\n" + sendmail.Usage)
		return exitcode.Usage
	case err != nil:
		text, code := sendmail.Report(err)
		return fail(text, code)
	}
	return code
}

// take does what needs the home: it takes mail, or explains addresses.
func take(c *sendmail.Command, wrong error) (int, error) {
	dir := home.Dir()
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return fail("unable to switch to qmail home directory", exitcode.TempFail), nil
	}
	setup := inject.Setup{Home: dir, Getenv: os.LookupEnv, Now: time.Now, PID: os.Getpid(), Host: hostname.System.Name}
	switch {
	case c.Mode == sendmail.Explain:
		addrs, err := c.Addresses(setup)
		if err != nil {
			return 0, err
		}
		return explain(addrs), nil
	case wrong != nil:
		return 0, wrong
	case c.Mode == sendmail.SMTP:
		return serve(dir), nil
	}
	err := c.Submit(setup, login, os.Stdin, func() (inject.Queue, error) { return qq.SystemOnce(dir).Open() })
	if err == nil && c.RunQueue {
		return become("mailq", "-q"), nil
	}
	return exitcode.OK, err
}

// login is the name of the caller's account.
func login() string {
	name, _ := ids.System.Login(os.Getuid()) // without one the sender is anonymous
	return name
}

func fail(text string, code int) int {
	os.Stderr.WriteString("sendmail: fatal: " + strings.TrimSuffix(text, "\n") + "\n")
	return code
}

// program is the path of another program of the system.
func program(name string) string { return filepath.Join(home.Dir(), "bin", name) }
