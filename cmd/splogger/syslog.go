package main

import (
	"fmt"
	"io"
	"syscall"
	"time"
)

// Facilities of syslog(3), by number.
const (
	mailFacility = 2
	maxFacility  = 23
)

// syslog sends messages to the host's log through its socket, in the form that
// syslog(3) of the C library uses: <PRIORITY>Jan _2 15:04:05 TAG: TEXT.
type syslog struct {
	path     string // of the socket
	tag      string
	facility int
	instead  io.Writer // takes what the host's log does not
	now      func() time.Time

	fd   int // of the connection
	open bool
}

// send waits as long as the host's log is busy. If there is none the text goes
// to the other writer; the next one tries again.
func (s *syslog) send(priority int, text string) {
	message := fmt.Sprintf("<%d>%s %s: %s", s.facility<<3|priority, s.now().Format(time.Stamp), s.tag, text)
	for try := 0; try < 2; try++ { // the second time in case the log was restarted
		if s.connect() && s.write(message) {
			return
		}
		s.close()
	}
	io.WriteString(s.instead, s.tag+": "+text+"\n")
}

func (s *syslog) connect() bool {
	if s.open {
		return true
	}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	s.fd, s.open = fd, true
	return syscall.Connect(fd, &syscall.SockaddrUnix{Name: s.path}) == nil
}

func (s *syslog) write(message string) bool {
	for {
		_, err := syscall.Write(s.fd, []byte(message))
		if err != syscall.EINTR {
			return err == nil
		}
	}
}

func (s *syslog) close() {
	if s.open {
		syscall.Close(s.fd)
		s.open = false
	}
}
