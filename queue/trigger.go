package queue

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Files below lock in the folder of the queue.
const (
	triggerFile = "lock/trigger"
	mutexFile   = "lock/sendmutex"
)

// PullTrigger tells qmail-send that there is something in todo. Whether it
// listens does not matter: it looks at todo now and then anyway.
func PullTrigger(folder string) {
	fd, err := unix.Open(filepath.Join(folder, triggerFile), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	unix.Write(fd, []byte{0})
	unix.Close(fd)
}

// Trigger is qmail-send's end of lock/trigger, a FIFO.
type Trigger struct {
	fifo *os.File
	keep *os.File // an end for writing, so that reading never finds the end of file
}

// OpenTrigger opens the FIFO.
func OpenTrigger(folder string) (*Trigger, error) {
	name := filepath.Join(folder, triggerFile)
	fifo, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	keep, err := os.OpenFile(name, os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		fifo.Close()
		return nil, err
	}
	return &Trigger{fifo, keep}, nil
}

// Wait returns nil when the trigger was pulled since the last call.
func (t *Trigger) Wait() error {
	var pulls [1024]byte
	n, err := t.fifo.Read(pulls[:])
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Close makes Wait return an error.
func (t *Trigger) Close() error { return errors.Join(t.fifo.Close(), t.keep.Close()) }

// ErrLocked means that another qmail-send has the queue.
var ErrLocked = errors.New("queue is locked")

// Lock takes the lock that keeps a second qmail-send from the queue. It lasts
// until the file that it returns is closed or the process ends.
func Lock(folder string) (io.Closer, error) {
	return lock(filepath.Join(folder, mutexFile), os.O_WRONLY, unix.LOCK_EX|unix.LOCK_NB)
}

// LockServer waits for the lock that keeps a second qmail-queue from staying. It is one
// on the folder pid.
func LockServer(folder string) (io.Closer, error) {
	return lock(filepath.Join(folder, "pid"), os.O_RDONLY, unix.LOCK_EX)
}

func lock(path string, flag, how int) (io.Closer, error) {
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return nil, err
	}
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Flock(int(f.Fd()), how)
	}
	if err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, err
	}
	return f, nil
}
