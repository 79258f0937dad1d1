// Package errtext has qmail's words for the errors of the system: scripts that
// read what its programs print know these, not the C library's or Go's.
package errtext

import (
	"errors"
	"syscall"
)

var words = map[syscall.Errno]string{
	syscall.EINTR:        "interrupted system call",
	syscall.ENOMEM:       "out of memory",
	syscall.ENOENT:       "file does not exist",
	syscall.ETXTBSY:      "text busy",
	syscall.EIO:          "input/output error",
	syscall.EEXIST:       "file already exists",
	syscall.ETIMEDOUT:    "timed out",
	syscall.EINPROGRESS:  "operation in progress",
	syscall.EAGAIN:       "temporary failure",
	syscall.EPIPE:        "broken pipe",
	syscall.EPERM:        "permission denied",
	syscall.EACCES:       "access denied",
	syscall.ENXIO:        "device not configured",
	syscall.EPROTO:       "protocol error",
	syscall.EISDIR:       "is a directory",
	syscall.EROFS:        "read-only file system",
	syscall.ENOTDIR:      "not a directory",
	syscall.ENOSPC:       "out of disk space",
	syscall.EDQUOT:       "disk quota exceeded",
	syscall.EMFILE:       "process cannot open more files",
	syscall.ENFILE:       "system cannot open more files",
	syscall.ENAMETOOLONG: "file name too long",
	syscall.ECONNREFUSED: "connection refused",
	syscall.ECONNRESET:   "connection reset",
	syscall.EHOSTUNREACH: "host unreachable",
	syscall.ENETUNREACH:  "network unreachable",
	syscall.ELOOP:        "symbolic link loop",
	syscall.ESTALE:       "stale NFS file handle",
	syscall.EFBIG:        "file too large",
	syscall.EINVAL:       "invalid argument",
	syscall.ENOEXEC:      "exec format error",
}

// Of returns the words for what went wrong with the operating system in err, or
// err's own text if that was not the cause.
func Of(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	if text, ok := words[errno]; ok {
		return text
	}
	return errno.Error()
}
