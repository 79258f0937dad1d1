package main

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/confine"
	"goqmail/internal/qq"
	"goqmail/send"
)

// queueOpen is the descriptor that is open while qmail-queue stays.
const queueOpen = 7

// patience is how long qmail-queue may take to listen.
const patience = 10 * time.Second

// narrow has qmail-send give up what it does not need, once it is sure that a
// qmail-queue stays to take bounces: confined it could not start the set-uid one. If
// that process is lost later, qmail-send ends as it does without a spawner.
func narrow(server *send.Server, queue qq.Queue, dir string, log *os.File) {
	if !isPipe(queueOpen) {
		return
	}
	pause := 10 * time.Millisecond
	for waited := time.Duration(0); !queue.Stays(); waited += pause {
		if queue.Program != "" || waited > patience {
			return
		}
		time.Sleep(pause)
	}
	if confine.Send(dir).Enter(dir, "qmail-send", log) && lost(queueOpen) == nil {
		log.WriteString("alert: oh no! lost qmail-queue connection! dying...\n")
		server.Stop()
	}
}

func isPipe(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO
}

// lost waits until nobody reads a pipe any more.
func lost(fd int) error {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	for {
		if _, err := unix.Poll(fds, -1); err != unix.EINTR {
			return err
		}
	}
}
