package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"goqmail/aliases"
	"goqmail/control/lint"
	"goqmail/queue"
)

// alias looks for the files that say who gets mail for root and for those whom
// other hosts write to. If the host has a table of aliases it is put into effect, and
// what it has is left to it. Where alias has files already, that is as somebody wants
// it.
func (s *System) alias() ([]Problem, error) {
	files, err := filepath.Glob(s.path("alias/.qmail*"))
	if err != nil || len(files) > 0 || s.Dest != "" {
		return nil, err
	}
	var problems []Problem
	entries, err := tableOf(s.path(s.Table))
	if err != nil {
		problems = append(problems, Problem{Level: Warning, Name: s.Table, Text: "is not used: " + err.Error()})
	}
	if len(entries) > 0 {
		problems = append(problems, s.useTable())
	}
	for name, to := range map[string]string{"root": "", "postmaster": "&root\n", "mailer-daemon": "&root\n"} {
		file := "alias/.qmail-" + name
		if slices.ContainsFunc(entries, func(e aliases.Entry) bool { return e.Name == name }) {
			continue
		}
		if name == "root" {
			problems = append(problems, Problem{
				Level: Warning, Name: filepath.Join(s.Home, file), Text: "is missing", Fix: s.keepRoot,
				Done: "made: mail for root is kept in " + filepath.Join(s.Home, "alias/Maildir") + " until you put the address of a person there",
			})
			continue
		}
		problems = append(problems, s.newFile(setting{file, strings.TrimSuffix(to, "\n")}))
	}
	slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Name, b.Name) })
	return problems, nil
}

func tableOf(path string) ([]aliases.Entry, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, _, err := aliases.Parse(string(text))
	return entries, err
}

func (s *System) useTable() Problem {
	line := "|" + filepath.Join(s.Home, "bin/fastforward") + " -d " + s.Table + aliases.Suffix
	fix := func() error {
		if _, err := aliases.Rebuild(s.path(s.Table)); err != nil {
			return err
		}
		return writeNew(s.path("alias/.qmail-default"), line+"\n")
	}
	return Problem{Name: filepath.Join(s.Home, "alias/.qmail-default"), Text: "is missing", Done: "made: " + s.Table + " is in effect", Fix: fix}
}

// rootLines is what alias does with mail for root where nobody has said otherwise.
// Mail is not lost then, and qmail-check tells of it.
const rootLines = "# Mail for root is kept here. Write the address of a person instead.\n./Maildir/\n"

func (s *System) keepRoot() error {
	for _, name := range []string{"", "/tmp", "/new", "/cur"} {
		e := entry{"alias/Maildir" + name, folder, "alias", "qmail", 0o700, 0}
		if exists(s.path(e.name)) {
			continue
		}
		if err := s.make(e); err != nil {
			return err
		}
	}
	return writeNew(s.path("alias/.qmail-root"), rootLines)
}

// advice tells of what an administrator may want to know and this program does not
// change.
func (s *System) advice() ([]Problem, error) {
	var all []Problem
	settings, err := lint.Problems(s.path("control"))
	if err != nil {
		all = append(all, Problem{Level: Wrong, Name: filepath.Join(s.Home, "control"), Text: "cannot be read: " + err.Error()})
	}
	for _, p := range settings {
		all = append(all, Problem{Level: Warning, Name: filepath.Join(s.Home, "control", p.File), Text: p.Text})
	}
	all = append(all, s.rootsMail()...)
	all = append(all, s.nobody()...)
	all = append(all, s.older("users/assign", "users/cdb", "run qmail-newu")...)
	if exists(s.path(s.Table + aliases.Suffix)) {
		all = append(all, s.older(s.Table, s.Table+aliases.Suffix, "run newaliases")...)
	}
	return append(all, s.running()...), nil
}

// rootsMail tells of mail that nobody reads.
func (s *System) rootsMail() []Problem {
	text, err := os.ReadFile(s.path("alias/.qmail-root"))
	if err != nil || string(text) != rootLines {
		return nil
	}
	p := Problem{Level: Note, Name: filepath.Join(s.Home, "alias/.qmail-root"), Text: "keeps root's mail in alias/Maildir: put the address of a person there"}
	if mail, err := os.ReadDir(s.path("alias/Maildir/new")); err == nil && len(mail) > 0 {
		p.Level = Warning
		p.Text = fmt.Sprintf("has kept %d messages for root in alias/Maildir that nobody has read: put the address of a person there", len(mail))
	}
	return []Problem{p}
}

// nobody tells of names that have mail on every host, and here belong to nobody.
func (s *System) nobody() []Problem {
	if !exists(s.path("alias")) || exists(s.path("alias/.qmail-default")) {
		return nil
	}
	var all []Problem
	for _, name := range []string{"root", "postmaster", "mailer-daemon"} {
		file := "alias/.qmail-" + name
		if uid, err := s.Accounts.UID(name); err == nil && uid > 0 || exists(s.path(file)) || exists(s.path("users/cdb")) {
			continue
		}
		all = append(all, Problem{Level: Warning, Name: filepath.Join(s.Home, file), Text: "is missing: mail for " + name + " bounces"})
	}
	return all
}

// older tells of a table that does not have what its source says.
func (s *System) older(from, table, do string) []Problem {
	a, err1 := os.Stat(s.path(from))
	b, err2 := os.Stat(s.path(table))
	if err1 != nil || err2 == nil && !a.ModTime().After(b.ModTime()) {
		return nil
	}
	return []Problem{{Level: Warning, Name: s.show(entry{name: from}), Text: "is newer than what is in effect: " + do}}
}

func (s *System) running() []Problem {
	_, err := queue.Holder(s.path("queue"))
	if errors.Is(err, queue.ErrNobody) {
		return []Problem{{Level: Warning, Name: filepath.Join(s.Home, "queue"), Text: "nothing is delivered: " + err.Error()}}
	}
	return nil
}

// wrapped reports whether the lines of mailer.conf(5) name a program.
func wrapped(text, name, program string) bool {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name && fields[1] == program {
			return true
		}
	}
	return false
}
