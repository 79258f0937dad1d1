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

	"goqmail/receive"
	"goqmail/receive/certs"
)

// Popup is the half of the server before the user is known.
type Popup struct {
	Host string // part of the challenge
	PID  int
	Now  func() time.Time

	Certs    certs.Folder // with servercert.pem there is TLS; "" for none
	Implicit bool         // from the first byte on (RFC 8314)
	MustTLS  bool         // before a user is named
	Peer     receive.Peer
	Log      *receive.Log // may be nil

	// Start runs the password checker, with one end of a pipe as its descriptor 3. Conn
	// is to be its connection with the client, descriptors 0 and 1; if it is nil, those
	// of this process are.
	Start func(conn, upfile *os.File, env []string) (*os.Process, error)
}

// maxLogin is how long it may take until a user is named.
const maxLogin = time.Hour

// Serve serves a client until it has named a user, and then lets the checker go on
// with it. Under TLS it stays between the two. An error tells nothing that the
// client does not know.
func (p *Popup) Serve(conn net.Conn) error {
	l := newLine(conn)
	l.wire.Single = true // what comes after the password is for the program that is run
	l.wire.End = time.Now().Add(maxLogin)
	s := &popup{Popup: p, line: l, challenge: fmt.Sprintf("<%d.%d@%s>", p.PID, p.Now().Unix(), p.Host)}
	if p.Implicit {
		if err := s.handshake(); err != nil {
			return err
		}
	}
	l.say("+OK " + s.challenge)
	err := l.serve(s.commands(), replyAuthorize)
	if err == errQuit {
		err = nil
	}
	err = errors.Join(err, l.wire.Flush())
	s.endTLS()
	return err
}

// Usage tells a client that the server is not set up right.
func Usage(w io.Writer) { io.WriteString(w, replyUsage+"\r\n") }

type popup struct {
	*Popup
	*line
	challenge string
	user      string // "" before USER
	tls       string // version, "" without TLS
}

// commands are those that the server knows. Compat: those that have come with TLS are
// there only if it is.
func (s *popup) commands() []command {
	all := []command{
		{"user", s.userCommand}, {"pass", s.pass}, {"apop", s.apop}, {"quit", s.quit}, {"noop", s.ok},
	}
	if s.hasTLS() {
		all = append(all, command{"stls", s.stls}, command{"capa", s.capa})
	}
	return all
}

func (s *popup) userCommand(name string) error {
	switch {
	case s.MustTLS && s.tls == "":
		s.say(replyMustTLS)
	case name == "":
		s.say(replySyntax)
	default:
		s.user = name
		s.say(replyOK)
	}
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
	switch {
	case s.MustTLS && s.tls == "":
		s.say(replyMustTLS)
		return nil
	case !ok:
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
	process, between, err := s.start(r)
	r.Close()
	if err != nil {
		w.Close()
		s.refused(user, whyNotStarted(err))
		return errors.Join(errEnded, err)
	}
	_, err = io.WriteString(w, user+"\x00"+password+"\x00"+s.challenge+"\x00")
	err = errors.Join(err, w.Close())
	if between != nil {
		s.relay(between)
	}
	return s.wait(user, process, err)
}

// start starts the checker. Under TLS it gets a connection with this process.
func (s *popup) start(upfile *os.File) (process *os.Process, between net.Conn, err error) {
	var env []string
	if s.hasTLS() {
		env = []string{CapaVariable + "=1"}
	}
	if s.tls == "" {
		process, err = s.Start(nil, upfile, env)
		return process, nil, err
	}
	between, theirs, err := pair()
	if err != nil {
		return nil, nil, err
	}
	defer theirs.Close()
	if process, err = s.Start(theirs, upfile, append(env, TLSVariable+"="+s.tls)); err != nil {
		between.Close()
		return nil, nil, err
	}
	return process, between, nil
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

func (s *popup) wait(user string, process *os.Process, unwritten error) error {
	state, err := process.Wait()
	switch {
	case err != nil:
		return errors.Join(errEnded, err)
	case !state.Exited():
		s.refused(user, replyCrashed)
	case state.ExitCode() != 0:
		s.refused(user, replyRefused)
	case unwritten != nil && !errors.Is(unwritten, syscall.EPIPE):
		s.say(replyPipe)
	}
	return errEnded
}

// refused tells that a user is not let in.
func (s *popup) refused(user, reply string) {
	s.Log.Event("refused user <", receive.Word(user), ">", s.client(), " reply ", receive.Word(reply))
	s.say(reply)
}

// client says who the client is.
func (s *popup) client() string {
	text := " client " + receive.Word(s.Peer.IP)
	if s.tls != "" {
		text += " tls " + s.tls
	}
	return text
}
