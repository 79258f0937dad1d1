package popup

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/receive"
	"goqmail/receive/certs"
	"goqmail/receive/pop3"
)

func (s *session) hasTLS() bool { return s.Other != nil || s.Certs != "" && s.Certs.Exist() }

// stls is the STLS command, RFC 2595.
func (s *session) stls(argument string) error {
	switch {
	case s.tls != "":
		s.Say(replyTLSTwice)
		return nil
	case argument != "":
		s.Say(pop3.ReplySyntax)
		return nil
	}
	if s.Other != nil {
		return s.switchOver()
	}
	if err := s.Certs.Check(); err != nil {
		s.Log.Event("no TLS: ", receive.Word(err.Error()), s.client())
		s.Say(replyNoTLS)
		return nil
	}
	s.Say(replyTLS)
	if err := s.Wire.Flush(); err != nil {
		return errors.Join(pop3.ErrEnded, err)
	}
	return s.handshake()
}

// switchOver has the server that has accepted the connection go on under TLS.
func (s *session) switchOver() error {
	s.Say(replyTLS)
	if err := s.Wire.Flush(); err != nil {
		return errors.Join(pop3.ErrEnded, err)
	}
	conn, err := s.Other.Begin(pop3.Timeout)
	if err != nil {
		s.Log.Event("TLS failed: ", receive.Word(err.Error()), s.client())
		return errors.Join(pop3.ErrEnded, err)
	}
	s.Wire.Use(conn)
	s.tls, s.switched, s.user = "yes", true, ""
	return nil
}

// handshake goes on under TLS. What was said before counts no more.
func (s *session) handshake() error {
	conn, err := s.Certs.Server(s.Wire.Conn())
	if err != nil {
		s.Log.Event("TLS failed: ", receive.Word(err.Error()), s.client())
		return errors.Join(pop3.ErrEnded, err)
	}
	s.Wire.Use(conn)
	s.tls, _ = certs.Version(conn)
	s.user = ""
	return nil
}

// endTLS tells the client that this is the end, and nobody has cut the connection.
func (s *session) endTLS() {
	if conn, ok := s.Wire.Conn().(*tls.Conn); ok {
		conn.CloseWrite()
	}
}

// capa is the CAPA command, RFC 2449.
func (s *session) capa(string) error {
	s.Capabilities(s.tls != "" || !s.MustTLS, s.tls == "")
	return nil
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
func (s *session) relay(program net.Conn) {
	client := s.Wire.Conn()
	s.Wire.End = time.Time{}
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
		from.SetReadDeadline(time.Now().Add(pop3.Timeout))
		n, err := from.Read(buf)
		if n > 0 {
			to.SetWriteDeadline(time.Now().Add(pop3.Timeout))
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
