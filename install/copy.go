package install

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// copied looks whether a file of the table is the same as one to be installed.
func (s *System) copied(from string, e entry) ([]Problem, error) {
	p := Problem{Level: Wrong, Name: s.show(e), Text: "is missing", Done: "installed", Fix: func() error { return s.replace(from, e) }}
	same, err := s.same(from, s.path(e.name))
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

// content is what a file to be installed is to say. Scripts and units are written
// for the usual home.
func (s *System) content(from string) ([]byte, error) {
	data, err := os.ReadFile(from)
	if err == nil && s.Packaging != "" && strings.HasPrefix(from, s.Packaging+"/") {
		data = bytes.ReplaceAll(data, []byte(usualHome), []byte(s.Home))
	}
	return data, err
}

const usualHome = "/var/qmail"

func (s *System) same(from, to string) (bool, error) {
	one, err := s.content(from)
	if err != nil {
		return false, err
	}
	st, err := os.Lstat(to)
	if err != nil {
		return false, err
	}
	if !st.Mode().IsRegular() {
		return false, nil
	}
	two, err := os.ReadFile(to)
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
	data, err := s.content(from)
	if err == nil {
		err = writeBeside(s.path(beside.name), data)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(s.give(beside), s.setMode(beside), keepCapability(path, s.path(beside.name))); err != nil {
		return err
	}
	if err := os.Rename(s.path(beside.name), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// capability is the attribute of a file that capabilities(7) are in.
const capability = "security.capability"

// keepCapability gives a new program what setcap(8) has given the old one, as
// qmail-rcptcheck may have.
func keepCapability(old, new string) error {
	value := make([]byte, 64)
	n, err := unix.Lgetxattr(old, capability, value)
	if err != nil || n == 0 {
		return nil // there is none, or no such thing here
	}
	return os.NewSyscallError("setxattr", unix.Lsetxattr(new, capability, value[:n], 0))
}

func writeBeside(path string, data []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
