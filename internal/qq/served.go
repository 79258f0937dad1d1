package qq

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/serve"
)

// served is a message in the hands of a qmail-queue that stays.
type served struct {
	client  *serve.Client
	program serve.Identity
	conns   *Conns
	wait    func() (serve.Answer, error)

	settled bool
	code    int
	qp      int
	err     error
}

// helloWait is how long a socket may say nothing.
const helloWait = 10 * time.Second

// Stays reports whether a qmail-queue that stays takes messages, so that none has to be
// started.
func (q Queue) Stays() bool {
	if q.Program != "" {
		return false
	}
	program, err := q.identify()
	if err != nil {
		return false
	}
	client := q.connect(program)
	if client == nil {
		return false
	}
	client.Close()
	return true
}

// identify looks at the program that would be started: it is the one that must answer.
func (q Queue) identify() (serve.Identity, error) {
	return serve.Identify(filepath.Join(q.Home, usual))
}

// connect connects to a qmail-queue that stays, or returns nil if there is none.
func (q Queue) connect(program serve.Identity) *serve.Client {
	dial := serve.Dial
	if q.Once {
		dial = serve.DialOnce
	}
	conn, err := dial(filepath.Join(q.Home, serve.QueueSocket))
	if err != nil {
		return nil
	}
	client, err := serve.NewClient(conn, program, time.Now().Add(helloWait))
	if err != nil {
		conn.Close()
		return nil
	}
	return client
}

// ask sends a request, with the reading ends of message and envelope or with both in
// it, to a qmail-queue that stays. It returns nil if there is none.
func (q Queue) ask(request []byte, files ...*os.File) *served {
	program, err := q.identify()
	if err != nil {
		return nil
	}
	for {
		client := q.Conns.take(program)
		fresh := client == nil
		if fresh {
			client = q.connect(program)
		}
		if client == nil {
			return nil
		}
		wait, err := client.BeginText(request, files...)
		if err == nil {
			return &served{client: client, program: program, conns: q.Conns, wait: wait}
		}
		client.Close()
		if fresh {
			return nil
		}
	}
}

// settle waits for the answer.
func (s *served) settle() {
	if s.settled {
		return
	}
	s.settled = true
	a, err := s.wait()
	if errors.Is(err, serve.ErrNotSent) {
		s.client.Close()
		s.code = serve.Once
		return
	}
	if err != nil {
		s.client.Close()
		s.err = fault.Soft(exitcode.QueueCrashed, err)
		return
	}
	s.conns.put(s.client, s.program)
	s.code = a.Code
	s.qp, _ = strconv.Atoi(a.Text)
}

// outcome is the exit code.
func (s *served) outcome() (code int, reason string, err error) {
	s.settle()
	return s.code, "", s.err
}
