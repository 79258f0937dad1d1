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
// time of queue/lock/sendmutex, which nobody else uses.
//
// qmail-start chooses where the fence is to stand, [Next], and tells all that it starts
// by [Variable]. Without that, as for a script that uses qmail-clean, or a qmail-send of
// another qmail, they go by where the fence stood when they began, or was last seen while
// somebody was there to ask.
package fence

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Variable is the environment variable that tells where the fence stands for those who
// were started together: a time in whole seconds since 1970.
const Variable = "QMAILFENCE"

const (
	lockFolder = "lock"
	standFile  = "lock/sendmutex"
)

// ErrTaken means that the fence stands there already, or further on: another system was
// started at the same time.
var ErrTaken = errors.New("another qmail-send has moved the fence")

// Next is where the fence of a queue may stand next, for [Variable]. It is as late as may
// be, so that others who have the queue before, for a moment, leave it free.
func Next(queue string) (string, error) {
	stands, err := timeOf(filepath.Join(queue, standFile))
	if err != nil {
		return "", err
	}
	next := time.Now()
	if !next.After(after(stands)) {
		next = after(stands)
	}
	return strconv.FormatInt(next.Unix(), 10), nil
}

// after is the next time after another one, in whole seconds, which nearly every file
// system keeps.
func after(stood time.Time) time.Time { return time.Unix(stood.Unix()+1, 0) }

// Move moves the fence of a queue, whose lock the caller has, to where [Variable] says, or
// further on if it says nothing, and waits for those inside. If they take longer than
// patience it calls late once, and goes on waiting.
func Move(queue, to string, patience time.Duration, late func()) error {
	lock, err := os.Open(filepath.Join(queue, lockFolder))
	if err != nil {
		return err
	}
	defer lock.Close()
	timer := time.AfterFunc(patience, late)
	err = flock(lock, unix.LOCK_EX)
	timer.Stop()
	return errors.Join(err, move(filepath.Join(queue, standFile), to))
}

func move(file, to string) error {
	stood, err := timeOf(file)
	if err != nil {
		return err
	}
	next := after(stood)
	if own, ok := parse(to); ok {
		if next = own; !next.After(stood) {
			return ErrTaken
		}
	}
	if err := os.Chtimes(file, next, next); err != nil {
		return err
	}
	stands, err := timeOf(file)
	if err == nil && !stands.Equal(next) {
		err = fmt.Errorf("the time of %s cannot be %d", file, next.Unix())
	}
	return err
}

func parse(text string) (time.Time, bool) {
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0), err == nil
}

// Fence is that of one process. A nil Fence keeps nobody out.
type Fence struct {
	lock     *os.File
	stand    string // file whose time tells where the fence stands
	commands int    // descriptor that qmail-send has the other end of
	// patience is how long to see whether whoever asks is gone. It is none at first without
	// Variable: then it is by asking that qmail-send tells of itself.
	patience time.Duration

	mu     sync.Mutex
	inside int
	own    time.Time // where it stands for us
}

// New returns the fence of a queue for a process that gets its commands from a
// descriptor; own is the value of [Variable]. It is nil if the queue has none, and after
// an error.
func New(queue string, commands int, own string) (*Fence, error) {
	f := &Fence{stand: filepath.Join(queue, standFile), commands: commands}
	var told bool
	var err error
	if f.own, told = parse(own); told {
		f.patience = dying
	} else if f.own, err = timeOf(f.stand); err != nil {
		return nil, ifThere(err)
	}
	if f.lock, err = os.Open(filepath.Join(queue, lockFolder)); err != nil {
		return nil, ifThere(err)
	}
	return f, nil
}

// Of is New for a program of the system, whose commands come on descriptor 0. It warns if
// the program has to go without.
func Of(program, queue, own string, warnings io.Writer) *Fence {
	f, err := New(queue, 0, own)
	if err != nil {
		io.WriteString(warnings, program+": warning: working without the fence: "+err.Error()+"\n")
	}
	return f
}

func ifThere(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
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

// dying is how long a process that was killed may have given back the queue's lock and
// not yet its ends of the pipes.
const dying = 5 * time.Second

// mayStay reports whether what was asked for is still wanted: nobody has moved the fence
// since, or only whoever asks. Without the file nobody can have moved it.
func (f *Fence) mayStay() bool {
	stands, err := timeOf(f.stand)
	if err != nil {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if stands.Equal(f.own) {
		return true
	}
	if isGone(f.commands, f.patience) {
		return false
	}
	f.own, f.patience = stands, dying // it moves the fence once
	return true
}

// isGone reports whether nobody has the other end of a pipe, or lets go of it in time.
func isGone(fd int, patience time.Duration) bool {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	for {
		_, err := unix.Poll(fds, int(patience/time.Millisecond))
		if err != unix.EINTR {
			return err == nil && fds[0].Revents&unix.POLLHUP != 0
		}
	}
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
