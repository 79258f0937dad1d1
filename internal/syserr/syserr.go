// Package syserr says what a system error means to qmail: in which words users
// and logs are told of it, and whether it may go away by itself.
//
// The words are interface: scripts and log readers match on lines such as
// "unable to open control/me: access denied". They are the same on every system
// and in every locale.
package syserr

import (
	"errors"
	"os"
	"syscall"
)

// Text names the system error that err wraps, in lower case and without a full
// stop; "unknown error" if there is none that has a name here.
func Text(err error) string {
	var e syscall.Errno
	if !errors.As(err, &e) {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			e = syscall.ETIMEDOUT
		} else if err == nil {
			return "no error"
		}
	}
	for _, table := range []func(syscall.Errno) string{general, files, network} {
		if text := table(e); text != "" {
			return text
		}
	}
	return "unknown error"
}

// Temporary reports whether err is a system error that is known to pass: the
// host is short of something, or a disk or network has trouble. Others, such as
// that of a missing file, will be there again next time.
func Temporary(err error) bool {
	var e syscall.Errno
	if !errors.As(err, &e) {
		return false
	}
	switch e {
	case syscall.EINTR, syscall.ENOMEM, syscall.ETXTBSY, syscall.EIO, syscall.ETIMEDOUT,
		syscall.EAGAIN, syscall.EDEADLK, syscall.EBUSY, syscall.ENFILE, syscall.EMFILE,
		syscall.EFBIG, syscall.ENOSPC, syscall.EDQUOT, syscall.ESTALE, syscall.ENOLCK,
		syscall.ENETDOWN, syscall.ENETUNREACH, syscall.ENETRESET, syscall.ECONNABORTED,
		syscall.ECONNRESET, syscall.ENOTCONN, syscall.ENOBUFS, syscall.ETOOMANYREFS, syscall.ECONNREFUSED,
		syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.EUSERS:
		return true
	}
	return false
}
