// Package qmtp has the servers of the two protocols that are made of netstrings:
// QMTP, which mail hosts speak among each other, and QMQP, in which a host hands
// its mail to one that has a queue.
//
// # Protocols
//
// In QMTP a client sends any number of packages, without waiting, and gets an
// answer for each recipient. A package is three netstrings: the message, the
// sender, and the recipients, which are netstrings in a netstring. The message
// begins with a byte that is not part of it and says how its lines end: LF, or CR
// for CRLF. In QMQP there is one package, a netstring of the message, the sender
// and each recipient, and one answer. An answer is a netstring that begins with K
// (taken), Z (not now) or D (refused). For instance QMTP's
//
//	8:\n(body)\n,13:a@example.org,17:13:b@example.net,,
//
// is answered by 23:Kok 1795284247 qp 12345,.
//
// What is not a package ends the session ([ErrProtocol]). Addresses are less than
// 1000 bytes long and have no NUL; a package has at most 100,000 recipients.
package qmtp

import (
	"errors"
	"io"
	"net"
	"time"

	"goqmail/control"
	"goqmail/internal/fault"
	"goqmail/internal/netstring"
	"goqmail/receive"
)

// ErrProtocol is wrapped by the error for a client that does not keep to the
// protocol.
var ErrProtocol = errors.New("protocol error")

// errTooMany is the error for more recipients than are taken.
var errTooMany = errors.New("too many recipients")

// Server is what sessions have in common.
type Server struct {
	Control string        // the folder of control files; QMQP needs none
	Queue   receive.Queue // takes messages
	Now     func() time.Time
	Log     *receive.Log // may be nil

	// Open has QMTP take mail for all hosts if there is no file rcpthosts, as
	// qmail does. It is for clients that are no strangers.
	Open bool
}

const (
	maxSession    = time.Hour // from beginning to end
	maxAddress    = 999
	maxRecipients = 100_000
)

// Verdicts on recipients and messages.
const (
	replyNoGateway = "Dsorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"
	replyRecipient = "Dsorry, I can't handle that recipient (#5.1.3)"
	replySender    = "Dunacceptable sender (#5.1.7)"
	replyTooBig    = "Dsorry, that message size exceeds my databytes limit (#5.3.4)"
	replyAddress   = "Dsorry, I can't accept addresses like that (#5.1.3)"
)

// session is the state of one connection.
type session struct {
	srv  *Server
	wire *receive.Wire
	env  receive.Env
	peer receive.Peer

	hosts     *receive.Hosts
	databytes int64
	relay     string
	mayRelay  bool
	refused   int // recipients
}

func (srv *Server) session(conn net.Conn, env receive.Env) *session {
	s := &session{srv: srv, wire: receive.NewWire(conn, maxSession), env: env, peer: receive.PeerOf(env)}
	s.wire.End = time.Now().Add(maxSession)
	return s
}

// finish sends the answers that are still to be sent, and gives an error its
// name. That the client has gone is none: it knows what it was told.
func (s *session) finish(err error) error {
	flushed := s.wire.Flush()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil
	case errors.Is(err, netstring.ErrFormat):
		return errors.Join(ErrProtocol, err)
	case err == nil:
		return flushed
	}
	return err
}

// ServeQMTP serves packages until the client goes away.
func (srv *Server) ServeQMTP(conn net.Conn, env receive.Env) error {
	s := srv.session(conn, env)
	if err := s.readControl(); err != nil {
		return err
	}
	defer s.hosts.Close()
	for {
		if err := s.onePackage(); err != nil {
			return s.finish(err)
		}
	}
}

func (s *session) readControl() error {
	s.relay, s.mayRelay = s.env.Lookup("RELAYCLIENT")
	files, err := control.Open(s.srv.Control)
	if err != nil {
		return err
	}
	if s.databytes, err = receive.Databytes(files, s.env); err != nil {
		return err
	}
	s.hosts, err = receive.ReadHosts(s.srv.Control)
	return err
}

// onePackage takes a message and answers for each recipient.
func (s *session) onePackage() error {
	length, err := netstring.ReadLength(s.wire)
	if err != nil {
		return err
	}
	if length == 0 { // not even a byte that says how lines end
		return netstring.ErrFormat
	}
	queue, err := s.srv.Queue(s.env)
	if err != nil {
		return err
	}
	m := &receive.Limited{Message: queue, Max: s.databytes}
	letter, senderOK, err := s.receive(m, length)
	if err != nil {
		m.Fail()
		m.Close()
		return err
	}
	s.answer(letter, s.verdict(m, letter, senderOK))
	return nil
}

