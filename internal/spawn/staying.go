package spawn

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"goqmail/internal/serve"
)

// Staying has processes of a program stay for more than one delivery, one for each
// user in use, as goqmail/internal/serve describes. What they cannot do is done by the
// program run once, as ever.
type Staying struct {
	Program Program
	Dir     string        // folder in which it is run; empty: the caller's working folder
	Env     []string      // of the program
	Most    int           // processes at a time
	Each    int           // deliveries that a process has at a time
	Idle    time.Duration // after which a process without deliveries ends
	Hello   time.Duration // to wait for a process to say hello

	mu      sync.Mutex
	program serve.Identity // that the processes run
	refused time.Time      // until then the program is not asked to stay
	byUser  map[string]*stayer
}

// stayer is one process.
type stayer struct {
	user  string
	ready chan struct{} // closed when it is known whether the process stays

	// Guarded by Staying.mu, but for client once ready is closed: it does not change then.
	client  *serve.Client // nil: the process does not stay, or nobody knows yet
	busy    int
	retired bool // gets no new deliveries, and ends when busy is 0
	idle    *time.Timer
	since   time.Time // when busy became 0
}

// crashed is the code of an answer that nobody gave.
const crashed = -1

// Do has a delivery done by a process of that user. If ok is false, none has done
// anything for it.
func (s *Staying) Do(as *syscall.Credential, args []string, message *os.File) (a serve.Answer, ok bool) {
	p := s.take(as, 1)
	if p == nil {
		return serve.Answer{}, false
	}
	defer s.give(p, 1)
	<-p.ready
	if p.client == nil {
		return serve.Answer{}, false
	}
	a, err := p.client.Do(args, message)
	switch {
	case errors.Is(err, serve.ErrNotSent):
		return serve.Answer{}, false
	case err != nil:
		return serve.Answer{Code: crashed}, true
	}
	return a, a.Code != serve.Once
}

// Many has deliveries of one message done by the caller's own process, by one request,
// and calls answered for each, from any goroutine. If ok is false, nothing has been done
// for it, and may be done by Do.
func (s *Staying) Many(count int, args []string, message *os.File, answered func(i int, a serve.Answer, ok bool)) {
	none := func() {
		for i := range count {
			answered(i, serve.Answer{}, false)
		}
	}
	p := s.take(nil, count)
	if p == nil {
		none()
		return
	}
	<-p.ready
	err := serve.ErrNotSent
	if p.client != nil && p.client.TakesMany() {
		err = p.client.Many(count, args, func(i int, a serve.Answer, err error) {
			s.give(p, 1)
			if err != nil {
				a = serve.Answer{Code: crashed}
			}
			answered(i, a, a.Code != serve.Once)
		}, message)
	}
	if err != nil {
		s.give(p, count)
		none()
	}
}

// take returns the user's process, which may have to be started, for so many
// deliveries; or nil.
func (s *Staying) take(as *syscall.Credential, count int) *stayer {
	program, err := serve.Identify(s.Program.Path)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || program != s.program {
		s.exchange(program)
	}
	if err != nil || time.Now().Before(s.refused) {
		return nil
	}
	user := ""
	if as != nil {
		user = fmt.Sprint(as.Uid, as.Gid, as.Groups)
	}
	p := s.byUser[user]
	if p != nil && p.client != nil && p.client.Ended() {
		s.retire(p)
		p = nil
	}
	if p == nil {
		if len(s.byUser) >= s.Most && !s.makeRoom() {
			return nil
		}
		p = &stayer{user: user, ready: make(chan struct{})}
		s.byUser[user] = p
		p.busy += count
		go s.start(p, as, program)
		return p
	}
	if p.busy+count > s.Each {
		return nil
	}
	if p.idle != nil {
		p.idle.Stop()
	}
	p.busy += count
	return p
}

// exchange retires the processes of a program file that was replaced.
func (s *Staying) exchange(program serve.Identity) {
	for _, p := range s.byUser {
		s.retire(p)
	}
	s.byUser = map[string]*stayer{}
	s.program, s.refused = program, time.Time{}
}

// makeRoom ends the process that has had nothing to do for the longest time.
func (s *Staying) makeRoom() bool {
	var oldest *stayer
	for _, p := range s.byUser {
		if p.busy == 0 && (oldest == nil || p.since.Before(oldest.since)) {
			oldest = p
		}
	}
	if oldest == nil {
		return false
	}
	s.retire(oldest)
	return true
}

// retire gives a process nothing more to do. It is called with mu locked.
func (s *Staying) retire(p *stayer) {
	if s.byUser[p.user] == p {
		delete(s.byUser, p.user)
	}
	if p.retired {
		return
	}
	p.retired = true
	if p.idle != nil {
		p.idle.Stop()
	}
	if p.busy == 0 && p.client != nil {
		p.client.Close()
	}
}

// give takes deliveries off a process.
func (s *Staying) give(p *stayer, count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.busy -= count
	if p.busy > 0 {
		return
	}
	if p.retired {
		if p.client != nil {
			p.client.Close()
		}
		return
	}
	p.since = time.Now()
	if p.idle != nil {
		p.idle.Reset(s.Idle)
		return
	}
	p.idle = time.AfterFunc(s.Idle, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if p.busy == 0 {
			s.retire(p)
		}
	})
}

// How long a program is not asked to stay again, after it did not understand. It is
// asked anew when its file changes.
const refusal = 10 * time.Minute

// start starts a process, waits for its hello, and in the end for its end.
func (s *Staying) start(p *stayer, as *syscall.Credential, program serve.Identity) {
	conn, pid, err := s.launch(as)
	var client *serve.Client
	if err == nil {
		if client, err = serve.NewClient(conn, program, time.Now().Add(s.Hello)); err != nil {
			conn.Close()
			syscall.Kill(pid, syscall.SIGKILL) // whatever it is, it was given nothing to do
		}
	}
	s.mu.Lock()
	p.client = client
	if err != nil {
		if pid != 0 && s.program == program {
			s.refused = time.Now().Add(refusal)
		}
		s.retire(p)
	}
	close(p.ready)
	s.mu.Unlock()
	if client != nil {
		<-client.Gone()
	}
	if pid != 0 {
		reap(pid)
	}
}

// launch starts the process with one end of a connection as its descriptor 0. Its
// other descriptors lead nowhere: it belongs to a user who may take hold of it.
func (s *Staying) launch(as *syscall.Credential) (conn *serve.Conn, pid int, err error) {
	conn, end, err := serve.Pair()
	if err != nil {
		return nil, 0, err
	}
	defer end.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		conn.Close()
		return nil, 0, err
	}
	defer null.Close()
	attr := &syscall.ProcAttr{Dir: s.Dir, Env: s.Env, Files: []uintptr{end.Fd(), null.Fd(), null.Fd()}}
	if as != nil {
		attr.Sys = &syscall.SysProcAttr{Credential: as}
	}
	pid, _, err = syscall.StartProcess(s.Program.Path, []string{s.Program.Name, "-serve"}, attr)
	if err != nil {
		conn.Close()
		return nil, 0, err
	}
	return conn, pid, nil
}

// reap waits for the end of a process, looking for it now and then: waiting would
// take a thread.
func reap(pid int) {
	for pause := time.Millisecond; ; pause = min(2*pause, time.Second) {
		if status, err := wait(pid, syscall.WNOHANG); err != nil || status != stillRunning {
			return
		}
		time.Sleep(pause)
	}
}

// Close ends the processes when they are done.
func (s *Staying) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exchange(serve.Identity{})
}
