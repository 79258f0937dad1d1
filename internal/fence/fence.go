// Package fence keeps qmail-clean and the spawners of a qmail-send that is gone from
// touching messages once another qmail-send has the queue.
//
// When qmail-send is killed, what it has asked for may still be in its pipes, and those
// at the other end do it, as late as they get to it. By then the next qmail-send may
// have ended a message, and its number may be another message's: that one would be
// removed, or go to the recipients of the first.
//
// So whoever works for a qmail-send does it inside of the fence, [Fence.Do], and a
// qmail-send that takes the queue moves the fence on, [Move]: it waits for those who are
// inside, and nobody who worked for an earlier one gets in any more. Being inside is a
// shared lock on the folder queue/lock, flock(2). Where the fence stands is told by the
// time of queue/lock/sendmutex, which nobody else uses. A qmail-send of another qmail
// moves no fence, and then nobody is kept out.
package fence

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	lockFolder = "lock"
	standFile  = "lock/sendmutex"
)

// Fence is that of one process. A nil Fence keeps nobody out.
type Fence struct {
	lock     *os.File
	stand    string // file whose time tells where the fence stands
	commands int    // descriptor that qmail-send has the other end of

	mu     sync.Mutex
	inside int
	known  time.Time // where it stood when qmail-send was seen to be there, or at first
}

// New returns the fence of a queue for a process that gets its commands from a
// descriptor. It is nil if the queue has none.
func New(queue string, commands int) *Fence {
	f := &Fence{stand: filepath.Join(queue, standFile), commands: commands}
	var err error
	if f.lock, err = os.Open(filepath.Join(queue, lockFolder)); err != nil {
		return nil
	}
	if f.known, err = timeOf(f.stand); err != nil {
		f.lock.Close()
		return nil
	}
	return f
}

// Do does something inside of the fence, or nothing if that is kept out. It may be called
// by many goroutines at a time.
func (f *Fence) Do(what func()) bool {
	if f == nil {
		what()
		return true
	}
	f.enter()
	defer f.leave()
	if !f.mayStay() {
		return false
	}
	what()
	return true
}

func (f *Fence) enter() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.inside == 0 {
		// Without locks nobody waits for us, which is what all others do without.
		_ = flock(f.lock, unix.LOCK_SH)
	}
	f.inside++
}

func (f *Fence) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.inside--; f.inside == 0 {
		_ = flock(f.lock, unix.LOCK_UN)
	}
}

// mayStay reports whether what was asked for is still wanted: whoever asked for it is
// there, and with it the queue's lock; or is gone, and nobody has come in its place.
func (f *Fence) mayStay() bool {
	gone := isGone(f.commands)
	stands, err := timeOf(f.stand)
	f.mu.Lock()
	defer f.mu.Unlock()
	if gone || err != nil {
		return err == nil && stands.Equal(f.known)
	}
	f.known = stands
	return true
}

// isGone reports whether nobody has the other end of a pipe.
func isGone(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	for {
		_, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return err == nil && fds[0].Revents&unix.POLLHUP != 0
		}
	}
}

// Move moves the fence of a queue, whose lock the caller has, and waits for those inside.
// If they take longer than patience it calls late once, and goes on waiting.
func Move(queue string, patience time.Duration, late func()) error {
	lock, err := os.Open(filepath.Join(queue, lockFolder))
	if err != nil {
		return err
	}
	defer lock.Close()
	timer := time.AfterFunc(patience, late)
	err = flock(lock, unix.LOCK_EX)
	timer.Stop()
	return errors.Join(err, advance(filepath.Join(queue, standFile)))
}

// advance gives a file a later time, of whole seconds, which every file system keeps.
func advance(name string) error {
	stood, err := timeOf(name)
	if err != nil {
		return err
	}
	now := time.Now()
	if next := stood.Add(time.Second); next.After(now) {
		now = next
	}
	now = time.Unix(now.Unix(), 0)
	if !now.After(stood) {
		now = now.Add(time.Second)
	}
	return os.Chtimes(name, now, now)
}

func timeOf(name string) (time.Time, error) {
	st, err := os.Stat(name)
	if err != nil {
		return time.Time{}, err
	}
	return st.ModTime(), nil
}

func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); err != unix.EINTR {
			return os.NewSyscallError("flock", err)
		}
	}
}
