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
