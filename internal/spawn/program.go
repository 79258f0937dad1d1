package spawn

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"goqmail/internal/ids"
)

// Program is a program that does deliveries.
type Program struct {
	Name  string // argument 0
	Path  string
	Shell bool // see [Child.Shell]
}

// InPlaceOf returns the program that an environment variable names in place of the
// usual one, as execvp(3) runs it: a name without a slash is sought in the folders
// of path, $PATH. If none is named it is the usual one.
func InPlaceOf(usual Program, named, path string) Program {
	if named == "" {
		return usual
	}
	return Program{Name: named, Path: search(named, path), Shell: true}
}

// search returns a name that is not found as it is.
func search(name, path string) string {
	if strings.Contains(name, "/") {
		return name
	}
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if st, err := os.Stat(file); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return file
		}
	}
	return name
}

// Owners are the users that a message may belong to: qmailq; and in a home of his
// own the ordinary user who runs the whole system there, and root, who may have
// queued a message for him: what the system can read there is no secret from him.
// A host without qmailq trusts no other user in its place. An error means that nobody
// knows whether there is one.
func Owners(accounts ids.Files, home string, uid int) (func(owner uint32) bool, error) {
	var trusted []uint32
	q, err := accounts.UID("qmailq")
	switch {
	case err == nil:
		trusted = append(trusted, uint32(q))
	case !errors.Is(err, ids.ErrUnknown) && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if uid != 0 && owns(uid, home) {
		trusted = append(trusted, uint32(uid), 0)
	}
	return func(owner uint32) bool {
		for _, u := range trusted {
			if u == owner {
				return true
			}
		}
		return false
	}, nil
}

func owns(uid int, folder string) bool {
	st, err := os.Stat(folder)
	if err != nil {
		return false
	}
	owner, ok := st.Sys().(*syscall.Stat_t)
	return ok && int(owner.Uid) == uid
}
