package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// arrivals tells of files that appear in folders, without looking into these.
type arrivals struct {
	file    *os.File
	arrived chan int
}

func watch(folders []string) (*arrivals, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init", err)
	}
	a := &arrivals{os.NewFile(uintptr(fd), "inotify"), make(chan int, 1<<16)}
	for _, folder := range folders {
		if _, err := unix.InotifyAddWatch(fd, folder, unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
			return nil, &os.PathError{Op: "watch", Path: folder, Err: err}
		}
	}
	go a.run()
	return a, nil
}

func (a *arrivals) run() {
	buf := make([]byte, 1<<20)
	for {
		n, err := a.file.Read(buf)
		if err != nil {
			return
		}
		a.arrived <- countEvents(buf[:n])
	}
}

// countEvents counts the events in what was read from inotify(7). The name's length
// is at the end of each event's head of 16 bytes, before the name.
func countEvents(buf []byte) (events int) {
	for len(buf) >= unix.SizeofInotifyEvent {
		size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(buf[12:]))
		if size > len(buf) {
			break
		}
		events, buf = events+1, buf[size:]
	}
	return events
}

// await adds up what a channel tells of until it is enough.
func await(arrived <-chan int, want int, limit time.Duration) error {
	timeout := time.After(limit)
	for got := 0; got < want; {
		select {
		case n := <-arrived:
			got += n
		case <-timeout:
			return fmt.Errorf("%d of %d have come after %v", got, want, limit)
		}
	}
	return nil
}
