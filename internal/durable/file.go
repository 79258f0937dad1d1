package durable

import (
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// file is a file of the host. It goes without os.File, which asks five more
// system calls of each file that is opened, to find out that it cannot be polled:
// the programs that live for one message open little else.
type file struct {
	fd   int
	name string
}

func open(path string, flag int, perm fs.FileMode) (File, error) {
	fd, err := retry(func() (int, error) {
		return syscall.Open(path, flag|syscall.O_CLOEXEC, uint32(perm.Perm()))
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return &file{fd, path}, nil
}

// retry calls again what a signal has interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != syscall.EINTR {
			return n, err
		}
	}
}

func (f *file) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

// check turns the result of reading into what io.Reader promises.
func (f *file) check(n, wanted int, err error) (int, error) {
	if err != nil {
		return 0, f.fail("read", err)
	}
	if n == 0 && wanted > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (f *file) Read(p []byte) (int, error) {
	n, err := retry(func() (int, error) { return syscall.Read(f.fd, p) })
	return f.check(n, len(p), err)
}

func (f *file) ReadAt(p []byte, offset int64) (done int, err error) {
	for done < len(p) {
		n, err := retry(func() (int, error) { return syscall.Pread(f.fd, p[done:], offset+int64(done)) })
		if n, err = f.check(n, len(p)-done, err); err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// writeAll goes on after short writes, whose reason the next one tells.
func (f *file) writeAll(p []byte, write func(done int) (int, error)) (done int, err error) {
	for done < len(p) {
		n, err := retry(func() (int, error) { return write(done) })
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return done, f.fail("write", err)
		}
		done += n
	}
	return done, nil
}

func (f *file) Write(p []byte) (int, error) {
	return f.writeAll(p, func(done int) (int, error) { return syscall.Write(f.fd, p[done:]) })
}

func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	return f.writeAll(p, func(done int) (int, error) { return syscall.Pwrite(f.fd, p[done:], offset+int64(done)) })
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	n, err := syscall.Seek(f.fd, offset, whence)
	return n, f.fail("seek", err)
}

func (f *file) Sync() error {
	_, err := retry(func() (int, error) { return 0, syscall.Fsync(f.fd) })
	return f.fail("sync", err)
}

func (f *file) Truncate(size int64) error {
	_, err := retry(func() (int, error) { return 0, syscall.Ftruncate(f.fd, size) })
	return f.fail("truncate", err)
}

func (f *file) Stat() (fs.FileInfo, error) {
	info := &fileInfo{name: f.name}
	_, err := retry(func() (int, error) { return 0, syscall.Fstat(f.fd, &info.sys) })
	if err != nil {
		return nil, f.fail("stat", err)
	}
	return info, nil
}

func (f *file) Close() error {
	if f.fd < 0 {
		return f.fail("close", os.ErrClosed)
	}
	err := syscall.Close(f.fd)
	f.fd = -1
	if err == syscall.EINTR { // the descriptor is gone all the same
		err = nil
	}
	return f.fail("close", err)
}

// OnlyOpen reports whether nobody else has the file open, in this process or another,
// nor a descriptor of it on its way. It is false also where that cannot be told.
func OnlyOpen(f File) bool {
	o, ok := f.(interface{ OnlyOpen() bool })
	return ok && o.OnlyOpen()
}

// Blank makes a file that is to be written anew read as zeros, or makes it empty. Whoever
// holds parts of its memory, in a pipe for example, does not see what is written from
// then on; OnlyOpen knows about those who have it open.
//
// If the file system can do it the blocks stay the file's, and so does its size: to give
// blocks back and get others takes more time than all else that is done for a small
// message, even more so if the disk is told of each (discard).
func Blank(f File) error {
	if b, ok := f.(interface{ Blank() error }); ok {
		return b.Blank()
	}
	return f.Truncate(0)
}

// Blank implements [Blank].
func (f *file) Blank() error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	// Whole pages and blocks, so that none is left that another holds: the kernel's
	// larger ones never go beyond the end of what was written.
	unit := int64(os.Getpagesize())
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		unit = max(unit, int64(sys.Blksize))
	}
	if size := (st.Size() + unit - 1) / unit * unit; size == 0 || blank(f.fd, size) == nil {
		return nil
	}
	return f.Truncate(0)
}

// OnlyOpen implements [OnlyOpen].
func (f *file) OnlyOpen() bool { return f.fd >= 0 && onlyOpen(f.fd) }

// SyscallConn gives the descriptor to whoever has to lock it.
func (f *file) SyscallConn() (syscall.RawConn, error) {
	if f.fd < 0 {
		return nil, os.ErrClosed
	}
	return rawFile(f.fd), nil
}

type rawFile int

func (r rawFile) Control(f func(fd uintptr)) error { f(uintptr(r)); return nil }

func (r rawFile) Read(f func(fd uintptr) bool) error { f(uintptr(r)); return nil }

func (r rawFile) Write(f func(fd uintptr) bool) error { f(uintptr(r)); return nil }

// fileInfo is what fstat(2) says.
type fileInfo struct {
	name string
	sys  syscall.Stat_t
}

func (i *fileInfo) Name() string       { return i.name[lastSlash(i.name)+1:] }
func (i *fileInfo) Size() int64        { return i.sys.Size }
func (i *fileInfo) ModTime() time.Time { return modified(&i.sys) }
func (i *fileInfo) IsDir() bool        { return i.Mode().IsDir() }
func (i *fileInfo) Sys() any           { return &i.sys }

func lastSlash(name string) int {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' {
			return i
		}
	}
	return -1
}

var fileTypes = map[uint32]fs.FileMode{
	syscall.S_IFDIR:  fs.ModeDir,
	syscall.S_IFIFO:  fs.ModeNamedPipe,
	syscall.S_IFSOCK: fs.ModeSocket,
	syscall.S_IFBLK:  fs.ModeDevice,
	syscall.S_IFCHR:  fs.ModeDevice | fs.ModeCharDevice,
	syscall.S_IFLNK:  fs.ModeSymlink,
}

func (i *fileInfo) Mode() fs.FileMode {
	bits := uint32(i.sys.Mode)
	mode := fs.FileMode(bits&0o777) | fileTypes[bits&syscall.S_IFMT]
	for bit, m := range map[uint32]fs.FileMode{
		syscall.S_ISUID: fs.ModeSetuid, syscall.S_ISGID: fs.ModeSetgid, syscall.S_ISVTX: fs.ModeSticky,
	} {
		if bits&bit != 0 {
			mode |= m
		}
	}
	return mode
}

// Accessed is when a file was last read, as far as its file system keeps count;
// ok is false if info does not tell.
func Accessed(info fs.FileInfo) (t time.Time, ok bool) {
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}, false
	}
	return accessed(sys), true
}
