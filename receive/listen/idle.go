package listen

import (
	"cmp"
	"net"
	"sync/atomic"
	"time"
)

// watched is a connection of which is known when something last came or went.
type watched struct {
	net.Conn
	last atomic.Int64 // Unix time, in nanoseconds
}

func (w *watched) moved() { w.last.Store(time.Now().UnixNano()) }

// Read implements [net.Conn].
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.moved()
	return n, err
}

// Write implements [net.Conn].
func (w *watched) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.moved()
	return n, err
}

const (
	patience   = 2 * time.Minute
	impatience = time.Second // how often one is cut off, at most
)

// cutOff cuts off the connection that has been idle the longest, if that is too long.
func (r *running) cutOff() {
	r.mu.Lock()
	defer r.mu.Unlock()
	var idlest *watched
	for conn := range r.conns {
		if idlest == nil || conn.last.Load() < idlest.last.Load() {
			idlest = conn
		}
	}
	if idlest == nil || time.Since(time.Unix(0, idlest.last.Load())) < cmp.Or(r.Patience, patience) {
		return
	}
	r.turnAway(idlest, "idle, and others wait")
	idlest.moved() // it is not to be cut off again
	idlest.Close()
}
