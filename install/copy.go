package install

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// copied looks whether a file of the table is the same as one to be installed.
func (s *System) copied(from string, e entry) ([]Problem, error) {
	p := Problem{Level: Wrong, Name: s.show(e), Text: "is missing", Done: "installed", Fix: func() error { return s.replace(from, e) }}
	same, err := sameContent(from, s.path(e.name))
	switch {
	case errors.Is(err, fs.ErrNotExist) && !exists(s.path(e.name)):
		if _, err := os.Stat(from); err != nil {
			return nil, err
		}
		return []Problem{p}, nil
	case err != nil:
		return nil, err
	case same:
		return nil, nil
	}
	p.Text, p.Done = "is another version", "replaced"
	return []Problem{p}, nil
}

func sameContent(a, b string) (bool, error) {
	one, err := os.ReadFile(a)
	if err != nil {
		return false, err
	}
	st, err := os.Lstat(b)
	if err != nil {
		return false, err
	}
	if !st.Mode().IsRegular() {
		return false, nil
	}
	two, err := os.ReadFile(b)
	return bytes.Equal(one, two), err
}

// replace writes a file beside its place and renames it, so that nobody runs or reads
// half of it, and a program that runs goes on with the old one.
func (s *System) replace(from string, e entry) error {
	path := s.path(e.name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	beside := e
	beside.name = filepath.Join(filepath.Dir(e.name), "."+filepath.Base(e.name)+".new")
	if err := copyNew(from, s.path(beside.name)); err != nil {
		return err
	}
	if err := errors.Join(s.give(beside), s.setMode(beside)); err != nil {
		return err
	}
	if err := os.Rename(s.path(beside.name), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func copyNew(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
