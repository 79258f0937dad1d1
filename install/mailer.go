package install

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// mailerConf is where FreeBSD and others say which program sendmail is.
const mailerConf = "/etc/mail/mailer.conf"

// links are the names under which other programs look for a mailer. They are links
// to programs of their own, not all to one: mailq is set-uid.
var links = []struct{ name, to string }{
	{"/usr/sbin/sendmail", "bin/sendmail"},
	{"/usr/lib/sendmail", "bin/sendmail"},
	{"/usr/bin/mailq", "bin/mailq"},
	{"/usr/bin/newaliases", "bin/newaliases"},
}

// kept is the name of a file that a link has taken the place of.
func kept(name string) string { return name + ".orig" }

// mailer looks whether this system is the one that other programs send mail by.
func (s *System) mailer() ([]Problem, error) {
	if !s.Mailer {
		return nil, nil
	}
	if s.Dest == "" && exists(mailerConf) {
		return s.wrapper()
	}
	var problems []Problem
	for _, l := range links {
		to := filepath.Join(s.Home, l.to)
		if s.leads(l.name, to) {
			continue
		}
		p := Problem{Level: Warning, Name: l.name, Text: "does not lead to " + to, Done: "leads to " + to, Fix: func() error { return s.link(l.name, to) }}
		if exists(s.path(l.name)) {
			p.Done += "; what was there is " + kept(l.name)
		}
		problems = append(problems, p)
	}
	return problems, nil
}

// wrapper leaves the links to mailwrapper(8) and says what it needs.
func (s *System) wrapper() ([]Problem, error) {
	text, err := os.ReadFile(mailerConf)
	if err != nil {
		return nil, err
	}
	if wrapped(string(text), "sendmail", filepath.Join(s.Home, "bin/sendmail")) {
		return nil, nil
	}
	return []Problem{{Level: Warning, Name: mailerConf, Text: "does not name this system: see qmail-install(8)"}}, nil
}

// leads reports whether a name is a link to a program, or one that leads there.
func (s *System) leads(name, to string) bool {
	if text, err := os.Readlink(s.path(name)); err == nil && text == to {
		return true
	}
	a, err1 := os.Stat(s.path(name))
	b, err2 := os.Stat(s.path(to))
	return s.Dest == "" && err1 == nil && err2 == nil && os.SameFile(a, b)
}

// link makes a link and keeps what is in its place: where dpkg is, in such a way that
// it leaves the link alone.
func (s *System) link(name, to string) error {
	path := s.path(name)
	if s.Dest == "" {
		if err := s.putAside(name); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.Symlink(to, path)
}

func (s *System) putAside(name string) error {
	if _, err := s.Look("dpkg-divert"); err == nil {
		return s.Run("dpkg-divert", "--quiet", "--local", "--rename", "--divert", kept(name), "--add", name)
	}
	if !exists(s.path(name)) {
		return nil
	}
	if exists(s.path(kept(name))) {
		return errors.New(kept(name) + " is in the way")
	}
	return os.Rename(s.path(name), s.path(kept(name)))
}

// unlink removes the links that lead here and puts back what was there before.
func (s *System) unlink() error {
	for _, l := range links {
		if !s.leads(l.name, filepath.Join(s.Home, l.to)) {
			continue
		}
		if err := os.Remove(s.path(l.name)); err != nil {
			return err
		}
		s.sayf("%s: removed", l.name)
		if err := s.putBack(l.name); err != nil {
			return err
		}
	}
	return nil
}

func (s *System) putBack(name string) error {
	if s.Dest != "" {
		return nil
	}
	had := exists(s.path(kept(name)))
	if _, err := s.Look("dpkg-divert"); err == nil {
		if err := s.Run("dpkg-divert", "--quiet", "--local", "--rename", "--divert", kept(name), "--remove", name); err != nil {
			return err
		}
	}
	err := os.Rename(s.path(kept(name)), s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if had && err == nil {
		s.sayf("%s: is what it was before", name)
	}
	return err
}
