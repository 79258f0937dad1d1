package serve

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// MaxPacket is the size in bytes of the longest packet.
const MaxPacket = 64 << 10

// maxFiles is how many descriptors travel with one packet at most.
const maxFiles = 4

// ErrTooLong means that a packet, or the arguments of a request, are too long.
var ErrTooLong = errors.New("packet is too long")

// Conn is one end of a Unix socket that keeps the bounds of packets. It goes
// without package net, which the small programs do not link. Send may be called by
// many goroutines at a time, Receive by one.
type Conn struct {
	file descriptor
	raw  syscall.RawConn
	lone bool // see DialOnce

	within time.Duration // in which what is sent has to be taken; 0: whenever

	mu  sync.Mutex // one Receive at a time
	oob []byte
}

// descriptor is what a connection is made of.
type descriptor interface {
	Close() error
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// NewConn makes a connection of a descriptor, which it owns from then on.
func NewConn(fd int) (*Conn, error) {
	if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_SEQPACKET {
		return nil, errors.New("not a socket of packets")
	}
	syscall.CloseOnExec(fd)
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	file := os.NewFile(uintptr(fd), "socket")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return newConn(file, raw), nil
}

func newConn(file descriptor, raw syscall.RawConn) *Conn {
	return &Conn{file: file, raw: raw, oob: make([]byte, unix.CmsgSpace(maxFiles*4))}
}

// Pair makes two connected ends: one for the caller, and one to be given to another
// process as a descriptor.
func Pair() (*Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	c, err := NewConn(fds[0])
	if err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, nil, err
	}
	return c, os.NewFile(uintptr(fds[1]), "socket"), nil
}

// Close ends the connection: the other end receives io.EOF.
func (c *Conn) Close() error { return c.file.Close() }

// SetReadDeadline bounds Receive, which then returns os.ErrDeadlineExceeded.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.file.SetReadDeadline(t) }

// Send sends a packet, with files that the other end then has open too.
func (c *Conn) Send(data []byte, files ...*os.File) error {
	if len(data) > MaxPacket {
		return ErrTooLong
	}
	var oob []byte
	if len(files) > 0 {
		fds, err := descriptors(files)
		if err != nil {
			return err
		}
		oob = unix.UnixRights(fds...)
	}
	if c.within > 0 {
		c.file.SetWriteDeadline(time.Now().Add(c.within))
	}
	var sent error
	err := c.raw.Write(func(fd uintptr) bool {
		sent = again(func() error { return unix.Sendmsg(int(fd), data, oob, nil, unix.MSG_NOSIGNAL) })
		return sent != unix.EAGAIN
	})
	return firstError(err, os.NewSyscallError("sendmsg", sent))
}

// descriptors are the numbers of open files. The caller keeps the files open.
func descriptors(files []*os.File) ([]int, error) {
	fds := make([]int, len(files))
	for i, f := range files {
		raw, err := f.SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) { fds[i] = int(fd) })
		}
		if err != nil {
			return nil, err
		}
	}
	return fds, nil
}

// Receive receives a packet into buf and returns its length, and the descriptors
// that came with it, which are the caller's to close. What is not whole, since the
// packet is longer than buf or this process has no descriptors left, is an error
// that leaves the connection usable: errors.Is(err, ErrTooLong) or unix.EMFILE, with
// n bytes of the packet in buf.
func (c *Conn) Receive(buf []byte) (n int, fds []int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var oobn, flags int
	var received error
	err = c.raw.Read(func(fd uintptr) bool {
		received = again(func() (err error) {
			n, oobn, flags, _, err = unix.Recvmsg(int(fd), buf, c.oob, unix.MSG_CMSG_CLOEXEC)
			return err
		})
		return received != unix.EAGAIN
	})
	if err = firstError(err, os.NewSyscallError("recvmsg", received)); err != nil {
		return 0, nil, err
	}
	fds = rights(c.oob[:oobn])
	switch {
	case n == 0 && oobn == 0:
		return 0, nil, io.EOF
	case flags&unix.MSG_CTRUNC != 0:
		err = unix.EMFILE
	case flags&unix.MSG_TRUNC != 0:
		err = ErrTooLong
	}
	if err != nil {
		closeAll(fds)
		return n, nil, err
	}
	return n, fds, nil
}

// rights are the descriptors in a control message.
func rights(oob []byte) (fds []int) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		if m.Header.Type != unix.SCM_RIGHTS {
			continue
		}
		if got, err := unix.ParseUnixRights(&m); err == nil {
			fds = append(fds, got...)
		}
	}
	return fds
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// again calls once more what a signal has interrupted.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
