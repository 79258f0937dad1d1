package qmtp

import (
	"io"
	"net"

	"goqmail/internal/netstring"
	"goqmail/receive"
)

// ServeQMQP serves one package. It takes mail for all hosts: who may connect is
// for the server to say that accepts connections.
func (srv *Server) ServeQMQP(conn net.Conn, env receive.Env) error {
	s := srv.session(conn, env)
	return s.finish(s.qmqp())
}

func (s *session) qmqp() error {
	length, err := netstring.ReadLength(s.wire)
	if err != nil {
		return err
	}
	all := &inner{from: s.wire, left: length}
	length, err = netstring.ReadLength(all)
	if err != nil {
		return err
	}
	m, err := s.srv.Queue(s.env)
	if err != nil {
		return err
	}
	body := &receive.Limited{Message: m}
	l := &letter{}
	ok, err := s.readAll(body, l, all, length)
	if err != nil {
		m.Fail()
		m.Close()
		return err
	}
	reply := replyAddress
	err = m.Close()
	qp := m.PID()
	if ok {
		reply = answer(err, s.srv.Now(), qp)
	}
	s.tell(body, l, qp, reply)
	s.wire.Write(netstring.Append(nil, reply))
	return nil
}

// readAll reads the message, its sender and recipients; ok is false if any of the
// addresses cannot be taken.
func (s *session) readAll(m *receive.Limited, l *letter, all *inner, length int64) (ok bool, err error) {
	m.Head(s.peer.Received("QMQP", nil, s.srv.Now()))
	if _, err := io.CopyN(m, all, length); err != nil {
		return false, err
	}
	if err := netstring.ReadComma(all); err != nil {
		return false, err
	}
	sender, ok, err := readAddress(all)
	if err != nil {
		return false, err
	}
	l.sender = sender
	m.From(sender)
	for n := 0; all.left > 0; n++ {
		to, good, err := readAddress(all)
		if err == nil && n == maxRecipients {
			err = errTooMany
		}
		if err != nil {
			return false, err
		}
		if good = good && to != ""; good {
			m.To(to)
			l.named.Add(to)
		}
		ok = ok && good
	}
	if !ok {
		m.Fail()
	}
	return ok, netstring.ReadComma(s.wire)
}
