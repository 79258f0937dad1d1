package users

import (
	"os"
	"syscall"
)

// Lock waits until nobody else holds the folder called path locked, so that two
// programs do not make the same file in it at a time. It locks on its best: a
// folder that cannot be locked (on some network file systems) is left alone.
func Lock(path string) (unlock func()) {
	folder, err := os.Open(path)
	if err != nil {
		return func() {}
	}
	for syscall.Flock(int(folder.Fd()), syscall.LOCK_EX) == syscall.EINTR {
	}
	return func() { folder.Close() }
}
