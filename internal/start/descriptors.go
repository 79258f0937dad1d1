package start

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// reserved is the first descriptor that qmail-send is not given.
const reserved = 8

// Reserve keeps the descriptors that qmail-send is to have from being used for
// anything else, and what the caller left open from reaching the programs. It
// must be called before a file is opened: the runtime watches files through a
// descriptor of its own, and must not lose it while it is in use.
func Reserve() error {
	if makeBlocking() {
		// The runtime, which watches such files, has taken its descriptor already.
		// Begin again; if that cannot be, so be it.
		syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	}
	for fd := 3; fd < reserved; fd++ {
		if err := unix.Dup2(0, fd); err != nil {
			return os.NewSyscallError("dup2", err)
		}
		unix.CloseOnExec(fd)
	}
	if closeOnExecFrom(reserved) != nil {
		for fd := reserved; fd < 1024; fd++ {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// makeBlocking makes the standard descriptors block, and tells if one did not.
func makeBlocking() (changed bool) {
	for fd := range 3 {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err == nil && flags&unix.O_NONBLOCK != 0 {
			changed = syscall.SetNonblock(fd, false) == nil
		}
	}
	return changed
}
