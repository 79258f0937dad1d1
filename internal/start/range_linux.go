package start

import (
	"math"

	"golang.org/x/sys/unix"
)

// closeOnExecFrom needs Linux 5.11.
func closeOnExecFrom(fd uint) error {
	return unix.CloseRange(fd, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)
}
