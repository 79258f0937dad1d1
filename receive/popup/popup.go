// Package popup is the half of a POP3 server (RFC 1939) that learns who the user is
// and leaves the rest to a password checker, which starts the other half, package
// pop3, as that user.
package popup

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
	"goqmail/receive/pop3"
)

// Server is what a session goes by.
type Server struct {
	Host string // part of the challenge
	PID  int
	Now  func() time.Time

	Other    *receive.UCSPI // TLS of the server before this one; nil for none
	Certs    certs.Folder   // with servercert.pem there is TLS; "" for none
	Implicit bool           // from the first byte on (RFC 8314)
	MustTLS  bool           // before a user is named
	Peer     receive.Peer
	Log      *receive.Log // may be nil

	// Start runs the password checker, with one end of a pipe as its descriptor 3. In and
	// out are to be its descriptors 0 and 1; if they are nil, those of this process are.
	Start func(in, out, upfile *os.File, env []string) (*os.Process, error)
}

// Replies. They are interface.
const (
	replyUserFirst = "-ERR USER first"
	replyAuthorize = "-ERR authorization first"
	replyTLS       = "+OK begin TLS"
	replyTLSTwice  = "-ERR TLS is on"
	replyNoTLS     = "-ERR TLS not available for now"
	replyMustTLS   = "-ERR must issue STLS first"
	replyUsage     = "-ERR usage: popup hostname subprogram"
	replyFork      = "-ERR unable to fork"
	replyPipe      = "-ERR unable to write pipe"
	replyCrashed   = "-ERR aack, child crashed"
	replyRefused   = "-ERR authorization failed"
)

// maxLogin is how long it may take until a user is named.
const maxLogin = time.Hour

// Serve serves a client until it has named a user, and then lets the checker go on
// with it. Under TLS it stays between the two. An error tells nothing that the
// client does not know.
func (p *Server) Serve(conn net.Conn) error {
	l := pop3.NewLine(conn)
	l.Wire.Single = true // what comes after the password is for the program that is run
	l.Wire.End = time.Now().Add(maxLogin)
	s := &session{Server: p, Line: l, challenge: fmt.Sprintf("<%d.%d@%s>", p.PID, p.Now().Unix(), p.Host)}
	if p.Implicit {
		if err := s.handshake(); err != nil {
			return err
		}
	}
	l.Say("+OK " + s.challenge)
	err := l.Serve(s.commands(), replyAuthorize)
	if err == pop3.ErrQuit {
		err = nil
	}
	err = errors.Join(err, l.Wire.Flush())
	s.endTLS()
	return err
}

// Usage tells a client that the server is not set up right.
func Usage(w io.Writer) { io.WriteString(w, replyUsage+"\r\n") }

// session is the state of one connection.
type session struct {
	*Server
	*pop3.Line
	challenge string
	user      string // "" before USER
	tls       string // version, "" without TLS
	switched  bool   // the server before this one does it
}

// commands are those that the server knows. Compat: those that have come with TLS are
// there only if it is.
func (s *session) commands() pop3.Commands {
	all := pop3.Commands{"user": s.userCommand, "pass": s.pass, "apop": s.apop, "quit": s.Quit, "noop": s.OK}
	if s.hasTLS() {
		all["stls"], all["capa"] = s.stls, s.capa
	}
	return all
}

func (s *session) userCommand(name string) error {
	switch {
	case s.MustTLS && s.tls == "":
		s.Say(replyMustTLS)
	case name == "":
		s.Say(pop3.ReplySyntax)
	default:
		s.user = name
		s.Say(pop3.ReplyOK)
	}
	return nil
}

func (s *session) pass(password string) error {
	switch {
	case s.user == "":
		s.Say(replyUserFirst)
		return nil
	case password == "":
		s.Say(pop3.ReplySyntax)
		return nil
	}
	return s.check(s.user, password)
}

func (s *session) apop(argument string) error {
	name, digest, ok := strings.Cut(argument, " ")
	switch {
	case s.MustTLS && s.tls == "":
		s.Say(replyMustTLS)
		return nil
	case !ok:
		s.Say(pop3.ReplySyntax)
		return nil
	}
	return s.check(name, digest)
}

// check runs the checker and ends the session when it has ended.
func (s *session) check(user, password string) error {
	if err := s.Wire.Flush(); err != nil {
		return errors.Join(pop3.ErrEnded, err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		s.Say(replyFork)
		return errors.Join(pop3.ErrEnded, err)
	}
	process, between, err := s.start(r)
	r.Close()
	if err != nil {
		w.Close()
		s.refused(user, whyNotStarted(err))
		return errors.Join(pop3.ErrEnded, err)
	}
	_, err = io.WriteString(w, user+"\x00"+password+"\x00"+s.challenge+"\x00")
	err = errors.Join(err, w.Close())
	if between != nil {
		s.relay(between)
	}
	return s.wait(user, process, err)
}

// start starts the checker. Under TLS it gets a connection with this process.
func (s *session) start(upfile *os.File) (process *os.Process, between net.Conn, err error) {
	var env []string
	if s.hasTLS() {
		env = []string{pop3.CapaVariable + "=1"}
	}
	switch {
	case s.tls == "":
		process, err = s.Start(nil, nil, upfile, env)
		return process, nil, err
	case s.switched:
		in, out, err := s.Other.Files()
		if err != nil {
			return nil, nil, err
		}
		defer in.Close()
		defer out.Close()
		process, err = s.Start(in, out, upfile, env)
		return process, nil, err
	}
	between, theirs, err := pair()
	if err != nil {
		return nil, nil, err
	}
	defer theirs.Close()
	if process, err = s.Start(theirs, theirs, upfile, append(env, pop3.TLSVariable+"="+s.tls)); err != nil {
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

func (s *session) wait(user string, process *os.Process, unwritten error) error {
	state, err := process.Wait()
	switch {
	case err != nil:
		return errors.Join(pop3.ErrEnded, err)
	case !state.Exited():
		s.refused(user, replyCrashed)
	case state.ExitCode() != 0:
		s.refused(user, replyRefused)
	case unwritten != nil && !errors.Is(unwritten, syscall.EPIPE):
		s.Say(replyPipe)
	}
	return pop3.ErrEnded
}

// refused tells that a user is not let in.
func (s *session) refused(user, reply string) {
	s.Log.Event("refused user <", receive.Word(user), ">", s.client(), " reply ", receive.Word(reply))
	s.Say(reply)
}

// client says who the client is.
func (s *session) client() string {
	text := " client " + receive.Word(s.Peer.IP)
	if s.tls != "" {
		text += " tls " + s.tls
	}
	return text
}
