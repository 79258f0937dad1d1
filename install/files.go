package install

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// files looks at what is installed beside programs: manual pages, and what packaging
// has for the host.
func (s *System) files() ([]Problem, error) {
	var problems []Problem
	for _, f := range s.others() {
		p, err := s.copied(f.from, f.entry)
		if err != nil {
			return nil, err
		}
		problems = append(problems, p...)
	}
	return problems, nil
}

// source is a file to be installed, and where.
type source struct {
	from  string
	entry entry
}

// others are the files to be installed that are no programs.
func (s *System) others() []source {
	all := s.pages()
	for _, tree := range s.trees() {
		all = append(all, below(filepath.Join(s.Packaging, tree.from), tree.to)...)
	}
	return all
}

// pages are the manual pages, each for the folder of its section.
func (s *System) pages() []source {
	if s.Man == "" {
		return nil
	}
	to := s.ManDir
	if to == "" {
		to = filepath.Join(s.Home, "man")
	}
	names, _ := filepath.Glob(filepath.Join(s.Man, "*.[1-8]")) // the pattern is right
	var all []source
	for _, name := range names {
		base := filepath.Base(name)
		all = append(all, source{name, entry{name: filepath.Join(to, "man"+base[len(base)-1:], base), kind: program, mode: 0o644}})
	}
	return all
}

// tree is a folder of packaging and where its files go.
type tree struct{ from, to string }

func (s *System) trees() []tree {
	if s.Packaging == "" {
		return nil
	}
	return []tree{
		{"systemd", filepath.Join(s.Prefix, "lib/systemd/system")},
		{"run", filepath.Join(s.Home, "boot")},
		{"completion/bash", filepath.Join(s.Prefix, "share/bash-completion/completions")},
		{"completion/zsh", filepath.Join(s.Prefix, "share/zsh/site-functions")},
	}
}

// below are the files below a folder; scripts are installed so that everybody may
// run them.
func below(from, to string) []source {
	var all []source
	filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error { // errors: what is not there is not installed
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		mode := fs.FileMode(0o644)
		if st, err := d.Info(); err == nil && st.Mode()&0o100 != 0 {
			mode = 0o755
		}
		name, err := filepath.Rel(from, path)
		if err == nil {
			all = append(all, source{path, entry{name: filepath.Join(to, name), kind: program, mode: mode}})
		}
		return nil
	})
	return all
}

// Remove takes away programs, links, manual pages and the like, and says what stays.
func (s *System) Remove() error {
	if err := s.unlink(); err != nil {
		return err
	}
	for _, f := range s.others() {
		if err := s.remove(f.entry); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := s.remove(programEntry(name)); err != nil {
			return err
		}
	}
	for _, name := range []string{"bin", "boot", "doc", "man"} {
		os.Remove(s.path(name)) // unless something else is in it
	}
	for _, name := range []string{"queue", "control", "alias", "users"} {
		if exists(s.path(name)) {
			s.sayf("%s: stays", filepath.Join(s.Home, name))
		}
	}
	s.sayf("the accounts stay: files of theirs do")
	return nil
}

func (s *System) remove(e entry) error {
	err := os.Remove(s.path(e.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	s.sayf("%s: removed", s.show(e))
	folder := filepath.Dir(s.path(e.name))
	for strings.HasPrefix(folder, s.path("")+"/") && os.Remove(folder) == nil { // those that are empty now
		folder = filepath.Dir(folder)
	}
	return nil
}
