package qq

import (
	"sync"
	"time"

	"goqmail/internal/serve"
)

// Conns are connections to a qmail-queue that stays, for a process that queues many
// messages to use again. The zero value has none.
type Conns struct {
	mu   sync.Mutex
	idle []idleConn
}

type idleConn struct {
	client  *serve.Client
	program serve.Identity
	since   time.Time
}

const (
	// maxIdle is how many connections are kept.
	maxIdle = 32
	// keepIdle is how long; the other end closes them somewhat later.
	keepIdle = 5 * time.Second
)

// take returns a connection to a process that runs the program, or nil.
func (c *Conns) take(program serve.Identity) *serve.Client {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.idle) > 0 {
		last := c.idle[len(c.idle)-1]
		c.idle = c.idle[:len(c.idle)-1]
		if last.program == program && time.Since(last.since) < keepIdle && !last.client.Ended() {
			return last.client
		}
		last.client.Close()
	}
	return nil
}

// put keeps a connection, or closes it.
func (c *Conns) put(client *serve.Client, program serve.Identity) {
	if c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.idle) < maxIdle && !client.Ended() {
			c.idle = append(c.idle, idleConn{client, program, time.Now()})
			return
		}
	}
	client.Close()
}