// letter is the envelope of a package: what each recipient is told, or "" if that
// depends on the message.
type letter struct {
	sender   string
	verdicts []string
	named    receive.Names // that the message is for
}

// receive reads a package.
func (s *session) receive(m *receive.Limited, length int64) (l *letter, senderOK bool, err error) {
	if err = s.message(m, length); err != nil {
		return nil, false, err
	}
	l = &letter{}
	if l.sender, senderOK, err = readAddress(s.wire); err != nil {
		return nil, false, err
	}
	m.From(l.sender)
	if !senderOK {
		m.Fail()
	}
	return l, senderOK, s.recipients(m, l)
}

// message reads the message, without its first byte.
func (s *session) message(m *receive.Limited, length int64) error {
	first, err := s.wire.ReadByte()
	if err != nil {
		return err
	}
	m.Head(s.peer.Received("QMTP", nil, s.srv.Now()))
	switch first {
	case '\n':
		_, err = io.CopyN(m, s.wire, length-1)
	case '\r':
		err = copyCRLF(m, s.wire, length-1)
	default:
		err = netstring.ErrFormat
	}
	if err != nil {
		return err
	}
	return netstring.ReadComma(s.wire)
}

// copyCRLF copies n bytes and makes each CRLF a LF. Any other CR stays.
func copyCRLF(w io.Writer, r io.Reader, n int64) error {
	buf := make([]byte, 8<<10)
	out := make([]byte, 0, len(buf)+1)
	cr := false // a CR was held back
	for n > 0 {
		k, err := r.Read(buf[:min(n, int64(len(buf)))])
		n -= int64(k)
		out = out[:0]
		for _, c := range buf[:k] {
			if cr && c != '\n' {
				out = append(out, '\r')
			}
			if cr = c == '\r'; !cr {
				out = append(out, c)
			}
		}
		if n == 0 && cr {
			out = append(out, '\r')
		}
		w.Write(out)
		if err != nil && n > 0 {
			return err
		}
	}
	return nil
}

// readAddress reads an address; ok is false if it is none that can be taken, and
// then it is empty.
func readAddress(r reader) (addr string, ok bool, err error) {
	length, err := netstring.ReadLength(r)
	if err != nil {
		return "", false, err
	}
	if addr, ok, err = readText(r, length); err != nil {
		return "", false, err
	}
	return addr, ok, netstring.ReadComma(r)
}

// reader is what netstrings are read from.
type reader interface {
	io.Reader
	io.ByteReader
}

// readText reads an address of some length, or over one that is too long.
func readText(r io.Reader, length int64) (addr string, ok bool, err error) {
	if length > maxAddress {
		_, err := io.CopyN(io.Discard, r, length)
		return "", false, err
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", false, err
	}
	for _, c := range b {
		if c == 0 {
			return "", false, nil
		}
	}
	return string(b), true, nil
}

// verdict ends the message and says what those recipients are told whose fate it is.
func (s *session) verdict(m *receive.Limited, l *letter, senderOK bool) string {
	err := m.Close()
	qp := m.PID()
	reply := answer(err, s.srv.Now(), qp)
	switch {
	case m.Over:
		reply = replyTooBig
	case !senderOK:
		reply = replySender
	}
	s.tell(m, l, qp, reply)
	return reply
}

// tell has the log tell what has become of a message, if it was for anybody.
func (s *session) tell(m *receive.Limited, l *letter, qp int, reply string) {
	switch {
	case l.named.Count == 0:
	case reply[0] == 'K':
		s.srv.Log.Accepted(qp, m.Size, l.sender, l.named, s.client())
	default:
		s.srv.Log.Refused(l.sender, l.named, s.client(), reply)
	}
}

// client says who the client is.
func (s *session) client() string { return " client " + receive.Word(s.peer.IP) }

// answer is what the queue says about a message.
func answer(err error, now time.Time, qp int) string {
	if err == nil {
		return "K" + receive.Accepted(now, qp)
	}
	var f *fault.Error
	switch {
	case !errors.As(err, &f):
		return "Zqqt failure (#4.3.0)"
	case f.Perm:
		return "D" + f.Text
	}
	return "Z" + f.Text
}

// answer writes an answer for each recipient.
func (s *session) answer(l *letter, message string) {
	for _, v := range l.verdicts {
		if v == "" {
			v = message
		}
		s.wire.Write(netstring.Append(nil, v))
	}
}
