package remote

import (
	"net"
	"sync"
)

// wire is a connection in memory that holds all that is written to it, as a socket
// with large buffers does, unless narrow is set: then a writer waits for the reader.
// All time on it is that of the bubble of a test.
type wire struct {
	net.Conn
	narrow bool

	mu      sync.Mutex
	more    *sync.Cond
	pending []byte
	err     error // what Read ends with
}

// hostsInMemory are hosts at the other ends of wires.
type hostsInMemory struct{ sync.WaitGroup }

// connect returns a connection to a host.
func (all *hostsInMemory) connect(h handler, narrow bool) net.Conn {
	client, server := net.Pipe()
	w := &wire{Conn: server, narrow: narrow}
	w.more = sync.NewCond(&w.mu)
	if !narrow {
		all.Go(w.pump)
	}
	all.Go(func() {
		defer w.Close()
		h(newPeer(w))
	})
	return client
}

// pump takes what the client says, whether the host wants to know or not.
func (w *wire) pump() {
	buf := make([]byte, 64<<10)
	for {
		n, err := w.Conn.Read(buf)
		w.mu.Lock()
		w.pending = append(w.pending, buf[:n]...)
		w.err = err
		w.mu.Unlock()
		w.more.Broadcast()
		if err != nil {
			return
		}
	}
}

func (w *wire) Read(p []byte) (int, error) {
	if w.narrow {
		return w.Conn.Read(p)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.pending) == 0 && w.err == nil {
		w.more.Wait()
	}
	n := copy(p, w.pending)
	if w.pending = w.pending[n:]; n == 0 {
		return 0, w.err
	}
	return n, nil
}
