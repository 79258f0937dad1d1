package queue

import (
	"errors"

	"golang.org/x/sys/unix"
)

// ErrFull means that new mail has to wait: what space is left is kept for bounces
// and for what qmail-send writes about the messages that are in the queue.
var ErrFull = errors.New("queue: no space for new messages")

// Reserve is what has to be free for new mail: a fiftieth of the file system, and
// no more than 16 MB.
const (
	reservePart = 50
	reserveMost = 16 << 20
)

// CheckSpace returns [ErrFull] if new mail has to wait. A file system that cannot
// tell how full it is never refuses.
func CheckSpace(folder string) error {
	var st unix.Statfs_t
	if unix.Statfs(folder, &st) != nil {
		return nil
	}
	size := uint64(st.Bsize)
	if st.Blocks > 0 && uint64(st.Bavail)*size < min(st.Blocks*size/reservePart, reserveMost) {
		return ErrFull
	}
	if all, free := uint64(st.Files), uint64(st.Ffree); all > 0 && free < min(all/reservePart, 100) { // signed on FreeBSD
		return ErrFull
	}
	return nil
}
