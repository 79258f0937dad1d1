// Package install knows what an installation consists of, compares a host with
// that, and makes it so: it is qmail-install(8) and qmail-check(8).
//
// There is one table of everything, in table.go: accounts, folders, programs, the
// folders and locks of the queue, each with owner and mode; and lists of the first
// settings, the files of alias, and the names under which other programs look for
// a mailer. Whatever is not as the table says is a [Problem], most with a fix. To
// check is to tell of the problems; to install is to fix them, part by part, so
// that doing it twice changes nothing.
//
// What belongs to the host's administrator is made once and never changed after:
// control files, the files of alias, the messages in the queue and its split. To
// remove is to take away programs and links; those stay.
package install

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"goqmail/internal/ids"
)

// Level says how much a problem matters.
type Level int

const (
	Note    Level = iota // something to know
	Warning              // mail works, and something else than is meant may happen
	Wrong                // mail may not work, or somebody may do too much
)

// Problem is something that is not as it should be.
type Problem struct {
	Level Level
	Name  string // the file, below the home if it begins with no slash, or the account
	Text  string // what is wrong
	Done  string // what Fix has done, in a phrase
	Fix   func() error

	part bool // of something else that is missing, which tells it all
}

// String is the problem in a line.
func (p Problem) String() string { return p.Name + ": " + p.Text }

// System is the host that an installation is on, and the sources of a new one. The
// zero values of its files are fit for a check.
type System struct {
	Home string // absolute, as the programs have it
	Dest string // DESTDIR: a folder that all is put below, for packaging; then there are no owners

	Accounts ids.Files
	Owners   bool // whose files are counts: false with Dest, and in a private home

	Bin       string // folder of new programs; empty: those in place are kept
	Man       string // folder of new manual pages; empty: none are installed
	Packaging string // folder of unit files, run scripts and completions; empty: none
	Prefix    string // for what does not lie in the home: /usr/local
	ManDir    string // where manual pages go; empty: man in the home

	Table  string // of aliases, which a host may have from another mailer: /etc/aliases
	Mailer bool   // be the host's sendmail
	Name   string // of the host, for the first settings

	// Run runs a program of the host, useradd for one.
	Run func(argv ...string) error
	// Look finds such a program, or returns an error.
	Look func(program string) (string, error)
	// Out is told what is done and found, a line each.
	Out io.Writer
}

// path is where a file is now: below the home if its name is not absolute.
func (s *System) path(name string) string {
	if !strings.HasPrefix(name, "/") {
		name = filepath.Join(s.Home, name)
	}
	return filepath.Join(s.Dest, name)
}

func (s *System) sayf(format string, args ...any) { fmt.Fprintf(s.Out, format+"\n", args...) }

// part is a part of the installation.
type part struct {
	name  string
	find  func() ([]Problem, error)
	check bool // it is looked at by qmail-check
	fix   bool // and repaired by it
}

// parts are all parts in the order in which they are made.
func (s *System) parts() []part {
	return []part{
		{"accounts", s.accounts, true, false},
		{"folders", s.folders, true, true},
		{"programs", s.programs, false, false},
		{"modes of programs", s.modes, true, true},
		{"queue", s.queue, true, true},
		{"settings", s.settings, false, false},
		{"alias", s.alias, false, false},
		{"files", s.files, false, false},
		{"mailer", s.mailer, true, false},
	}
}

// Install makes everything, and says what it does.
func (s *System) Install() error {
	done := 0
	for _, p := range s.parts() {
		problems, err := p.find()
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		for _, problem := range problems {
			if problem.Fix == nil {
				s.sayf("%s", problem)
				continue
			}
			if err := problem.Fix(); err != nil {
				return fmt.Errorf("%s: %s: %w", problem.Name, problem.Text, err)
			}
			done++
			if !problem.part {
				s.sayf("%s: %s", problem.Name, problem.Done)
			}
		}
	}
	if done == 0 {
		s.sayf("everything was installed before")
	}
	return nil
}

// Check tells of all problems and returns the worst level there is after it; ok
// means that there is none above a note. With repair it fixes what an installation
// may have lost: owners, modes, folders, locks.
func (s *System) Check(repair bool) (worst Level, err error) {
	for _, p := range s.parts() {
		if !p.check {
			continue
		}
		problems, err := p.find()
		if err != nil {
			return Wrong, fmt.Errorf("%s: %w", p.name, err)
		}
		for _, problem := range problems {
			worst = max(worst, s.tell(problem, repair && p.fix))
		}
	}
	advice, err := s.advice()
	for _, problem := range advice {
		worst = max(worst, s.tell(problem, false))
	}
	return worst, err
}

// tell says what a problem is, or that it is gone, and how bad it is now.
func (s *System) tell(p Problem, repair bool) Level {
	if repair && p.Fix != nil {
		err := p.Fix()
		if err == nil && !p.part {
			s.sayf("repaired: %s: %s", p, p.Done)
		}
		if err == nil {
			return Note
		}
		p.part = false
		p.Text += fmt.Sprintf(": not repaired: %v", err)
	}
	if !p.part {
		s.sayf("%s: %s", [...]string{"note", "warning", "wrong"}[p.Level], p)
	}
	return p.Level
}

// exists reports whether there is a file of that name, a dangling link included.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
