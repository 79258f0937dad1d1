package serve

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func self(t testing.TB) Identity {
	t.Helper()
	id, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// start has a server answer on one end of a connection, and returns the other.
func start(t *testing.T, s Server) (client *Client, ended <-chan error) {
	t.Helper()
	conn, end, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	s.Self = self(t)
	done := make(chan error, 1)
	fd, err := unix.Dup(int(end.Fd()))
	end.Close()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c, err := NewConn(fd)
		if err == nil {
			err = s.Serve(c)
			c.Close()
		}
		done <- err
	}()
	client, err = NewClient(conn, self(t), time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client, done
}

// file is an open file with that text.
func file(t *testing.T, text string) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestExample is the example of the package's documentation.
func TestExample(t *testing.T) {
	args := []string{"kim", "/home/kim", "kim-list", "-", "list", "test.example", "", "./Maildir/"}
	p := appendRequest(nil, 7, args)
	want := "\x00\x00\x00\x07kim\x00/home/kim\x00kim-list\x00-\x00list\x00test.example\x00\x00./Maildir/\x00"
	if string(p) != want {
		t.Errorf("the request is %q, want %q", p, want)
	}
	if r, ok := parseRequest(p); !ok || r.many || r.first != 7 || !slices.Equal(splitArgs(r.text), args) {
		t.Errorf("it is read as %v, %v", r, ok)
	}
}

// TestServe asks for many things at once; each gets its own answer, and its own file.
func TestServe(t *testing.T) {
	client, ended := start(t, Server{Note: "4711", Most: 100, Do: func(args []string, files []*os.File) Answer {
		text, err := io.ReadAll(files[0])
		if err != nil {
			return Answer{Code: 1, Text: err.Error()}
		}
		return Answer{Code: len(args), Text: args[0] + string(text)}
	}})
	if client.Note != "4711" {
		t.Errorf("the note is %q", client.Note)
	}
	var all sync.WaitGroup
	for i := range 50 {
		word := strings.Repeat("x", i)
		f := file(t, " in "+word)
		all.Go(func() {
			a, err := client.Do([]string{word, ""}, f)
			if want := (Answer{2, word + " in " + word}); a != want || err != nil {
				t.Errorf("got %v, %v, want %v", a, err, want)
			}
		})
	}
	all.Wait()
	client.Close()
	if err := <-ended; err != nil {
		t.Errorf("Serve ends with %v", err)
	}
	if _, err := client.Do([]string{"late"}, file(t, "")); !errors.Is(err, ErrNotSent) {
		t.Errorf("after the end: %v", err)
	}
}

// TestLimits has requests that the process does not take.
func TestLimits(t *testing.T) {
	busy, free := make(chan bool), make(chan bool)
	client, _ := start(t, Server{Most: 1, Do: func([]string, []*os.File) Answer {
		busy <- true
		<-free
		return Answer{}
	}})
	wait, err := client.Begin([]string{"first"})
	if err != nil {
		t.Fatal(err)
	}
	<-busy
	if a, err := client.Do([]string{"second"}); a.Code != Once || err != nil {
		t.Errorf("beyond the limit: %v, %v", a, err)
	}
	if _, err := client.Do([]string{strings.Repeat("x", MaxPacket)}); !errors.Is(err, ErrNotSent) || !errors.Is(err, ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
	close(free)
	if a, err := wait(); a.Code != 0 || err != nil {
		t.Errorf("the first: %v, %v", a, err)
	}
}

// TestGone has a process that ends before it answers.
func TestGone(t *testing.T) {
	conn, end, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	unix.Sendto(int(end.Fd()), []byte(self(t).hello("")), 0, nil)
	client, err := NewClient(conn, self(t), time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	wait, err := client.Begin([]string{"do"})
	if err != nil {
		t.Fatal(err)
	}
	end.Close()
	if _, err := wait(); !errors.Is(err, ErrGone) {
		t.Errorf("got %v", err)
	}
	<-client.Gone()
}

// TestHello has others than the program answer.
func TestHello(t *testing.T) {
	other := self(t)
	other.inode++
	for name, hello := range map[string]string{
		"another program": other.hello(""),
		"no hello":        "220 here I am",
		"longer number":   self(t).hello("") + "0",
	} {
		conn, end, err := Pair()
		if err != nil {
			t.Fatal(err)
		}
		unix.Sendto(int(end.Fd()), []byte(hello), 0, nil)
		end.Close()
		if _, err := NewClient(conn, self(t), time.Now().Add(time.Minute)); err == nil {
			t.Errorf("%s: taken for the program", name)
		}
		conn.Close()
	}
}

// TestListen connects over a name.
func TestListen(t *testing.T) {
	t.Run("Dial", func(t *testing.T) { testListen(t, Dial) })
	t.Run("DialOnce", func(t *testing.T) { testListen(t, DialOnce) })
}

func testListen(t *testing.T, dial func(path string) (*Conn, error)) {
	path := filepath.Join(t.TempDir(), "socket")
	if _, err := dial(path); !errors.Is(err, unix.ENOENT) {
		t.Errorf("without a socket: %v", err)
	}
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	s := Server{Self: self(t), Most: 1, Idle: time.Minute, Do: func(args []string, _ []*os.File) Answer {
		return Answer{Text: args[0]}
	}}
	done := make(chan error, 1)
	go func() {
		c, uid, err := l.Accept()
		if err == nil && uid != os.Getuid() {
			err = errors.New("another user")
		}
		if err == nil {
			err = s.Serve(c)
			c.Close()
		}
		done <- err
	}()
	conn, err := dial(path)
	if err != nil {
		t.Fatal(err)
	}
	client, err := NewClient(conn, self(t), time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if a, err := client.Do([]string{"hi"}); a.Text != "hi" || err != nil {
		t.Errorf("got %v, %v", a, err)
	}
	client.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	accepting := make(chan error)
	keep := make(chan *Conn, 1)
	go func() {
		c, _, err := l.Accept()
		keep <- c
		accepting <- err
	}()
	silent, err := dial(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-accepting; err != nil {
		t.Fatal(err)
	}
	if _, err := NewClient(silent, self(t), time.Now().Add(time.Millisecond)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one that says nothing: %v", err)
	}
	silent.Close()
	(<-keep).Close()
	go func() {
		_, _, err := l.Accept()
		accepting <- err
	}()
	l.Close()
	if err := <-accepting; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	if _, err := dial(path); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("after Close: %v", err)
	}
}

// TestOnceGone has a process that ends before it answers. Only if it has not looked at the
// request it is sure that nothing was done.
func TestOnceGone(t *testing.T) {
	for _, tt := range []struct {
		name  string
		looks bool
		want  error
	}{
		{"it has the request", true, ErrGone},
		{"it has not", false, ErrNotSent},
	} {
		path := filepath.Join(t.TempDir(), "socket")
		l, err := Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := DialOnce(path)
		if err != nil {
			t.Fatal(err)
		}
		end, _, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		end.Send([]byte(self(t).hello("")))
		client, err := NewClient(conn, self(t), time.Now().Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		wait, err := client.Begin([]string{"hi"})
		if err != nil {
			t.Fatal(err)
		}
		if tt.looks {
			end.Receive(make([]byte, MaxPacket))
		}
		end.Close()
		if _, err := wait(); err != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
		l.Close()
	}
}

// TestIdle has a connection that brings nothing.
func TestIdle(t *testing.T) {
	_, ended := start(t, Server{Most: 1, Idle: time.Millisecond})
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Serve ends with %v", err)
	}
}

func TestNewConn(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := NewConn(int(r.Fd())); err == nil {
		t.Error("a pipe is taken for a socket")
	}
}

func FuzzRequest(f *testing.F) {
	f.Add(appendRequest(nil, 7, []string{"a", "", "b"}))
	f.Add(appendMany(nil, 7, 2, []string{"a", "", "b", "c"}))
	f.Add([]byte("\x00\x00\x00\x01no end"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00none"))
	f.Fuzz(func(t *testing.T, p []byte) {
		r, ok := parseRequest(p)
		if !ok {
			return
		}
		head, again := 4, appendRequest(nil, r.first, splitArgs(r.text))
		if r.many {
			head, again = 12, appendMany(nil, r.first, r.count, splitArgs(r.text))
		}
		if whole := p[:bytes.LastIndexByte(p[head:], 0)+1+head]; !bytes.Equal(again, whole) {
			t.Errorf("%q is read as %q", p, again)
		}
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add(appendAnswer(appendAnswer(nil, 7, Answer{0, "one"}), 1<<31, Answer{Code: Once}))
	f.Add([]byte("\x00\x00\x00\x01\x00\xff\xff\xff\xffshort"))
	f.Fuzz(func(t *testing.T, p []byte) {
		number, a, rest, ok := cutAnswer(p)
		if ok && len(a.Text) <= MaxPacket-answerHead-4 && !bytes.Equal(append(appendAnswer(nil, number, a), rest...), p) {
			t.Errorf("%q is read as %d, %v, %q", p, number, a, rest)
		}
	})
}

// many asks for many pieces of work and returns what becomes of each.
func many(t *testing.T, client *Client, args []string, files ...*os.File) []string {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	all.Add(len(args))
	got := make([]string, len(args))
	err := client.Many(len(args), args, func(i int, a Answer, err error) {
		mu.Lock()
		defer mu.Unlock()
		got[i] += fmt.Sprint(a.Code, a.Text, err)
		all.Done()
	}, files...)
	if err != nil {
		t.Fatal(err)
	}
	all.Wait()
	return got
}

// TestMany asks for many things in one request; each gets its own answer.
func TestMany(t *testing.T) {
	client, ended := start(t, Server{Most: 5000, Do: func([]string, []*os.File) Answer { return Answer{Text: "one"} },
		Many: func(count int, args []string, files []*os.File, answer func(int, Answer)) {
			text, _ := io.ReadAll(files[0])
			for i := range count {
				answer(count-1-i, Answer{Code: i % 200, Text: args[count-1-i] + string(text)})
			}
		}})
	if !client.TakesMany() {
		t.Fatal("the process does not take many")
	}
	for _, count := range []int{1, 3000, 2} {
		args := make([]string, count)
		for i := range args {
			args[i] = strings.Repeat("x", i%10)
		}
		for i, got := range many(t, client, args, file(t, " text")) {
			if want := fmt.Sprint((count-1-i)%200, args[i]+" text", nil); got != want {
				t.Fatalf("%d of %d: got %q, want %q", i, count, got, want)
			}
		}
	}
	if a, err := client.Do(nil); a.Text != "one" || err != nil {
		t.Errorf("between them: %v, %v", a, err)
	}
	for _, got := range many(t, client, make([]string, 5001), file(t, "")) {
		if want := fmt.Sprint(Once, "", nil); got != want {
			t.Fatalf("beyond the limit: got %q, want %q", got, want)
		}
	}
	client.Close()
	if err := <-ended; err != nil {
		t.Errorf("Serve ends with %v", err)
	}
}

// TestManyGone has a process that ends when it has answered one.
func TestManyGone(t *testing.T) {
	conn, end, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	unix.Sendto(int(end.Fd()), []byte(self(t).hello(manyNote)), 0, nil)
	client, err := NewClient(conn, self(t), time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan string, 3)
	err = client.Many(3, make([]string, 3), func(i int, a Answer, err error) { answers <- fmt.Sprint(i, a.Text, err) })
	if err != nil {
		t.Fatal(err)
	}
	unix.Sendto(int(end.Fd()), appendAnswer([]byte{0, 0, 0, 0}, 2, Answer{Text: "done"}), 0, nil)
	end.Close()
	<-client.Gone()
	got := []string{<-answers, <-answers, <-answers}
	slices.Sort(got)
	if want := []string{"0process is gone", "1done<nil>", "2process is gone"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestManyGoneMeanwhile has the process end while a request for many waits to be sent:
// there is one answer for each, or an error.
func TestManyGoneMeanwhile(t *testing.T) {
	for _, told := range []bool{true, false} {
		conn, end, err := Pair()
		if err != nil {
			t.Fatal(err)
		}
		defer end.Close()
		c := &Client{conn: conn, waiting: map[uint32]waiter{}, gone: make(chan struct{})} // the test is its reader
		full(t, conn)
		answers := make(chan error, 6)
		sent := make(chan error)
		go func() {
			sent <- c.Many(3, make([]string, 3), func(_ int, _ Answer, err error) { answers <- err })
		}()
		for entered := false; !entered; runtime.Gosched() {
			c.mu.Lock()
			entered = len(c.waiting) == 3
			c.mu.Unlock()
		}
		if told {
			for _, w := range c.end() {
				w.answered(w.i, Answer{}, ErrGone)
			}
		}
		conn.Close()
		if err := <-sent; told && (err != nil || len(answers) != 3) || !told && (!errors.Is(err, ErrNotSent) || len(answers) != 0) {
			t.Errorf("told %v: %d answers and %v", told, len(answers), err)
		}
		if len(c.waiting) != 0 {
			t.Errorf("told %v: %d wait", told, len(c.waiting))
		}
	}
}

// full sends until nothing more can be sent.
func full(t *testing.T, c *Conn) {
	t.Helper()
	var sent error
	err := c.raw.Control(func(fd uintptr) {
		for sent == nil {
			sent = unix.Sendmsg(int(fd), []byte{0}, nil, nil, unix.MSG_NOSIGNAL)
		}
	})
	if err != nil || sent != unix.EAGAIN {
		t.Fatal(err, sent)
	}
}

func FuzzTexts(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02xyF\x00"))
	f.Add([]byte("\x00\x00\x00\x09short"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, p []byte) {
		first, second, ok := SplitTexts(p)
		if ok && !bytes.Equal(JoinTexts(first, second), p) {
			t.Errorf("%q is split into %q and %q", p, first, second)
		}
	})
}
