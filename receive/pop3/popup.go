package pop3

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// Popup is the half of the server before the user is known.
type Popup struct {
	Host string // part of the challenge
	PID  int
	Now  func() time.Time

	// Start runs the password checker, with one end of a pipe as its descriptor 3.
	Start func(upfile *os.File) (*os.Process, error)
}

// Serve serves a client until it has named a user, and then lets the checker go on
// with it. An error tells nothing that the client does not know.
func (p *Popup) Serve(conn net.Conn) error {
	l := newLine(conn)
	l.wire.Single = true // what comes after the password is for the program that is run
	s := &popup{Popup: p, line: l, challenge: fmt.Sprintf("<%d.%d@%s>", p.PID, p.Now().Unix(), p.Host)}
	l.say("+OK " + s.challenge)
	err := l.serve([]command{
		{"user", s.userCommand}, {"pass", s.pass}, {"apop", s.apop}, {"quit", l.quit}, {"noop", l.ok},
	}, replyAuthorize)
	if err == errQuit {
		err = nil
	}
	return errors.Join(err, l.wire.Flush())
}

// Usage tells a client that the server is not set up right.
func Usage(w io.Writer) { io.WriteString(w, replyUsage+"\r\n") }

type popup struct {
	*Popup
	*line
	challenge string
	user      string // "" before USER
}

func (s *popup) userCommand(name string) error {
	if name == "" {
		s.say(replySyntax)
		return nil
	}
	s.user = name
	s.say(replyOK)
	return nil
}

func (s *popup) pass(password string) error {
	switch {
	case s.user == "":
		s.say(replyUserFirst)
		return nil
	case password == "":
		s.say(replySyntax)
		return nil
	}
	return s.check(s.user, password)
}

func (s *popup) apop(argument string) error {
	name, digest, ok := strings.Cut(argument, " ")
	if !ok {
		s.say(replySyntax)
		return nil
	}
	return s.check(name, digest)
}

// check runs the checker and ends the session when it has ended.
func (s *popup) check(user, password string) error {
	if err := s.wire.Flush(); err != nil {
		return errors.Join(errEnded, err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		s.say(replyFork)
		return errors.Join(errEnded, err)
	}
	process, err := s.Start(r)
	r.Close()
	if err != nil {
		w.Close()
		s.say(whyNotStarted(err))
		return errors.Join(errEnded, err)
	}
	_, err = io.WriteString(w, user+"\x00"+password+"\x00"+s.challenge+"\x00")
	err = errors.Join(err, w.Close())
	return s.wait(process, err)
}

// whyNotStarted is what the client is told: a program that is missing lets nobody in.
func whyNotStarted(err error) string {
	for _, short := range []error{syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, short) {
			return replyFork
		}
	}
	return replyRefused
}

func (s *popup) wait(process *os.Process, unwritten error) error {
	state, err := process.Wait()
	switch {
	case err != nil:
		return errors.Join(errEnded, err)
	case !state.Exited():
		s.say(replyCrashed)
	case state.ExitCode() != 0:
		s.say(replyRefused)
	case unwritten != nil && !errors.Is(unwritten, syscall.EPIPE):
		s.say(replyPipe)
	}
	return errEnded
}
