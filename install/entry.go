package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// compare tells what is wrong with a file of the table.
func (s *System) compare(e entry) ([]Problem, error) {
	st, err := os.Lstat(s.path(e.name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []Problem{s.missing(e)}, nil
	case errors.Is(err, fs.ErrPermission):
		return []Problem{{Level: Warning, Name: s.show(e), Text: "may not be looked at: ask as root"}}, nil
	case err != nil:
		return nil, err
	}
	if e.mayLink() && st.Mode().Type() == fs.ModeSymlink {
		if st, err = os.Stat(s.path(e.name)); err != nil {
			return nil, err
		}
	}
	if st.Mode().Type() != e.kind.mode() {
		return []Problem{{Level: Wrong, Name: s.show(e), Text: "is something else: " + st.Mode().String()}}, nil
	}
	var problems []Problem
	uid, gid, known := s.ids(e)
	sys, _ := st.Sys().(*syscall.Stat_t)
	if known && sys != nil && (int(sys.Uid) != uid || int(sys.Gid) != gid) {
		problems = append(problems, Problem{
			Level: Wrong, Name: s.show(e),
			Text: fmt.Sprintf("belongs to %d:%d, not to %s:%s", sys.Uid, sys.Gid, e.owner, e.group),
			Done: "given to " + e.owner + ":" + e.group,
			Fix:  func() error { return errors.Join(s.give(e), s.setMode(e)) }, // set-uid bits go when the owner does
		})
	}
	want := s.mode(e)
	if got := st.Mode() & (fs.ModePerm | setID); got != want {
		problems = append(problems, Problem{
			Level: Wrong, Name: s.show(e),
			Text: fmt.Sprintf("has mode %s, not %s", octal(got), octal(want)), Done: "mode " + octal(want),
			Fix: func() error { return s.setMode(e) },
		})
	}
	return problems, nil
}

// mayLink reports whether a link to a folder elsewhere is as good: in the home and
// above it only root can make one.
func (e entry) mayLink() bool { return e.kind == folder && !strings.Contains(e.name, "/") }

func (k kind) mode() fs.FileMode {
	switch k {
	case folder:
		return fs.ModeDir
	case fifo:
		return fs.ModeNamedPipe
	}
	return 0
}

// show is the name of an entry for people: where it is on the host in the end.
func (s *System) show(e entry) string {
	if filepath.IsAbs(e.name) {
		return e.name
	}
	return filepath.Join(s.Home, e.name)
}

// ids are the numbers of an entry's owners, by default root's; known is false if owners do not count
// or there is no such account, which is a problem of its own.
func (s *System) ids(e entry) (uid, gid int, known bool) {
	if !s.Owners {
		return 0, 0, false
	}
	if e.owner == "" {
		return 0, 0, true
	}
	uid, err1 := s.Accounts.UID(e.owner)
	gid, err2 := s.Accounts.GID(e.group)
	return uid, gid, err1 == nil && err2 == nil
}

// mode is that of an entry. A file that does not belong to whom it is for must not
// be set-uid: it would be so for somebody else.
func (s *System) mode(e entry) fs.FileMode {
	if !s.Owners && e.kind != folder {
		return e.mode & fs.ModePerm
	}
	return e.mode
}

// octal is a mode in the form of chmod(1).
func octal(mode fs.FileMode) string {
	n := uint32(mode.Perm())
	if mode&fs.ModeSetuid != 0 {
		n |= unix.S_ISUID
	}
	if mode&fs.ModeSetgid != 0 {
		n |= unix.S_ISGID
	}
	return fmt.Sprintf("%o", n)
}

func (s *System) missing(e entry) Problem {
	p := Problem{Level: Wrong, Name: s.show(e), Text: "is missing", Done: "made"}
	p.part = e.name != "" && !exists(filepath.Dir(s.path(e.name)))
	if e.kind != program {
		p.Fix = func() error { return s.make(e) }
	}
	return p
}

// make makes a file of the table that is not there.
func (s *System) make(e entry) error {
	path := s.path(e.name)
	var err error
	switch e.kind {
	case folder:
		if e.name == "" {
			err = os.MkdirAll(filepath.Dir(path), 0o755)
		}
		err = errors.Join(err, os.Mkdir(path, 0o700))
	case fifo:
		err = unix.Mkfifo(path, 0o600)
	default:
		err = os.WriteFile(path, make([]byte, e.size), 0o600)
	}
	if err != nil {
		return err
	}
	return errors.Join(s.give(e), s.setMode(e))
}

// give sets the owner, not following a link.
func (s *System) give(e entry) error {
	uid, gid, known := s.ids(e)
	if !known {
		return nil
	}
	if e.mayLink() {
		return os.Chown(s.path(e.name), uid, gid)
	}
	return os.Lchown(s.path(e.name), uid, gid)
}

// setMode does not follow a link that the owner of a folder has put there.
func (s *System) setMode(e entry) error {
	flags := os.O_RDONLY | unix.O_NONBLOCK
	if !e.mayLink() {
		flags |= unix.O_NOFOLLOW
	}
	f, err := os.OpenFile(s.path(e.name), flags, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(s.mode(e)), f.Close())
}

// each compares several files.
func (s *System) each(entries []entry) ([]Problem, error) {
	var all []Problem
	for _, e := range entries {
		problems, err := s.compare(e)
		if err != nil {
			return nil, err
		}
		all = append(all, problems...)
	}
	return all, nil
}
