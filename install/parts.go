package install

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"goqmail/internal/durable"
	"goqmail/queue"
)

func (s *System) folders() ([]Problem, error) { return s.each(folders) }

// programs looks for programs that are missing or others than the new ones.
func (s *System) programs() ([]Problem, error) {
	if s.Bin == "" {
		return nil, nil
	}
	var problems []Problem
	for _, name := range names {
		p, err := s.copied(filepath.Join(s.Bin, name), programEntry(name))
		if err != nil {
			return nil, err
		}
		problems = append(problems, p...)
	}
	return problems, nil
}

// modes looks at the owners and modes of programs, and for others with a set-uid bit.
func (s *System) modes() ([]Problem, error) {
	var entries []entry
	for _, name := range names {
		entries = append(entries, programEntry(name))
	}
	problems, err := s.each(entries)
	if err != nil {
		return nil, err
	}
	there, err := os.ReadDir(s.path("bin"))
	if err != nil {
		return problems, nil // a problem of the folders
	}
	for _, f := range there {
		st, err := f.Info()
		if err == nil && !slices.Contains(names, f.Name()) && st.Mode()&setID != 0 {
			problems = append(problems, Problem{Level: Warning, Name: filepath.Join(s.Home, "bin", f.Name()),
				Text: "is set-uid and no program of this system"})
		}
	}
	return problems, nil
}

// queue looks at the folders and locks of the queue. The split of one that is there
// is kept. Its messages are looked at by qmail-queuectl.
func (s *System) queue() ([]Problem, error) {
	split := queue.DefaultSplit
	q, err := queue.Open(durable.NewDir(s.path("queue")))
	switch {
	case err == nil:
		split = q.Split()
	case errors.Is(err, fs.ErrPermission):
		return []Problem{{Level: Warning, Name: filepath.Join(s.Home, "queue"), Text: "may not be looked at: ask as root"}}, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return s.each(queueEntries(split))
}

// settings looks for the first control files. Where there is a folder with settings
// already, nothing is added to it: a missing file means its default.
func (s *System) settings() ([]Problem, error) {
	there, err := os.ReadDir(s.path("control"))
	if err != nil || len(there) > 0 || s.Dest != "" {
		return nil, err
	}
	var problems []Problem
	for _, f := range newSettings(s.Name) {
		problems = append(problems, s.newFile(f))
	}
	return problems, nil
}

// newFile is a file that is not there yet.
func (s *System) newFile(f setting) Problem {
	return Problem{
		Name: filepath.Join(s.Home, f.name), Text: "is missing", Done: "made: " + strings.ReplaceAll(f.text, "\n", ", "),
		Fix: func() error { return writeNew(s.path(f.name), f.text+"\n") },
	}
}

// writeNew writes a file that is not there.
func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
}

// defaultDomain is what config-fast puts into control/defaultdomain: the name
// without its first part, if two are left.
func defaultDomain(host string) string {
	if _, domain, _ := strings.Cut(host, "."); strings.Contains(domain, ".") {
		return domain
	}
	return host
}

// plusDomain is what config-fast puts into control/plusdomain: the last two parts.
func plusDomain(host string) string {
	parts := strings.Split(host, ".")
	return strings.Join(parts[max(0, len(parts)-2):], ".")
}
