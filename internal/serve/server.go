package serve

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/workers"
)

// Once is the code of an answer that says: run the program for this one.
const Once = 255

// Answer is what became of a request.
type Answer struct {
	Code int    // exit code, or [Once]
	Text string // what the program said
}

// Self is the program file that this process runs.
func Self() (Identity, error) {
	// Linux tells this also of a file in a folder that the user cannot enter.
	if id, err := Identify("/proc/self/exe"); err == nil {
		return id, nil
	}
	path, err := os.Executable()
	if err != nil {
		return Identity{}, err
	}
	return Identify(path)
}

// Identity tells one program file from another, and from one that took its place.
type Identity struct {
	device, inode  uint64
	size, modified int64
}

// Identify looks at a program file.
func Identify(path string) (Identity, error) {
	var st unix.Stat_t
	if err := again(func() error { return unix.Stat(path, &st) }); err != nil {
		return Identity{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return Identity{uint64(st.Dev), st.Ino, st.Size, st.Mtim.Nano()}, nil
}

// hello is what a process says that runs the program, with a note unless that is
// empty.
func (id Identity) hello(note string) string {
	hello := "serve 2 " + strconv.FormatUint(id.device, 10) + " " + strconv.FormatUint(id.inode, 10)
	if note != "" {
		hello += " " + note
	}
	return hello
}

// Server answers requests.
type Server struct {
	Self Identity // of the program that this process runs
	Note string   // a word for the hello, if there is something to tell
	Most int      // requests under way at a time; those beyond are answered with [Once]
	// Idle is how long a connection may be without a request, for processes that
	// anybody can connect to; 0: as long as the other end likes.
	Idle time.Duration
	// Do does what a request asks for, in a goroutine of its own. The files are
	// closed when it returns.
	Do func(args []string, files []*os.File) Answer
	// Many does what a request for many pieces of work asks for, in a goroutine of its
	// own; nil if there are none. It calls answer once for each, from 0 to count less
	// one, as it is done, from any goroutine, and returns when it has done so for all.
	Many func(count int, args []string, files []*os.File, answer func(i int, a Answer))
	// Take is in place of Do where a request is one text. It owns it.
	Take func(text []byte, files []*os.File) Answer
	// Ending is closed, unless it is nil, when the other end is asked to leave.
	Ending <-chan struct{}
}

// idleWorkers is how many goroutines of a connection stay while there is nothing to do.
const idleWorkers = 4

// leaving is how long a connection may still bring requests when the other end was
// asked to leave: those that were on their way.
const leaving = time.Second

// Serve answers the requests that come until the other end closes the connection.
// It returns when all are answered.
func (s *Server) Serve(c *Conn) error {
	note := s.Note
	if s.Many != nil {
		note = manyNote
	}
	c.within = s.Idle
	if err := c.Send([]byte(s.Self.hello(note))); err != nil {
		return err
	}
	on := &service{Server: s, conn: c, answers: answers{to: c}, work: workers.New(idleWorkers)}
	defer on.answers.wait()
	defer on.work.End()
	defer s.askToLeave(c)()
	buf := make([]byte, MaxPacket)
	var leaveBy time.Time
	for {
		switch {
		case s.isEnding() && leaveBy.IsZero():
			leaveBy = time.Now().Add(leaving)
			fallthrough
		case !leaveBy.IsZero():
			c.SetReadDeadline(leaveBy)
		case s.Idle > 0:
			c.SetReadDeadline(time.Now().Add(s.Idle))
		}
		n, fds, err := c.Receive(buf)
		incomplete := errors.Is(err, ErrTooLong) || errors.Is(err, unix.EMFILE)
		switch {
		case err == io.EOF, errors.Is(err, os.ErrDeadlineExceeded) && !leaveBy.IsZero():
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded) && on.used.Load() > 0:
			continue
		case err != nil && !incomplete:
			return err
		}
		r, ok := parseRequest(buf[:n])
		if !ok || r.many && s.Many == nil {
			closeAll(fds)
			return errors.New("request of an unknown form")
		}
		if incomplete || !on.take(r.count) {
			closeAll(fds)
			on.refuse(r)
			continue
		}
		// The next packet comes where this one is.
		if s.Take != nil {
			r.text = bytes.Clone(r.text)
			makeClosable(fds)
		} else {
			r.args = splitArgs(r.text)
		}
		on.work.Go(func() { on.do(r, asFiles(fds)) })
	}
}

// service is a connection with what is under way on it.
type service struct {
	*Server
	conn    *Conn
	answers answers
	work    *workers.Pool
	used    atomic.Int64 // pieces of work under way
}

// take takes so many places, if they are there.
func (s *service) take(count int) bool {
	if s.used.Add(int64(count)) <= int64(s.Most) {
		return true
	}
	s.used.Add(-int64(count))
	return false
}

// do does the work and answers.
func (s *service) do(r request, files []*os.File) {
	if r.many {
		s.Many(r.count, r.args, files, func(i int, a Answer) {
			s.used.Add(-1)
			s.answers.add(r.first+uint32(i), a)
		})
		closeFiles(files)
		return
	}
	a := s.answer(r, files)
	closeFiles(files)
	s.used.Add(-1)
	s.conn.answer(r.first, a)
}

func (s *service) answer(r request, files []*os.File) Answer {
	if s.Take != nil {
		return s.Take(r.text, files)
	}
	return s.Do(r.args, files)
}

func (s *Server) isEnding() bool {
	select {
	case <-s.Ending: // never, if it is nil
		return true
	default:
		return false
	}
}

// makeClosable sees to it that whoever reads one of these pipes goes on when it is closed
// here: not everybody who passes pipes is to be trusted to write to them.
func makeClosable(fds []int) {
	for _, fd := range fds {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO {
			unix.SetNonblock(fd, true)
		}
	}
}

// askToLeave asks the other end to leave when it is time. The function that it returns
// ends that.
func (s *Server) askToLeave(c *Conn) func() {
	if s.Ending == nil {
		return func() {}
	}
	over := make(chan struct{})
	go func() {
		select {
		case <-s.Ending:
			_ = c.Send(binary.BigEndian.AppendUint32(nil, manyNumber))
			c.SetReadDeadline(time.Now().Add(leaving))
		case <-over:
		}
	}()
	return func() { close(over) }
}

// refuse answers that the program has to be run.
func (s *service) refuse(r request) {
	if !r.many {
		s.conn.answer(r.first, Answer{Code: Once})
		return
	}
	for i := range r.count {
		s.answers.add(r.first+uint32(i), Answer{Code: Once})
	}
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

func asFiles(fds []int) []*os.File {
	files := make([]*os.File, len(fds))
	for i, fd := range fds {
		files[i] = os.NewFile(uintptr(fd), "descriptor")
	}
	return files
}

// answer sends an answer. If it cannot be sent, nobody must wait for it: the connection
// ends.
func (c *Conn) answer(number uint32, a Answer) {
	p := binary.BigEndian.AppendUint32(nil, number)
	p = append(p, byte(a.Code))
	p = append(p, a.Text[:min(len(a.Text), MaxPacket-len(p))]...)
	if c.Send(p) != nil {
		c.Close()
	}
}
