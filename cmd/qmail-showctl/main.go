// Qmail-showctl shows the settings of the system, and what is wrong with them. See
// qmail-showctl(8).
package main

import (
	"errors"
	"os"
	"path/filepath"

	"goqmail/control/showctl"
	"goqmail/internal/durable"
	"goqmail/internal/exitcode"
	"goqmail/internal/getopt"
	"goqmail/internal/home"
	"goqmail/internal/ids"
	"goqmail/internal/version"
	"goqmail/queue"
)

func main() { exitcode.Main(run) }

const usage = "usage: qmail-showctl [-a]\n"

func run() int {
	if version.Answer(os.Args[1:], "qmail-showctl", usage, os.Stdout) {
		return exitcode.OK
	}
	options := getopt.New(os.Args[1:], "a")
	all := false
	for letter := options.Next(); letter != 0; letter = options.Next() {
		if letter != 'a' {
			os.Stderr.WriteString(usage)
			return exitcode.Hard
		}
		all = true
	}
	report := showctl.Report{Home: home.Dir(), Accounts: ids.System, Split: split()}
	write := report.Write
	if all {
		write = report.WriteAll
	}
	err := write(os.Stdout)
	switch {
	case err == nil:
		return exitcode.OK
	case !errors.Is(err, showctl.ErrHome) && !errors.Is(err, showctl.ErrControl) && !errors.Is(err, showctl.ErrMe):
		os.Stderr.WriteString("qmail-showctl: fatal: " + err.Error() + "\n")
	}
	return exitcode.Soft
}

// split is that of the queue, if it can be read.
func split() int {
	q, err := queue.Open(durable.NewDir(filepath.Join(home.Dir(), "queue")))
	if err != nil {
		return 0
	}
	return q.Split()
}
