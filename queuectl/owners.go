package queuectl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"goqmail/internal/ids"
	"goqmail/queue"
)

// owners says whose the files of the queue are to be: those of the system's users,
// or all of one user in a private home.
type owners struct {
	queue, send, remote int // user ids; -1: unknown, not to be checked
	group               int
}

// ownersOf finds out what kind of queue it is by the owner of its folder.
func ownersOf(folder string, accounts ids.Files) owners {
	uid, gid, ok := owner(folder)
	if !ok {
		return owners{-1, -1, -1, -1}
	}
	o := owners{uid, uid, uid, gid}
	q, err1 := accounts.UID("qmailq")
	s, err2 := accounts.UID("qmails")
	r, err3 := accounts.UID("qmailr")
	g, err4 := accounts.GID("qmail")
	if errors.Join(err1, err2, err3, err4) == nil && (uid == q || uid == 0) {
		return owners{q, s, r, g}
	}
	return o
}

func owner(name string) (uid, gid int, ok bool) {
	st, err := os.Lstat(name)
	if err != nil {
		return 0, 0, false
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(sys.Uid), int(sys.Gid), true
}

// want is whose a file of the queue is to be, and the mode of folders and locks. Of
// the modes of messages' files only who must be able to read them counts.
func (o owners) want(name string, st fs.FileInfo) (uid int, mode fs.FileMode) {
	top, _, _ := strings.Cut(name, "/")
	own := name == queue.SendFolder || strings.HasPrefix(name, queue.SendFolder+"/")
	uid, mode = o.queue, 0o700
	switch top {
	case "mess", "todo", "lock":
		mode = 0o750
	case ".":
		mode = 0o751 // all users may get at the socket of the qmail-queue that stays
	}
	switch {
	case own:
		uid, mode = o.send, 0o700
	case name == "lock/sendmutex":
		return o.send, 0o600
	case name == "lock/trigger":
		return o.send, 0o622
	case name == "lock/tcpto":
		return o.remote, 0o644
	case top == "info", top == "local", top == "remote", top == "bounce":
		uid = o.send
	}
	if st.IsDir() {
		return uid, mode
	}
	mode = st.Mode().Perm() | 0o400
	if top == "mess" || top == "todo" {
		mode |= 0o444
	}
	return uid, mode
}

// checkOwners looks for files that somebody else owns than they are for, and
// folders and locks with another mode, as after a restore.
func (c *checker) checkOwners() error {
	return filepath.WalkDir(c.folder, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(c.folder, path)
		if err != nil {
			return err
		}
		if name == strayFolder {
			return filepath.SkipDir
		}
		return c.checkOwner(name)
	})
}

func (c *checker) checkOwner(name string) error {
	st, err := os.Lstat(c.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it has gone its way meanwhile
	}
	if err != nil {
		return err
	}
	uid, gid, ok := owner(c.path(name))
	if !ok || c.owners.queue < 0 || st.Mode()&fs.ModeSymlink != 0 {
		return nil
	}
	wantUID, wantMode := c.owners.want(name, st)
	if uid != wantUID || gid != c.owners.group && st.IsDir() {
		c.found(name, fmt.Sprintf("belongs to user %d, group %d, not to %d, %d", uid, gid, wantUID, c.owners.group), func() error {
			return c.give(name, wantUID)
		})
	}
	if st.Mode().Perm() != wantMode && st.Mode().Type() != fs.ModeSocket {
		c.found(name, fmt.Sprintf("has mode %o, not %o", st.Mode().Perm(), wantMode), func() error {
			return chmod(c.path(name), wantMode)
		})
	}
	return nil
}

// chmod does not follow a link that somebody has put in the file's place: root must
// not change a file outside the queue.
func chmod(path string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		return os.Chmod(path, mode) // it can do no more than its caller
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(mode), f.Close())
}

// give changes the owner of a file that has no other name, outside the queue
// perhaps.
func (c *checker) give(name string, uid int) error {
	st, err := os.Lstat(c.path(name))
	if err != nil {
		return err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	top, _, _ := strings.Cut(name, "/")
	mayBeTwo := top == string(queue.Todo) || top == string(queue.Intd)
	if !st.IsDir() && sys.Nlink > 1 && !mayBeTwo {
		return fmt.Errorf("%s has %d names", name, sys.Nlink)
	}
	return os.Lchown(c.path(name), uid, c.owners.group)
}
