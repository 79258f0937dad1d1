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

// askStaying hands the reading ends of message and envelope to a qmail-queue that
// stays, or returns nil if there is none. It must be the program that would be
// started otherwise.
func (q Queue) askStaying(message, envelope *os.File) *served {
	conn, err := serve.Dial(filepath.Join(q.Home, serve.QueueSocket))
	if err != nil {
		return nil
	}
	s := &served{}
	program, err := serve.Identify(filepath.Join(q.Home, usual))
	if err == nil {
		s.client, err = serve.NewClient(conn, program, time.Now().Add(helloWait))
	}
	if err != nil {
		conn.Close()
		return nil
	}
	s.qp, _ = strconv.Atoi(s.client.Note)
	if s.wait, err = s.client.Begin(nil, message, envelope); err != nil {
		s.client.Close()
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
