package pop3

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/receive"
	"goqmail/receive/certs"
)

// Variables by which the half that knows the user learns of the other one.
const (
	CapaVariable = "POP3CAPA" // CAPA is answered
	TLSVariable  = "POP3TLS"  // the version of TLS
)

// Client says whose session it is, by what the password checker and the server before
// it have put into the environment.
func Client(env receive.Env) string {
	text := "user <" + receive.Word(env["USER"]) + "> client " + receive.Word(receive.PeerOf(env).IP)
	if version := env[TLSVariable]; version != "" {
		text += " tls " + receive.Word(version)
	}
	return text
}

func (s *popup) hasTLS() bool { return s.Certs != "" && s.Certs.Exist() }

// stls is the STLS command, RFC 2595.
func (s *popup) stls(argument string) error {
	switch {
	case s.tls != "":
		s.say(replyTLSTwice)
		return nil
	case argument != "":
		s.say(replySyntax)
		return nil
	}
	if err := s.Certs.Check(); err != nil {
		s.Log.Event("no TLS: ", receive.Word(err.Error()), s.client())
		s.say(replyNoTLS)
		return nil
	}
	s.say(replyTLS)
	if err := s.wire.Flush(); err != nil {
		return errors.Join(errEnded, err)
	}
	return s.handshake()
}

// handshake goes on under TLS. What was said before counts no more.
func (s *popup) handshake() error {
	conn, err := s.Certs.Server(s.wire.Conn())
	if err != nil {
		s.Log.Event("TLS failed: ", receive.Word(err.Error()), s.client())
		return errors.Join(errEnded, err)
	}
	s.wire.Use(conn)
	s.tls, _ = certs.Version(conn)
	s.user = ""
	return nil
}

// endTLS tells the client that this is the end, and nobody has cut the connection.
func (s *popup) endTLS() {
	if conn, ok := s.wire.Conn().(*tls.Conn); ok {
		conn.CloseWrite()
	}
}

// capa is the CAPA command, RFC 2449.
func (s *popup) capa(string) error {
	s.listCapabilities(s.tls != "" || !s.MustTLS, s.tls == "")
	return nil
}

func (l *line) listCapabilities(user, stls bool) {
	l.say(replyOK)
	for _, c := range []struct {
		name string
		ok   bool
	}{{"USER", user}, {"TOP", true}, {"UIDL", true}, {"PIPELINING", true}, {"STLS", stls}, {"IMPLEMENTATION goqmail", true}} {
		if c.ok {
			l.say(c.name)
		}
	}
	l.say(".")
}

// pair makes a connection: the end of this process, and that of a program to be.
func pair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "socketpair")
	file := os.NewFile(uintptr(fds[0]), "socketpair")
	defer file.Close()
	if ours, err = net.FileConn(file); err != nil {
		theirs.Close()
	}
	return ours, theirs, err
}

const relayBuffer = 16 << 10

// relay hands over what client and program say to each other, until the program has
// no more to say.
func (s *popup) relay(program net.Conn) {
	client := s.wire.Conn()
	s.wire.End = time.Time{}
	defer program.Close()
	go func() {
		relayOne(program, client)
		if half, ok := program.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
	}()
	relayOne(client, program)
}

// relayOne hands over what one side says.
func relayOne(to, from net.Conn) {
	buf := make([]byte, relayBuffer)
	for {
		from.SetReadDeadline(time.Now().Add(timeout))
		n, err := from.Read(buf)
		if n > 0 {
			to.SetWriteDeadline(time.Now().Add(timeout))
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
