package serve

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// DialOnce is [Dial] for a program that asks once, and does nothing else until it has the
// answer. Such a connection is used by one goroutine, and goes without those threads and
// system calls that a program needs in order to wait for many things at a time; they are a
// good part of what a small program costs.
func DialOnce(path string) (*Conn, error) {
	fd, err := connect(path)
	if err != nil {
		return nil, err
	}
	p := &polled{fd: fd}
	c := newConn(p, p)
	c.lone = true
	return c, nil
}

// polled is a descriptor that does not block, and is waited for with poll(2).
type polled struct {
	fd          int
	read, write time.Time // deadlines
}

func (p *polled) Close() error {
	if p.fd < 0 {
		return os.ErrClosed
	}
	err := unix.Close(p.fd)
	p.fd = -1
	return err
}

func (p *polled) SetReadDeadline(t time.Time) error {
	p.read = t
	return nil
}

func (p *polled) SetWriteDeadline(t time.Time) error {
	p.write = t
	return nil
}

func (p *polled) Control(f func(fd uintptr)) error {
	f(uintptr(p.fd))
	return nil
}

func (p *polled) Read(done func(fd uintptr) bool) error { return p.wait(unix.POLLIN, p.read, done) }

func (p *polled) Write(done func(fd uintptr) bool) error { return p.wait(unix.POLLOUT, p.write, done) }

// wait calls a function, each time that the descriptor may be ready, until it is true.
func (p *polled) wait(event int16, deadline time.Time, done func(fd uintptr) bool) error {
	if p.fd < 0 {
		return os.ErrClosed
	}
	for !done(uintptr(p.fd)) {
		timeout := -1
		if !deadline.IsZero() {
			left := time.Until(deadline)
			if left <= 0 {
				return os.ErrDeadlineExceeded
			}
			timeout = int(left/time.Millisecond) + 1
		}
		fds := []unix.PollFd{{Fd: int32(p.fd), Events: event}}
		if _, err := unix.Poll(fds, timeout); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
	}
	return nil
}
