package install

import (
	"errors"
	"fmt"
	"path/filepath"

	"goqmail/internal/ids"
)

// accounts looks for users and groups that are missing.
func (s *System) accounts() ([]Problem, error) {
	if !s.Owners {
		return nil, nil
	}
	var problems []Problem
	for _, name := range groups {
		_, err := s.Accounts.GID(name)
		p, err := s.account("group "+name, err, func() error { return s.addGroup(name) })
		if err != nil {
			return nil, err
		}
		problems = append(problems, p...)
	}
	for _, user := range users {
		_, err := s.Accounts.UID(user.name)
		p, err := s.account("user "+user.name, err, func() error { return s.addUser(user) })
		if err != nil {
			return nil, err
		}
		problems = append(problems, p...)
	}
	return problems, nil
}

func (s *System) account(name string, err error, fix func() error) ([]Problem, error) {
	if errors.Is(err, ids.ErrUnknown) {
		return []Problem{{Level: Wrong, Name: name, Text: "is missing", Done: "made", Fix: fix}}, nil
	}
	return nil, err
}

// addGroup and addUser do it by the means of the host: those of Linux
// distributions, FreeBSD's, or busybox's.
func (s *System) addGroup(name string) error {
	return s.first(
		[]string{"groupadd", "--system", name},
		[]string{"pw", "groupadd", name},
		[]string{"addgroup", "-S", name})
}

func (s *System) addUser(u account) error {
	home, shell := filepath.Join(s.Home, u.home), s.noShell()
	return s.first(
		[]string{"useradd", "--system", "--no-create-home", "--home-dir", home, "--gid", u.group, "--shell", shell, u.name},
		[]string{"pw", "useradd", u.name, "-g", u.group, "-d", home, "-s", shell},
		[]string{"adduser", "-S", "-D", "-H", "-h", home, "-G", u.group, "-s", shell, u.name})
}

// first runs the first of these programs that there is.
func (s *System) first(commands ...[]string) error {
	for _, argv := range commands {
		if _, err := s.Look(argv[0]); err == nil {
			return s.Run(argv...)
		}
	}
	return fmt.Errorf("there is none of useradd, pw and adduser: make it by hand")
}

// noShell is a shell that nobody gets far with.
func (s *System) noShell() string {
	for _, shell := range []string{"/usr/sbin/nologin", "/sbin/nologin"} {
		if exists(shell) {
			return shell
		}
	}
	return "/bin/false"
}
