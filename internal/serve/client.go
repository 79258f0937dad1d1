package serve

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
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
	waiting map[uint32]chan Answer
	gone    chan struct{} // closed when the connection has ended
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
	client := &Client{conn: c, Note: strings.TrimSpace(note), waiting: map[uint32]chan Answer{}, gone: make(chan struct{})}
	go client.read()
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

// Begin sends a request and returns a function that waits for its answer. The files
// may be closed at once.
func (c *Client) Begin(args []string, files ...*os.File) (wait func() (Answer, error), err error) {
	answer := make(chan Answer, 1)
	number, ok := c.enter(answer)
	if !ok {
		return nil, ErrNotSent
	}
	if err := c.conn.Send(appendRequest(nil, number, args), files...); err != nil {
		c.leave(number)
		return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	return func() (Answer, error) {
		a, ok := <-answer
		if !ok {
			return Answer{}, ErrGone
		}
		return a, nil
	}, nil
}

func (c *Client) enter(answer chan Answer) (number uint32, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Ended() {
		return 0, false
	}
	c.last++
	for c.waiting[c.last] != nil {
		c.last++
	}
	c.waiting[c.last] = answer
	return c.last, true
}

func (c *Client) leave(number uint32) chan Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer := c.waiting[number]
	delete(c.waiting, number)
	return answer
}

// read hands out the answers until the connection ends.
func (c *Client) read() {
	buf := make([]byte, MaxPacket)
	for {
		n, fds, err := c.conn.Receive(buf)
		closeAll(fds)
		if err != nil || n < 5 {
			break
		}
		if answer := c.leave(binary.BigEndian.Uint32(buf)); answer != nil {
			answer <- Answer{Code: int(buf[4]), Text: string(buf[5:n])}
		}
	}
	c.conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.gone)
	for number, answer := range c.waiting {
		close(answer)
		delete(c.waiting, number)
	}
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
