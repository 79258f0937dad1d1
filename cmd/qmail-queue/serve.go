package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/confine"
	"goqmail/internal/exitcode"
	"goqmail/internal/home"
	"goqmail/internal/ids"
	"goqmail/internal/serve"
	"goqmail/queue"
)

// How many messages are taken at a time, in all and from one user who is none of the
// system's. Those who come when it is too many start a qmail-queue of their own.
// The others may not take all places from the system's.
const (
	most       = 400
	mostEach   = 50
	mostOthers = 200
)

// idle is how long a connection may bring nothing.
const idle = 10 * time.Second

// spareTime is how long no message may come until the spare files are removed.
const spareTime = time.Minute

// staying takes messages over a socket.
type staying struct {
	spares *queue.Spares
	folder string
	self   serve.Identity
	names  map[int]string // of the accounts, by uid
	last   atomic.Uint32  // number given to a message, in place of a process id
	ended  <-chan struct{}

	mu    sync.Mutex
	users map[int]int // messages under way, by uid
	all   int
	other int         // of those, from users who are none of the system's
	quiet *time.Timer // until the spare files go
}

// stay takes messages until qmail-send, which holds the other end of descriptor 0,
// is gone.
func stay() int {
	folder := filepath.Join(home.Dir(), "queue")
	q, code := open(folder)
	if code != exitcode.OK {
		return code
	}
	self, err := serve.Self()
	if err != nil {
		return exitcode.Soft
	}
	ended := make(chan struct{})
	go func() {
		os.Stdin.Read(make([]byte, 1))
		close(ended)
	}()
	lock := takeTurn(folder, ended)
	if lock == nil {
		return exitcode.OK
	}
	listener, err := serve.Listen(filepath.Join(home.Dir(), serve.QueueSocket))
	if err != nil {
		return exitcode.Soft
	}
	go func() {
		<-ended
		listener.Close()
		lock.Close() // the next one may listen while this one finishes
	}()
	s := &staying{spares: queue.NewSpares(q), folder: folder, self: self, names: names(), ended: ended, users: map[int]int{}}
	s.last.Store(uint32(os.Getpid()))
	s.quiet = time.AfterFunc(0, s.spares.Drop) // what a crash has left
	confine.Queue(folder).Enter(home.Dir(), "qmail-queue", os.Stderr)
	return s.listen(listener)
}

// takeTurn waits until no other process serves this queue, or until there is nobody to
// serve for. It returns nil then, and if the lock cannot be had.
func takeTurn(folder string, ended <-chan struct{}) io.Closer {
	turn := make(chan io.Closer, 1)
	go func() {
		lock, err := queue.LockServer(folder)
		if err != nil {
			lock = nil
		}
		turn <- lock
	}()
	select {
	case lock := <-turn:
		return lock
	case <-ended:
		return nil
	}
}

// names are the accounts that a Received line may name.
func names() map[int]string {
	byUID := map[int]string{}
	for _, name := range accounts {
		if uid, err := ids.System.UID(name); err == nil {
			byUID[uid] = name
		}
	}
	return byUID
}

// listen accepts connections until the listener is closed, and waits for those that
// are open.
func (s *staying) listen(listener *serve.Listener) int {
	var open sync.WaitGroup
	defer s.spares.Drop()
	defer open.Wait()
	for {
		conn, uid, err := listener.Accept()
		switch {
		case errors.Is(err, os.ErrClosed):
			return exitcode.OK
		case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM), errors.Is(err, unix.ENOBUFS):
			time.Sleep(10 * time.Millisecond) // until one of those that are open ends
			continue
		case err != nil:
			continue // the other end is gone already
		}
		if !s.enter(uid) {
			conn.Close()
			continue
		}
		open.Go(func() {
			defer s.leave(uid)
			defer conn.Close()
			s.serve(conn, uid)
		})
	}
}

func (s *staying) enter(uid int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= most || !s.isSystem(uid) && (s.users[uid] >= mostEach || s.other >= mostOthers) {
		return false
	}
	if !s.isSystem(uid) {
		s.other++
	}
	s.all++
	s.users[uid]++
	s.quiet.Stop()
	return true
}

func (s *staying) isSystem(uid int) bool {
	_, ok := s.names[uid]
	return ok || uid == 0
}

func (s *staying) leave(uid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if !s.isSystem(uid) {
		s.other--
	}
	if s.users[uid]--; s.users[uid] == 0 {
		delete(s.users, uid)
	}
	if s.all == 0 {
		s.quiet.Reset(spareTime)
	}
}

// maxNumber is the highest process id on Linux.
const maxNumber = 1 << 22

// serve takes messages, one after the other.
func (s *staying) serve(conn *serve.Conn, uid int) {
	server := serve.Server{
		Self: s.self, Most: 1, Idle: idle, Ending: s.ended,
		Take: func(request []byte, files []*os.File) serve.Answer {
			message, envelope, ok := ends(request, files)
			if !ok {
				return serve.Answer{Code: exitcode.QueueBug}
			}
			end := time.AfterFunc(lifetime, func() {
				conn.Close()
				for _, f := range files {
					f.Close()
				}
			})
			defer end.Stop()
			qp := int(s.last.Add(1)%(maxNumber-1)) + 1
			who := queue.Origin{UID: uid, PID: qp, Account: s.names[uid], Time: time.Now()}
			return serve.Answer{
				Code: submit(s.spares.Submit, s.folder, message, envelope, who),
				Text: strconv.Itoa(qp),
			}
		},
	}
	_ = server.Serve(conn)
}

// ends are where message and envelope come from: the request itself, or descriptors.
func ends(request []byte, files []*os.File) (message, envelope io.Reader, ok bool) {
	if len(files) == 2 && len(request) == 0 {
		return files[0], files[1], true
	}
	m, e, ok := serve.SplitTexts(request)
	return bytes.NewReader(m), bytes.NewReader(e), ok && len(files) == 0
}
