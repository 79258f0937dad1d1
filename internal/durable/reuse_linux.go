package durable

import "golang.org/x/sys/unix"

// onlyOpen asks for a lease, which the kernel gives only then, and gives it back.
func onlyOpen(fd int) bool {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		return false
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
	return err == nil
}

// blank has the file system take the pages of a file away and forget what is in its
// blocks, which stay the file's. Not every file system can.
func blank(fd int, size int64) error {
	_, err := retry(func() (int, error) {
		return 0, unix.Fallocate(fd, unix.FALLOC_FL_ZERO_RANGE|unix.FALLOC_FL_KEEP_SIZE, 0, size)
	})
	return err
}
