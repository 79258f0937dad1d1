package serve

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// QueueSocket is where a qmail-queue that stays listens, below the home. Programs of
// all users must be able to get at it.
const QueueSocket = "queue/socket"

// Listener is a socket that anybody may connect to who can reach its name.
type Listener struct {
	file *os.File
	raw  syscall.RawConn
}

const backlog = 128

// Listen makes a socket of that name, in place of one that is there.
func Listen(path string) (*Listener, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := bind(fd, path); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listen at %s: %w", path, err)
	}
	file := os.NewFile(uintptr(fd), path)
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &Listener{file, raw}, nil
}

func bind(fd int, path string) error {
	_ = unix.Unlink(path)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return err
	}
	if err := unix.Chmod(path, 0o666); err != nil {
		return err
	}
	return unix.Listen(fd, backlog)
}

// Accept waits for a connection, and tells which user made it. After Close the error
// is os.ErrClosed; after others it may be called again.
func (l *Listener) Accept() (c *Conn, uid int, err error) {
	fd := -1
	var accepted error
	err = l.raw.Read(func(listening uintptr) bool {
		accepted = again(func() (err error) {
			fd, _, err = unix.Accept4(int(listening), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
			return err
		})
		return accepted != unix.EAGAIN
	})
	if err != nil {
		return nil, 0, os.ErrClosed
	}
	if accepted != nil {
		return nil, 0, os.NewSyscallError("accept", accepted)
	}
	if uid, err = peer(fd); err == nil {
		c, err = NewConn(fd)
	}
	if err != nil {
		unix.Close(fd)
		return nil, 0, err
	}
	return c, uid, nil
}

// Close lets nobody connect any more.
func (l *Listener) Close() error { return l.file.Close() }

// Dial connects to a socket. It does not wait: if too many want to, it fails.
func Dial(path string) (*Conn, error) {
	fd, err := connect(path)
	if err != nil {
		return nil, err
	}
	c, err := NewConn(fd)
	if err != nil {
		unix.Close(fd)
	}
	return c, err
}

func connect(path string) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := again(func() error { return unix.Connect(fd, &unix.SockaddrUnix{Name: path}) }); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("connect to %s: %w", path, err)
	}
	return fd, nil
}
