package syserr

import "syscall"

// The tables are switches, not maps, so that a program which never fails does
// not build them when it starts. They give "" for an error they do not have.

func general(e syscall.Errno) string {
	switch e {
	case syscall.EINTR:
		return "interrupted system call"
	case syscall.ENOMEM:
		return "out of memory"
	case syscall.EAGAIN:
		return "temporary failure"
	case syscall.EPERM:
		return "permission denied"
	case syscall.EACCES:
		return "access denied"
	case syscall.ESRCH:
		return "no such process"
	case syscall.E2BIG:
		return "argument list too long"
	case syscall.ENOEXEC:
		return "exec format error"
	case syscall.ECHILD:
		return "no child processes"
	case syscall.EDEADLK:
		return "operation would cause deadlock"
	case syscall.EFAULT:
		return "bad address"
	case syscall.EINVAL:
		return "invalid argument"
	case syscall.ENOSYS:
		return "system call not available"
	case syscall.EOPNOTSUPP:
		return "operation not supported"
	case syscall.EUSERS:
		return "too many users"
	case syscall.ERANGE:
		return "output out of range"
	case syscall.EDOM:
		return "input out of range"
	}
	return ""
}

func files(e syscall.Errno) string {
	switch e {
	case syscall.ENOENT:
		return "file does not exist"
	case syscall.EEXIST:
		return "file already exists"
	case syscall.ETXTBSY:
		return "text busy"
	case syscall.EIO:
		return "input/output error"
	case syscall.EPIPE:
		return "broken pipe"
	case syscall.ENXIO:
		return "device not configured"
	case syscall.EBADF:
		return "file descriptor not open"
	case syscall.ENOTBLK:
		return "not a block device"
	case syscall.EBUSY:
		return "device busy"
	case syscall.EXDEV:
		return "cross-device link"
	case syscall.ENODEV:
		return "device does not support operation"
	case syscall.ENOTDIR:
		return "not a directory"
	case syscall.EISDIR:
		return "is a directory"
	case syscall.ENOTEMPTY:
		return "directory not empty"
	case syscall.ENFILE:
		return "system cannot open more files"
	case syscall.EMFILE:
		return "process cannot open more files"
	case syscall.ENOTTY:
		return "not a tty"
	case syscall.EFBIG:
		return "file too big"
	case syscall.ENOSPC:
		return "out of disk space"
	case syscall.EDQUOT:
		return "disk quota exceeded"
	case syscall.ESPIPE:
		return "unseekable descriptor"
	case syscall.EROFS:
		return "read-only file system"
	case syscall.EMLINK:
		return "too many links"
	case syscall.ELOOP:
		return "symbolic link loop"
	case syscall.ENAMETOOLONG:
		return "file name too long"
	case syscall.ESTALE:
		return "stale NFS file handle"
	case syscall.ENOLCK:
		return "no locks available"
	}
	return ""
}

func network(e syscall.Errno) string {
	switch e {
	case syscall.ETIMEDOUT:
		return "timed out"
	case syscall.EINPROGRESS:
		return "operation in progress"
	case syscall.EALREADY:
		return "operation already in progress"
	case syscall.ENOTSOCK:
		return "not a socket"
	case syscall.EDESTADDRREQ:
		return "destination address required"
	case syscall.EMSGSIZE:
		return "message too long"
	case syscall.EPROTOTYPE:
		return "incorrect protocol type"
	case syscall.ENOPROTOOPT:
		return "protocol not available"
	case syscall.EPROTONOSUPPORT:
		return "protocol not supported"
	case syscall.EAFNOSUPPORT:
		return "address family not supported"
	case syscall.EADDRINUSE:
		return "address already used"
	case syscall.EADDRNOTAVAIL:
		return "address not available"
	case syscall.ENETDOWN:
		return "network down"
	case syscall.ENETUNREACH:
		return "network unreachable"
	case syscall.ENETRESET:
		return "network reset"
	case syscall.ECONNABORTED:
		return "connection aborted"
	case syscall.ECONNRESET:
		return "connection reset"
	case syscall.ENOBUFS:
		return "out of buffer space"
	case syscall.EISCONN:
		return "already connected"
	case syscall.ENOTCONN:
		return "not connected"
	case syscall.ESHUTDOWN:
		return "socket shut down"
	case syscall.ETOOMANYREFS:
		return "too many references"
	case syscall.ECONNREFUSED:
		return "connection refused"
	case syscall.EHOSTDOWN:
		return "host down"
	case syscall.EHOSTUNREACH:
		return "host unreachable"
	case syscall.EPROTO:
		return "protocol error"
	}
	return ""
}
