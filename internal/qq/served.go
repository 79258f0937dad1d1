package qq

import (
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
	client *serve.Client
	wait   func() (serve.Answer, error)
	qp     int
}

// helloWait is how long a socket may say nothing.
const helloWait = 10 * time.Second

// Stays reports whether a qmail-queue that stays takes messages, so that none has to be
// started.
func (q Queue) Stays() bool {
	if q.Program != "" {
		return false
	}
	client := q.connect()
	if client == nil {
		return false
	}
	client.Close()
	return true
}

// connect connects to a qmail-queue that stays, or returns nil if there is none. It
// must be the program that would be started otherwise.
func (q Queue) connect() *serve.Client {
	conn, err := serve.Dial(filepath.Join(q.Home, serve.QueueSocket))
	if err != nil {
		return nil
	}
	program, err := serve.Identify(filepath.Join(q.Home, usual))
	if err == nil {
		var client *serve.Client
		if client, err = serve.NewClient(conn, program, time.Now().Add(helloWait)); err == nil {
			return client
		}
	}
	conn.Close()
	return nil
}

// askStaying hands the reading ends of message and envelope to a qmail-queue that
// stays, or returns nil if there is none.
func (q Queue) askStaying(message, envelope *os.File) *served {
	client := q.connect()
	if client == nil {
		return nil
	}
	s := &served{client: client}
	s.qp, _ = strconv.Atoi(client.Note)
	var err error
	if s.wait, err = client.Begin(nil, message, envelope); err != nil {
		client.Close()
		return nil
	}
	return s
}

// outcome waits for the exit code.
func (s *served) outcome() (code int, reason string, err error) {
	defer s.client.Close()
	a, err := s.wait()
	if err != nil {
		return 0, "", fault.Soft(exitcode.QueueCrashed, err)
	}
	return a.Code, "", nil
}
