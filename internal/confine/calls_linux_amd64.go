package confine

import "golang.org/x/sys/unix"

const (
	arch = unix.AUDIT_ARCH_X86_64
	// Numbers of the ABI x32 have this bit.
	otherNumbers = 0x40000000
)

var neverHere = []uint32{unix.SYS_MKNOD, unix.SYS_MODIFY_LDT, unix.SYS_IOPL, unix.SYS_IOPERM, unix.SYS_USELIB}

var startingHere = []uint32{unix.SYS_FORK, unix.SYS_VFORK}
