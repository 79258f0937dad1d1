package serve

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Errors of [Client.Do].
var (
	// ErrNotSent means that the process knows nothing of the request.
	ErrNotSent = errors.New("request was not sent")
	// ErrGone means that the process ended before it answered.
	ErrGone = errors.New("process is gone")
)

// Client is the asking end of a connection. Many may ask at a time.
type Client struct {
	Note string // what the hello tells beside the program

	conn *Conn

	mu      sync.Mutex
	last    uint32
	waiting map[uint32]waiter
	gone    chan struct{} // closed when the connection has ended
	left    bool          // the process is about to end

	reset bool // it has ended, and has left a request unread; owned by read
}

// waiter is who waits for an answer.
type waiter struct {
	answered func(i int, a Answer, err error)
	i        int
}

// NewClient waits for the hello, until the deadline. It must be that of the program
// file.
func NewClient(c *Conn, program Identity, deadline time.Time) (*Client, error) {
	var hello [256]byte
	c.SetReadDeadline(deadline)
	n, fds, err := c.Receive(hello[:])
	closeAll(fds)
	if err != nil {
		return nil, err
	}
	want := program.hello("")
	note, ok := strings.CutPrefix(string(hello[:n])+" ", want+" ")
	if !ok {
		return nil, fmt.Errorf("it said %q in place of %q", hello[:n], want)
	}
	c.SetReadDeadline(time.Time{})
	client := &Client{conn: c, Note: strings.TrimSpace(note), waiting: map[uint32]waiter{}, gone: make(chan struct{})}
	if !c.lone {
		go client.read()
	}
	return client, nil
}

// Close ends the connection, and with it the process, when it is done.
func (c *Client) Close() error { return c.conn.Close() }

// Do sends a request and waits for its answer.
func (c *Client) Do(args []string, files ...*os.File) (Answer, error) {
	wait, err := c.Begin(args, files...)
	if err != nil {
		return Answer{}, err
	}
	return wait()
}

// Begin sends a request and returns a function that waits for its answer, to be called
// once. The files may be closed at once.
func (c *Client) Begin(args []string, files ...*os.File) (wait func() (Answer, error), err error) {
	return c.begin(func(number uint32) []byte { return appendRequest(nil, number, args) }, files)
}

// BeginText is Begin for a process whose requests are one text.
func (c *Client) BeginText(text []byte, files ...*os.File) (wait func() (Answer, error), err error) {
	return c.begin(func(number uint32) []byte {
		return append(appendRequest(make([]byte, 0, 4+len(text)), number, nil), text...)
	}, files)
}

func (c *Client) begin(packet func(number uint32) []byte, files []*os.File) (wait func() (Answer, error), err error) {
	type result struct {
		a   Answer
		err error
	}
	answer := make(chan result, 1)
	number, ok := c.enter(1, func(_ int, a Answer, err error) { answer <- result{a, err} })
	if !ok {
		return nil, ErrNotSent
	}
	if err := c.conn.Send(packet(number), files...); err != nil {
		c.leave(number)
		return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	return func() (Answer, error) {
		if c.conn.lone {
			c.read()
		}
		r := <-answer
		if r.err != nil && c.conn.lone && c.reset {
			r.err = ErrNotSent // there is no other that it can have left unread
		}
		return r.a, r.err
	}, nil
}

// TakesMany reports whether Many may be called.
func (c *Client) TakesMany() bool { return c.Note == manyNote }

// Many sends a request for count pieces of work, whose arguments the process knows how
// to tell apart; the files are for all of them, and may be closed at once. Answered is
// called for each, as its answer comes, with an error if none will come. After an
// error of Many it is not called.
func (c *Client) Many(count int, args []string, answered func(i int, a Answer, err error), files ...*os.File) error {
	first, ok := c.enter(count, answered)
	if !ok {
		return ErrNotSent
	}
	if err := c.conn.Send(appendMany(nil, first, count, args), files...); err != nil {
		if c.takeBack(first, count) {
			return fmt.Errorf("%w: %w", ErrNotSent, err)
		}
	}
	return nil
}

// takeBack leaves so many numbers in a row, or none: once the connection has ended those
// who wait are told so, and must not be told anything else.
func (c *Client) takeBack(first uint32, count int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.waiting[first]; !ok {
		return false
	}
	for i := range count {
		delete(c.waiting, first+uint32(i))
	}
	return true
}

// enter takes so many numbers in a row.
func (c *Client) enter(count int, answered func(int, Answer, error)) (first uint32, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left || c.Ended() {
		return 0, false
	}
	first = c.last + 1
	for i := 0; i < count; i++ {
		number := first + uint32(i)
		if _, taken := c.waiting[number]; taken || number == manyNumber {
			first, i = number+1, -1
		}
	}
	for i := range count {
		c.waiting[first+uint32(i)] = waiter{answered, i}
	}
	c.last = first + uint32(count) - 1
	return first, true
}

func (c *Client) leave(number uint32) (w waiter, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, ok = c.waiting[number]
	delete(c.waiting, number)
	return w, ok
}

// read hands out the answers until the connection ends, or the one is there that is all
// that is wanted.
func (c *Client) read() {
	buf := make([]byte, MaxPacket)
	for {
		n, fds, err := c.conn.Receive(buf)
		closeAll(fds)
		if errors.Is(err, unix.ECONNRESET) && !c.reset {
			c.reset = true // what it has answered still comes
			continue
		}
		if err != nil || !c.handOut(buf[:n]) {
			break
		}
		if c.conn.lone && len(c.waiting) == 0 {
			return
		}
	}
	c.conn.Close()
	for _, w := range c.end() {
		w.answered(w.i, Answer{}, ErrGone)
	}
}

// handOut hands out the answers in a packet; it is false if that is of an unknown form.
func (c *Client) handOut(p []byte) bool {
	if len(p) < 4 {
		return false
	}
	if number := binary.BigEndian.Uint32(p); number != manyNumber {
		if len(p) < 5 {
			return false
		}
		c.give(number, Answer{Code: int(p[4]), Text: string(p[5:])})
		return true
	}
	if len(p) == 4 {
		c.mu.Lock()
		c.left = true
		c.mu.Unlock()
	}
	for p = p[4:]; len(p) > 0; {
		number, a, rest, ok := cutAnswer(p)
		if !ok {
			return false
		}
		c.give(number, a)
		p = rest
	}
	return true
}

func (c *Client) give(number uint32, a Answer) {
	if w, ok := c.leave(number); ok {
		w.answered(w.i, a, nil)
	}
}

// end closes the channel gone and returns who waits in vain.
func (c *Client) end() (left []waiter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.gone)
	for number, w := range c.waiting {
		left = append(left, w)
		delete(c.waiting, number)
	}
	return left
}

// Gone is closed when the process cannot be asked any more.
func (c *Client) Gone() <-chan struct{} { return c.gone }

// Ended reports whether Gone is closed.
func (c *Client) Ended() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}
