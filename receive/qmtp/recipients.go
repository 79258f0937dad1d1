package qmtp

import (
	"io"

	"goqmail/internal/netstring"
	"goqmail/receive"
)

// recipients reads the netstring of recipients and names those to the queue that
// mail is taken for.
func (s *session) recipients(m *receive.Limited, l *letter) error {
	length, err := netstring.ReadLength(s.wire)
	if err != nil {
		return err
	}
	list := &inner{from: s.wire, left: length}
	for list.left > 0 {
		if len(l.verdicts) == maxRecipients {
			return errTooMany
		}
		addr, ok, err := readAddress(list)
		if err != nil {
			return err
		}
		verdict, err := s.recipient(&addr, ok)
		if err != nil {
			return err
		}
		if verdict == "" {
			m.To(addr)
			l.named.Add(addr)
		} else if s.refused++; s.refused <= maxRefusedLines {
			s.srv.Log.Refused(l.sender, receive.NamesOf(addr), s.client(), verdict)
		}
		l.verdicts = append(l.verdicts, verdict)
	}
	if l.named.Count == 0 {
		m.Fail()
	}
	return netstring.ReadComma(s.wire)
}

// maxRefusedLines is how many refused recipients of a session the log has lines of.
const maxRefusedLines = 1000

// recipient returns what a recipient is told if it is not taken. A relay client's
// gets what $RELAYCLIENT adds.
func (s *session) recipient(addr *string, ok bool) (verdict string, err error) {
	if !ok || *addr == "" || len(*addr)+len(s.relay) > maxAddress {
		return replyRecipient, nil
	}
	switch {
	case s.mayRelay:
		*addr += s.relay
		return "", nil
	case !s.hosts.Given() && s.srv.Open:
		return "", nil
	}
	allowed, err := s.hosts.Allowed(*addr)
	if err != nil || allowed {
		return "", err
	}
	return replyNoGateway, nil
}

// inner is what is left of a netstring that holds others. To read beyond it is an
// error of the client.
type inner struct {
	from reader
	left int64
}

func (in *inner) ReadByte() (byte, error) {
	if in.left == 0 {
		return 0, netstring.ErrFormat
	}
	c, err := in.from.ReadByte()
	if err == nil {
		in.left--
	}
	return c, err
}

func (in *inner) Read(p []byte) (int, error) {
	if in.left == 0 {
		return 0, netstring.ErrFormat
	}
	n, err := in.from.Read(p[:min(int64(len(p)), in.left)])
	in.left -= int64(n)
	return n, err
}

var _ io.ByteReader = (*inner)(nil)
