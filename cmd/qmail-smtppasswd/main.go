// Qmail-smtppasswd sets the password of a user of qmail-smtpd. See
// qmail-smtppasswd(8).
package main

import (
	"errors"
	"os"
	"path/filepath"

	"goqmail/internal/exitcode"
	"goqmail/internal/getopt"
	"goqmail/internal/home"
	"goqmail/internal/ids"
	"goqmail/internal/version"
	"goqmail/receive/smtpusers"
)

func main() { exitcode.Main(run) }

const usage = "qmail-smtppasswd: usage: qmail-smtppasswd [ -dp ] user\n"

func run() int {
	if version.Answer(os.Args[1:], "qmail-smtppasswd", usage, os.Stdout) {
		return exitcode.OK
	}
	var remove, asIs bool
	options := getopt.New(os.Args[1:], "dp")
	for o := options.Next(); o != 0; o = options.Next() {
		switch o {
		case 'd':
			remove = true
		case 'p':
			asIs = true
		default:
			os.Stderr.WriteString(usage)
			return exitcode.Hard
		}
	}
	if len(options.Rest()) != 1 {
		os.Stderr.WriteString(usage)
		return exitcode.Hard
	}
	if err := change(options.Rest()[0], remove, asIs); err != nil {
		os.Stderr.WriteString("qmail-smtppasswd: fatal: " + err.Error() + "\n")
		return exitcode.Soft
	}
	return exitcode.OK
}

// change changes the file. The password is never an argument: others see those.
func change(user string, remove, asIs bool) error {
	line := ""
	if !remove {
		password, err := smtpusers.ReadPassword(os.Stdin)
		if err != nil {
			return err
		}
		if line, err = smtpusers.Line(user, password, asIs); err != nil {
			return err
		}
	}
	owner, err := reader()
	if err != nil {
		return err
	}
	return smtpusers.Replace(filepath.Join(home.Dir(), "control", smtpusers.Name), user, line, owner)
}

// reader is who a new file belongs to: qmaild, if root makes it for the system, and
// otherwise the caller.
func reader() (int, error) {
	if os.Geteuid() != 0 {
		return -1, nil
	}
	uid, err := ids.System.UID("qmaild")
	if errors.Is(err, ids.ErrUnknown) {
		return -1, nil // a home of root's own
	}
	return uid, err
}
