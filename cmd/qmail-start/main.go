// Qmail-start turns on mail delivery: it starts qmail-lspawn, qmail-rspawn and
// qmail-clean, and a logger if one is named, and becomes qmail-send. See
// qmail-start(8).
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"goqmail/internal/exitcode"
	"goqmail/internal/home"
	"goqmail/internal/ids"
	"goqmail/internal/start"
)

const usualDelivery = "./Mailbox"

func main() { exitcode.Main(run) }

func run() int {
	err := start.Reserve()
	if err == nil {
		err = turnOn(os.Args[1:])
	}
	fmt.Fprintf(os.Stderr, "qmail-start: fatal: %v\n", err)
	return exitcode.Soft
}

// turnOn returns only if it fails.
func turnOn(args []string) error {
	s := start.System{Delivery: usualDelivery}
	if len(args) > 0 {
		s.Delivery, s.Logger = args[0], args[1:]
	}
	var err error
	if os.Geteuid() == 0 {
		err = asRoot(&s)
	} else {
		err = asCaller(&s)
	}
	if err != nil {
		return err
	}
	syscall.Umask(0o077)
	if err := os.Chdir("/"); err != nil {
		return err
	}
	s.Env = os.Environ()
	return s.Run()
}

// asRoot is the system of the host, in the home that it was built for.
func asRoot(s *start.System) (err error) {
	os.Unsetenv("QMAILHOME") // for all who are started from here on
	s.Home = home.Dir()
	s.Users, err = start.LookUp(ids.System)
	return err
}

// asCaller is a system of the caller's own, in a home that the caller owns.
func asCaller(s *start.System) (err error) {
	if s.Home, err = filepath.Abs(home.Dir()); err != nil {
		return err
	}
	st, err := os.Stat(s.Home)
	if err != nil {
		return err
	}
	if owner := st.Sys().(*syscall.Stat_t).Uid; int(owner) != os.Geteuid() {
		return fmt.Errorf("%s belongs to uid %d: only root can start that system, and you one in a home of yours, named by QMAILHOME", s.Home, owner)
	}
	return os.Setenv("QMAILHOME", s.Home)
}
