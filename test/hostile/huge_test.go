package hostile

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// lineSize is how many bytes the huge line has, $HOSTILE_LINE_MB megabytes if that is
// set.
func lineSize(t *testing.T) int64 {
	mb := int64(256)
	if text := os.Getenv("HOSTILE_LINE_MB"); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		must(t, err)
		mb = n
	}
	return mb << 20
}

const hugeHead = "Subject: a line\n\n"

// hugeMessage is a message of one line, of which nobody has all.
func hugeMessage(size int64) io.Reader {
	return io.MultiReader(strings.NewReader(hugeHead), io.LimitReader(&endless{}, size), strings.NewReader("\n"))
}

// endless is a line that goes on and on.
type endless struct{ at int }

var stretch = bytes.Repeat([]byte("All work and no play makes one a dull line. "), 1<<10)

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, stretch[e.at:])
	e.at = (e.at + n) % len(stretch)
	return n, nil
}

// line is a long line that has arrived.
type line struct {
	size int64
	sum  string
}

// longLines reads to the end, or with dot to a line of one dot, and returns the lines
// of more than 1 MB, which end in LF or CRLF.
func longLines(in *bufio.Reader, dot bool) (all []line, err error) {
	size, sum, start := int64(0), sha256.New(), true
	for {
		piece, err := in.ReadSlice('\n')
		if dot && start && string(piece) == ".\r\n" {
			return all, nil
		}
		text, ends := bytes.CutSuffix(piece, []byte("\n"))
		if ends {
			text = bytes.TrimSuffix(text, []byte("\r"))
		}
		sum.Write(text)
		size += int64(len(text))
		if start = ends || err == io.EOF; start {
			if size > 1<<20 {
				all = append(all, line{size, hexOf(sum)})
			}
			size = 0
			sum.Reset()
		}
		switch {
		case err == io.EOF && !dot:
			return all, nil
		case err != nil && err != bufio.ErrBufferFull:
			return all, err
		}
	}
}

func hexOf(h hash.Hash) string { return fmt.Sprintf("%x", h.Sum(nil)) }

// lineSink plays the rest of the world, and keeps of each mail nothing but its long
// lines, by recipient.
type lineSink struct {
	mu   sync.Mutex
	came map[string][]line
}

func (s *system) lineSink() *lineSink {
	s.t.Helper()
	k := &lineSink{came: map[string][]line{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(s.t, err)
	s.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go k.serve(conn)
		}
	}()
	must(s.t, s.home.Relay(listener.Addr().String()))
	return k
}

func (k *lineSink) serve(conn net.Conn) {
	defer conn.Close()
	c := textproto.NewConn(conn)
	c.PrintfLine("220 sink.test")
	var to string
	for {
		command, err := c.ReadLine()
		if err != nil {
			return
		}
		switch verb, argument, _ := strings.Cut(command, " "); verb {
		case "RCPT":
			to = strings.TrimSuffix(strings.TrimPrefix(argument, "TO:<"), ">")
			c.PrintfLine("250 ok")
		case "DATA":
			c.PrintfLine("354 go on")
			long, err := longLines(c.R, true)
			if err != nil {
				return
			}
			k.mu.Lock()
			k.came[to] = append(k.came[to], long...)
			k.mu.Unlock()
			c.PrintfLine("250 ok")
		default:
			c.PrintfLine("250 ok")
		}
	}
}

// TestHugeLine has a message of one line that is larger than all memory that a process
// of the system gets go through every way in and every way out.
func TestHugeLine(t *testing.T) {
	if testing.Short() {
		t.Skip("writes gigabytes")
	}
	s := newSystem(t)
	size := lineSize(t)
	for name, text := range map[string]string{
		"dir": "./Maildir/\n", "box": "./box\n", "program": "|cat >program\n", "forward": "&friend-forward@elsewhere.test\n",
	} {
		s.write("joe/.qmail-"+name, text)
	}
	sink := s.lineSink()
	s.begin()
	to := []string{"joe-dir@here.test", "joe-box@here.test", "joe-program@here.test", "joe-forward@here.test", "joe-nobody@here.test", "friend@elsewhere.test"}
	queued := 0
	for i, w := range ways(s.listen("qmail-smtpd"), s.listen("qmail-qmtpd")) {
		before := time.Now()
		ok, err := w.send(s, hugeMessage(size), size+int64(len(hugeHead))+1, "back@elsewhere.test", to[i:i+1])
		if err != nil || !ok {
			t.Fatalf("%s to %s: accepted %v, %v", w.name, to[i], ok, err)
		}
		queued++
		if strings.HasPrefix(to[i], "joe-forward") || strings.HasPrefix(to[i], "joe-nobody") {
			queued++ // what is forwarded, or the notice
		}
		s.log.Wait(t, "\nend msg ", queued)
		t.Logf("%s to %s: %.1f s", w.name, to[i], time.Since(before).Seconds())
	}
	t.Logf("a line of %d MB; the largest processes, in MB: %v", size>>20, s.peaks())
	if log := s.end(); strings.Contains(log, "deferral") || strings.Contains(log, "crashed") {
		t.Errorf("not everything went well:\n%.4000s", log)
	}
	s.checkLines(sink, size)
}

// checkLines looks at what has arrived.
func (s *system) checkLines(sink *lineSink, size int64) {
	s.t.Helper()
	sum := sha256.New()
	io.Copy(sum, io.LimitReader(&endless{}, size))
	want := []line{{size, hexOf(sum)}}
	maildir, err := filepath.Glob(s.path("joe/Maildir/new/*"))
	must(s.t, err)
	got := sink.came
	for _, name := range append(maildir, s.path("joe/box"), s.path("joe/program")) {
		file, err := os.Open(name)
		must(s.t, err)
		got[name], err = longLines(bufio.NewReaderSize(file, 64<<10), false)
		must(s.t, err)
		file.Close()
	}
	if len(got) != 6 {
		s.t.Errorf("mail has come to %d places, want 6", len(got))
	}
	for place, lines := range got {
		if len(lines) != 1 || lines[0] != want[0] {
			s.t.Errorf("to %s came %v, want %v", place, lines, want)
		}
	}
}
