package confine

import "golang.org/x/sys/unix"

const (
	arch = unix.AUDIT_ARCH_AARCH64
	// No number is as large.
	otherNumbers = 0x80000000
)

var neverHere, startingHere []uint32
