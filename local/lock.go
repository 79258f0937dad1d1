package local

import (
	"errors"
	"io"
	"syscall"

	"goqmail/internal/durable"
)

// Lock locks an open file for writing by flock(2) and by fcntl(2), since some
// programs know only one of them. The lock lasts until the file is closed. If
// another process, or another open file of this one, has it, Lock does not wait: the
// error is EAGAIN or EACCES.
// Of a file system that knows one of the two only, that one is enough.
func Lock(f durable.File) error {
	c, ok := f.(syscall.Conn)
	if !ok {
		return syscall.EOPNOTSUPP
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) { err = lockBoth(fd) }); cerr != nil {
		return cerr
	}
	return err
}

func lockBoth(fd uintptr) error {
	first := retry(func() error { return syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB) })
	if first != nil && !unknownLock(first) {
		return first
	}
	second := retry(func() error {
		whole := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart}
		return syscall.FcntlFlock(fd, setLock, &whole)
	})
	if second != nil && (first != nil || !unknownLock(second)) {
		return second
	}
	return nil
}

func retry(do func() error) error {
	for {
		if err := do(); err != syscall.EINTR {
			return err
		}
	}
}

// unknownLock reports whether an error says that there is no such kind of lock
// for the file.
func unknownLock(err error) bool {
	return errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.EINVAL)
}

// lock tries to lock a mailbox. The error is errLocked if somebody else has it.
func (h *Host) lock(f durable.File) error {
	err := h.Lock(f)
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) {
		return errLocked
	}
	return err
}
