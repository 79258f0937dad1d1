package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/durable"
	"goqmail/queue"
)

// owner is who has a file.
type owner struct{ uid, gid int }

// planter puts preprocessed messages to one remote recipient each into a queue,
// unsynced. Their numbers are their inodes, as in life.
type planter struct {
	folder     string
	mess, send owner // of the message, and of what is qmail-send's
	due        time.Time
}

func (p planter) plant(count int) error {
	q, err := queue.Open(durable.NewDir(p.folder))
	if err != nil {
		return err
	}
	message := strings.ReplaceAll(text, "\r\n", "\n")
	var next atomic.Int64
	errs := make(chan error)
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		go func() {
			var err error
			for i := int(next.Add(1)); i <= count && err == nil; i = int(next.Add(1)) {
				err = p.one(q, fmt.Sprintf("pid/planted.%d", w), message, i)
			}
			errs <- err
		}()
	}
	for range workers {
		err = errors.Join(err, <-errs)
	}
	return err
}

func (p planter) one(q *queue.Queue, pid, message string, i int) error {
	n, err := p.write(pid, message, 0o644, p.mess)
	if err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(p.folder, pid), filepath.Join(p.folder, q.Name(queue.Mess, n))); err != nil {
		return err
	}
	if _, err := p.write(q.Name(queue.Info, n), "Fann@here.test\x00", 0o600, p.send); err != nil {
		return err
	}
	name := q.Name(queue.Remote, n)
	if _, err := p.write(name, "Tjoe@"+strconv.Itoa(i%200)+".elsewhere.test\x00", 0o600, p.send); err != nil {
		return err
	}
	return os.Chtimes(filepath.Join(p.folder, name), p.due, p.due)
}

// write makes a file with few system calls, and returns its inode number.
func (p planter) write(name, text string, mode uint32, o owner) (n queue.Number, err error) {
	name = filepath.Join(p.folder, name)
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, mode)
	if err != nil {
		return 0, &os.PathError{Op: "create", Path: name, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if _, err = unix.Write(fd, []byte(text)); err == nil {
		err = errors.Join(unix.Fchown(fd, o.uid, o.gid), unix.Fstat(fd, &st))
	}
	if err != nil {
		return 0, &os.PathError{Op: "fill", Path: name, Err: err}
	}
	return queue.Number(st.Ino), nil
}

// setDue sets when all that is in the queue is due.
func (p planter) setDue(due time.Time) error {
	q, err := queue.Open(durable.NewDir(p.folder))
	if err != nil {
		return err
	}
	return q.Numbers(queue.Remote, func(n queue.Number) bool {
		return q.FS.Chtimes(q.Name(queue.Remote, n), due, due) == nil
	})
}
