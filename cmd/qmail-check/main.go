// Qmail-check compares an installation with what it should be, and repairs owners,
// modes and folders. See qmail-check(8).
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"goqmail/install"
	"goqmail/internal/exitcode"
	"goqmail/internal/home"
	"goqmail/internal/ids"
	"goqmail/internal/version"
)

func main() { exitcode.Main(run) }

func run() int {
	s := install.System{Home: home.Dir(), Accounts: ids.System, Table: "/etc/aliases", Look: exec.LookPath, Out: os.Stdout}
	flags := flag.NewFlagSet("qmail-check", flag.ContinueOnError)
	repair := flags.Bool("repair", false, "repair owners, modes, folders and locks")
	flags.BoolVar(&s.Mailer, "mailer", true, "this system is to be the host's sendmail")
	if version.Answer(os.Args[1:], "qmail-check", version.Usage(flags, ""), os.Stdout) {
		return exitcode.OK
	}
	if flags.Parse(os.Args[1:]) != nil || flags.NArg() > 0 {
		return exitcode.Hard
	}
	s.Owners = rootsOwn(s.Home)
	syscall.Umask(0o022)
	worst, err := s.Check(*repair)
	if err != nil {
		fmt.Fprintln(os.Stderr, "qmail-check: fatal:", err)
		return exitcode.Soft
	}
	if worst == install.Note {
		fmt.Println("the installation is in order")
	}
	return int(worst)
}

// rootsOwn reports whether a home is that of a host, and not a private one of
// somebody who plays all users.
func rootsOwn(home string) bool {
	st, err := os.Stat(home)
	if err != nil {
		return true
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	return !ok || sys.Uid == 0
}
