package serve

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
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
	hello := "serve 1 " + strconv.FormatUint(id.device, 10) + " " + strconv.FormatUint(id.inode, 10)
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
}

// Serve answers the requests that come until the other end closes the connection.
// It returns when all are answered.
func (s *Server) Serve(c *Conn) error {
	if err := c.Send([]byte(s.Self.hello(s.Note))); err != nil {
		return err
	}
	var work sync.WaitGroup
	defer work.Wait()
	places := make(chan struct{}, s.Most)
	buf := make([]byte, MaxPacket)
	for {
		if s.Idle > 0 {
			c.SetReadDeadline(time.Now().Add(s.Idle))
		}
		n, fds, err := c.Receive(buf)
		incomplete := errors.Is(err, ErrTooLong) || errors.Is(err, unix.EMFILE)
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded) && len(places) > 0:
			continue
		case err != nil && !incomplete:
			return err
		}
		number, args, ok := parseRequest(buf[:n])
		if !ok {
			closeAll(fds)
			return errors.New("request of an unknown form")
		}
		if incomplete || !take(places) {
			closeAll(fds)
			c.answer(number, Answer{Code: Once})
			continue
		}
		work.Go(func() {
			files := asFiles(fds)
			a := s.Do(args, files)
			for _, f := range files {
				f.Close()
			}
			<-places
			c.answer(number, a)
		})
	}
}

func asFiles(fds []int) []*os.File {
	files := make([]*os.File, len(fds))
	for i, fd := range fds {
		files[i] = os.NewFile(uintptr(fd), "descriptor")
	}
	return files
}

func take(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
		return false
	}
}

// answer sends an answer. If nobody is there to take it, the requests end too.
func (c *Conn) answer(number uint32, a Answer) {
	p := binary.BigEndian.AppendUint32(nil, number)
	p = append(p, byte(a.Code))
	p = append(p, a.Text[:min(len(a.Text), MaxPacket-len(p))]...)
	_ = c.Send(p)
}

func parseRequest(p []byte) (number uint32, args []string, ok bool) {
	if len(p) < 4 {
		return 0, nil, false
	}
	number = binary.BigEndian.Uint32(p)
	text := string(p[4:])
	for text != "" {
		arg, rest, found := strings.Cut(text, "\x00")
		if !found {
			break
		}
		args, text = append(args, arg), rest
	}
	return number, args, true
}

func appendRequest(p []byte, number uint32, args []string) []byte {
	p = binary.BigEndian.AppendUint32(p, number)
	for _, arg := range args {
		p = append(append(p, arg...), 0)
	}
	return p
}
