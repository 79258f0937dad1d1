// Package fdconn makes a connection of two descriptors, such as those that
// tcpserver, inetd and systemd hand to the programs they start: pipes, sockets,
// terminals or files, one to read and one to write.
package fdconn

import (
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is a [net.Conn] of descriptors. It waits with poll(2) and leaves their
// flags alone, which others may share: a descriptor that a caller or a child has
// too must not turn non-blocking under their hands. A file is always ready.
type Conn struct {
	in, out int
	mu      sync.Mutex
	read    time.Time
	write   time.Time
}

// New returns a connection that reads from one descriptor and writes to another,
// which may be the same.
func New(in, out int) *Conn { return &Conn{in: in, out: out} }

// Read implements [net.Conn]. After the deadline it returns
// [os.ErrDeadlineExceeded].
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if err := wait(c.in, unix.POLLIN, c.deadline(&c.read)); err != nil {
			return 0, err
		}
		n, err := unix.Read(c.in, p)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
			continue
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// Write implements [net.Conn], as Read does.
func (c *Conn) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		if err := wait(c.out, unix.POLLOUT, c.deadline(&c.write)); err != nil {
			return done, err
		}
		n, err := unix.Write(c.out, p[done:min(len(p), done+atOnce)])
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil {
			return done, os.NewSyscallError("write", err)
		}
		done += n
	}
	return done, nil
}

// atOnce is what a pipe that is ready takes without blocking (PIPE_BUF).
const atOnce = 4096

func (c *Conn) deadline(t *time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *t
}

// wait waits until a descriptor is ready, or would give an error at once.
func wait(fd int, events int16, deadline time.Time) error {
	for {
		ms := -1
		if !deadline.IsZero() {
			left := time.Until(deadline)
			if left <= 0 {
				return os.ErrDeadlineExceeded
			}
			ms = int(min(left.Milliseconds()+1, 1<<30))
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, ms)
		switch {
		case err != nil && err != unix.EINTR:
			return os.NewSyscallError("poll", err)
		case n > 0:
			return nil
		}
	}
}

// Close closes both descriptors.
func (c *Conn) Close() error {
	err := unix.Close(c.in)
	if c.out != c.in {
		if e := unix.Close(c.out); err == nil {
			err = e
		}
	}
	return err
}

// SetDeadline implements [net.Conn]. A wait that has begun goes on as it was.
func (c *Conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read, c.write = t, t
	return nil
}

// SetReadDeadline implements [net.Conn].
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = t
	return nil
}

// SetWriteDeadline implements [net.Conn].
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write = t
	return nil
}

// LocalAddr implements [net.Conn]; it says nothing.
func (c *Conn) LocalAddr() net.Addr { return addr{} }

// RemoteAddr implements [net.Conn]; it says nothing. Who the other side is, the
// environment tells.
func (c *Conn) RemoteAddr() net.Addr { return addr{} }

type addr struct{}

func (addr) Network() string { return "fd" }
func (addr) String() string  { return "fd" }

// IsSocket reports whether a descriptor is a connection over a network.
func IsSocket(fd int) bool {
	sa, err := unix.Getpeername(fd)
	if err != nil {
		return false
	}
	switch sa.(type) {
	case *unix.SockaddrInet4, *unix.SockaddrInet6:
		return true
	}
	return false
}
