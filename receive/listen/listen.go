// Package listen accepts connections and has many served at a time in one process,
// as tcpserver has each served by a process of its own.
package listen

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"goqmail/receive"
)

// Server accepts connections.
type Server struct {
	Max    int         // connections at a time; more wait to be accepted
	MaxOne int         // of those, from one address, or one /64 of IPv6; more are told Busy
	Busy   string      // what is said to them, with its line end
	Env    receive.Env // what sessions have in common
	Grace  time.Duration

	// Patience is how long a client may say and hear nothing while others wait because
	// all connections are in use: then the one that has been idle the longest is cut
	// off. Default: two minutes.
	Patience time.Duration

	// Rules say what is known of a client from the administrator, and put it into the
	// environment; with false it is turned away. May be nil.
	Rules func(env receive.Env) (bool, error)
	Log   func(what string, client net.Addr) // tells of clients that are turned away; may be nil

	// Service is what sessions of a service have in their environment; may be nil.
	Service func(name string) receive.Env
	// Serve serves a connection; it need not close it.
	Serve func(conn net.Conn, env receive.Env)
}

// Run serves until ctx ends. Sessions then have Grace to come to their end, and are
// cut off after it. The error is that of a listener, nil if ctx has ended.
func (s *Server) Run(ctx context.Context, sockets ...Socket) error {
	r := &running{Server: s, slots: make(chan struct{}, s.Max), clients: map[netip.Addr]int{}, conns: map[*watched]bool{}}
	all, stop := context.WithCancel(ctx)
	defer stop()
	errs := make(chan error, len(sockets))
	for _, socket := range sockets {
		context.AfterFunc(all, func() { socket.Listener.Close() })
		go func() {
			errs <- r.accept(all, socket)
			stop() // if one has ended, all do
		}()
	}
	err := <-errs
	for range sockets[1:] {
		<-errs
	}
	r.end()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// running is a server at work.
type running struct {
	*Server
	slots    chan struct{} // one for each connection
	sessions sync.WaitGroup

	mu      sync.Mutex
	clients map[netip.Addr]int
	conns   map[*watched]bool
}

// retry is how long to wait when the host is out of descriptors or the like.
const retry = 100 * time.Millisecond

func (r *running) accept(ctx context.Context, socket Socket) error {
	for {
		if !r.place(ctx) {
			return nil
		}
		conn, err := socket.Listener.Accept()
		if err == nil {
			r.sessions.Add(1)
			go r.session(&watched{Conn: conn}, socket)
			continue
		}
		<-r.slots
		if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(retry):
		case <-ctx.Done():
		}
	}
}

// place waits for a place for one more connection; false means that the server ends.
func (r *running) place(ctx context.Context) bool {
	for {
		select {
		case r.slots <- struct{}{}:
			return true
		case <-ctx.Done():
			return false
		case <-time.After(impatience):
			r.cutOff()
		}
	}
}

func (r *running) session(conn *watched, socket Socket) {
	defer r.sessions.Done()
	defer func() { <-r.slots }()
	defer conn.Close()
	client := network(conn.RemoteAddr())
	if !r.enter(client, conn) {
		r.turnAway(conn, "too many connections from one address")
		conn.SetWriteDeadline(time.Now().Add(time.Second))
		io.WriteString(conn, r.Busy)
		return
	}
	defer r.leave(client, conn)
	env := r.env(conn)
	if r.Rules != nil {
		switch ok, err := r.Rules(env); {
		case err != nil:
			r.turnAway(conn, "cannot read the rules: "+err.Error())
			return
		case !ok:
			r.turnAway(conn, "denied by the rules")
			return
		}
	}
	maps.Copy(env, socket.Env)
	r.Serve(conn, env)
}

func (r *running) turnAway(conn net.Conn, why string) {
	if r.Log != nil {
		r.Log(why, conn.RemoteAddr())
	}
}

// enter counts a connection, unless there are enough of that client.
func (r *running) enter(client netip.Addr, conn *watched) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.clients[client] >= r.MaxOne && !client.IsLoopback() {
		return false
	}
	conn.moved()
	r.clients[client]++
	r.conns[conn] = true
	return true
}

func (r *running) leave(client netip.Addr, conn *watched) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.clients[client]--; r.clients[client] == 0 {
		delete(r.clients, client)
	}
	delete(r.conns, conn)
}

// end waits for the sessions, and cuts off those that take too long.
func (r *running) end() {
	late := time.AfterFunc(r.Grace, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for conn := range r.conns {
			conn.Close()
		}
	})
	defer late.Stop()
	r.sessions.Wait()
}

// network is what a client is counted as.
func network(addr net.Addr) netip.Addr {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	if ip.Is6() {
		if prefix, err := ip.Prefix(64); err == nil && !ip.IsLoopback() {
			return prefix.Addr()
		}
	}
	return ip
}

// env is the environment of a session: what tcpserver would set, without the names,
// which would have to be looked up.
func (r *running) env(conn net.Conn) receive.Env {
	env := make(receive.Env, len(r.Env)+8)
	maps.Copy(env, r.Env)
	for _, name := range notTheirs {
		delete(env, name)
	}
	env["PROTO"] = "TCP"
	setAddr(env, "TCPREMOTE", conn.RemoteAddr())
	setAddr(env, "TCPLOCAL", conn.LocalAddr())
	return env
}

// notTheirs are variables about another connection than that of a session.
var notTheirs = []string{
	"TCPREMOTEHOST", "TCPREMOTEINFO", "TCPLOCALHOST",
	"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
	"UCSPITLS", "SSLCTLFD", "SSLREADFD", "SSLWRITEFD",
}

func setAddr(env receive.Env, prefix string, addr net.Addr) {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		env[prefix+"IP"] = tcp.AddrPort().Addr().Unmap().WithZone("").String()
		env[prefix+"PORT"] = strconv.Itoa(tcp.Port)
	}
}
