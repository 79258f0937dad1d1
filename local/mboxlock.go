package local

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"goqmail/internal/fault"
	"goqmail/internal/syserr"
)

// Locking an mbox. How long to try, how long to wait in between, and how old a
// dot-lock is that nobody takes away any more (as liblockfile has it).
const (
	lockLimit     = 30 * time.Second
	firstWait     = time.Millisecond
	longestWait   = 64 * time.Millisecond
	dotLockStale  = 5 * time.Minute
	dotLockSuffix = ".lock"
)

// errLocked says that somebody else has it.
var errLocked = errors.New("locked by somebody else")

// wantsDotLock reports whether a mailbox is the host's, where programs that know
// no other lock may meet: Debian policy 11.6.
func wantsDotLock(name string) bool {
	return strings.HasPrefix(name, "/var/mail/") || strings.HasPrefix(name, "/var/spool/mail/")
}

// open opens and locks the mbox. Locks are tried, never waited for, and all are
// given back if one is missing: whoever takes them in another order does not
// block us for ever, nor we them.
func (m mbox) open() (*openMbox, error) {
	end := m.host.Now().Add(lockLimit)
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		f, err := m.tryOpen()
		if !errors.Is(err, errLocked) {
			return f, err
		}
		if !m.host.Now().Before(end) {
			return nil, fault.Soft("File has been locked for 30 seconds straight. (#4.3.0)", nil)
		}
		m.host.Sleep(wait)
	}
}

func (m mbox) tryOpen() (*openMbox, error) {
	f, err := m.files.Open(m.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault.Soft("Unable to open "+m.name+": "+syserr.Text(err)+". (#4.2.1)", err)
	}
	var st fs.FileInfo
	if err = m.host.lock(f); err == nil {
		st, err = f.Stat()
	}
	if err == nil && !m.still(st) {
		err = errLocked // its owner had it, and has put another in its place
	}
	if err == nil && m.dotLock {
		m.dotLock, err = m.tryDotLock()
	}
	if err == nil {
		return &openMbox{mbox: m, file: f, before: st}, nil
	}
	f.Close()
	if errors.Is(err, errLocked) {
		return nil, err
	}
	return nil, fault.Soft("Unable to lock "+m.name+": "+syserr.Text(err)+". (#4.3.0)", err)
}

// still reports whether the open file is the one that now has the name. A reader
// may have moved it away between open and lock, and would not see what is added.
func (m mbox) still(opened fs.FileInfo) bool {
	named, err := m.files.Stat(m.path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	a, known := opened.Sys().(*syscall.Stat_t)
	b, _ := named.Sys().(*syscall.Stat_t)
	return !known || b == nil || a.Dev == b.Dev && a.Ino == b.Ino
}

// tryDotLock makes the lock file. Where the user may not make files there is
// none, and the others have to do.
func (m mbox) tryDotLock() (made bool, err error) {
	name := m.path + dotLockSuffix
	f, err := m.files.Create(name, 0o600)
	switch {
	case err == nil:
		_, err = f.Write([]byte(strconv.Itoa(m.host.PID) + "\n"))
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			m.files.Remove(name)
		}
		return err == nil, err
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return false, nil
	case !errors.Is(err, fs.ErrExist):
		return false, err
	}
	if st, err := m.files.Stat(name); err == nil && m.host.Now().Sub(st.ModTime()) > dotLockStale {
		m.files.Remove(name)
	}
	return false, errLocked
}
