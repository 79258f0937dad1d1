package sendctl

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Path is the socket, below the folder of the queue.
const Path = "lock/send/command"

// Listener takes connections. It goes without package net, which qmail-send must
// not have.
type Listener struct {
	f    *os.File
	path string
}

// Listen makes the socket, in place of one that an earlier qmail-send left. The
// caller has the queue's lock, so that nobody else listens. Only its own user, and
// root, may connect.
func Listen(path string) (*Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	fd, address, done, err := socket(path)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := unix.Bind(fd, address); err != nil {
		unix.Close(fd)
		return nil, &os.PathError{Op: "bind", Path: path, Err: err}
	}
	err = os.Chmod(path, 0o600)
	if err == nil {
		err = unix.Listen(fd, 8)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &Listener{os.NewFile(uintptr(fd), path), path}, nil
}

// Accept waits for a connection.
func (l *Listener) Accept() (*Conn, error) {
	raw, err := l.f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var aerr error
	err = raw.Read(func(s uintptr) bool {
		fd, _, aerr = unix.Accept4(int(s), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		return !errors.Is(aerr, unix.EAGAIN)
	})
	if err = errors.Join(err, aerr); err != nil {
		return nil, err
	}
	return NewConn(os.NewFile(uintptr(fd), l.path)), nil
}

// Close removes the socket and makes Accept return an error.
func (l *Listener) Close() error { return errors.Join(os.Remove(l.path), l.f.Close()) }

// Dial connects to a qmail-send. The error wraps [os.ErrNotExist] if it has never
// listened on this queue, and [unix.ECONNREFUSED] if it does not any more.
func Dial(path string) (*Conn, error) {
	fd, address, done, err := socket(path)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := unix.Connect(fd, address); err != nil {
		unix.Close(fd)
		return nil, &os.PathError{Op: "connect", Path: path, Err: err}
	}
	return NewConn(os.NewFile(uintptr(fd), path)), nil
}

// longest is how long a path the system takes.
const longest = 100

// socket makes a socket and its address. A path that is too long for one goes by
// way of its folder, until done is called.
func socket(path string) (fd int, address *unix.SockaddrUnix, done func(), err error) {
	done = func() {}
	name := path
	if len(path) > longest {
		folder, err := os.Open(filepath.Dir(path))
		if err != nil {
			return 0, nil, nil, err
		}
		done = func() { folder.Close() }
		name = "/proc/self/fd/" + strconv.Itoa(int(folder.Fd())) + "/" + filepath.Base(path)
	}
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		done()
		return 0, nil, nil, os.NewSyscallError("socket", err)
	}
	return fd, &unix.SockaddrUnix{Name: name}, done, nil
}
