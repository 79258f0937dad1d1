package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"strconv"
	"time"

	"goqmail/internal/fault"
	"goqmail/internal/netstring"
)

// qmtpPort is where QMTP servers listen, and qmtpsPort where they speak TLS from the
// first byte on, in s/qmail.
const (
	qmtpPort  = 209
	qmtpsPort = 6209
)

// speaksQMTP reports whether an exchanger of this preference is to be tried by
// QMTP first, and by SMTP if it cannot be connected to so:
// https://cr.yp.to/im/mxps.html.
func speaksQMTP(pref uint16) bool { return pref >= 12800 && pref <= 13055 && pref%16 == 1 }

// openQMTP connects to a QMTP server, to which nothing is said before the first
// message but what TLS needs. There is TLS by the port alone: where it is required,
// another port is not used.
func (c *Client) openQMTP(ctx context.Context, s *Settings, m *Mail, to target, need Requirement) (*session, *refusal) {
	withTLS := to.addr.Port() == qmtpsPort
	if need.Level == MustTLS && !withTLS {
		text := "There is no TLS in QMTP, but it is required for " + printable(to.name) + ". (#4.7.5)"
		return nil, &refusal{verdict: verdictOf(fault.Soft(text, nil))}
	}
	conn, err := c.connect(ctx, to, s.ConnectTimeout)
	if err != nil {
		return nil, &refusal{verdict: verdictOf(err)}
	}
	session := newSession(conn, to.addr.Addr().String(), s.Timeout)
	session.stop = context.AfterFunc(ctx, func() { conn.Close() })
	session.isQMTP = true
	if !withTLS {
		return session, nil
	}
	need.Level = MustTLS
	if err := session.handshake(ctx, func() (*tls.Config, error) { return c.tlsConfig(s, m.Sender, to.name, need) }); err != nil {
		session.bye()
		return nil, &refusal{verdict: session.tlsFailed(to.name, err), met: true}
	}
	session.verified("TLS ", need)
	return session, nil
}

// qmtp carries a message over by QMTP (https://cr.yp.to/proto/qmtp.txt), as one
// package, tells what the host says of each recipient and returns the verdict on the
// message.
//
// Nothing of the message is changed: its lines may be of any kind, and its last
// one need not end. The length that goes before it says where it ends, so that
// nothing in it can be mistaken for anything else.
func (s *session) qmtp(m *Mail, h hearer) verdict {
	s.dead = true // there is no goodbye
	recipients := sendableOnes(m.Recipients)
	if len(recipients) > 0 {
		switch err := s.sendPackage(m, recipients).(type) {
		case nil:
		case *connError:
			return s.died()
		default:
			return verdictOf(err)
		}
	}
	var accepted []byte
	for _, recipient := range m.Recipients {
		if !sendable(recipient) {
			h.hear(answer{verdict: verdict{'h', errRecipient.Text + "\n"}})
			continue
		}
		a, err := s.answer()
		if err != nil {
			if err == errQMTP {
				return verdictOf(err)
			}
			return s.died()
		}
		h.hear(a.about(s))
		if a.letter == 'K' && accepted == nil {
			accepted = a.text
		}
	}
	if accepted == nil {
		return s.givesUp()
	}
	return qmtpAnswer{'K', accepted}.taken(s)
}

func sendableOnes(recipients []string) []string {
	var all []string
	for _, r := range recipients {
		if sendable(r) {
			all = append(all, r)
		}
	}
	return all
}

// sendPackage sends the message, its sender and the recipients. The error is a
// connError, or about the message: then the connection must end here, before the
// package does.
func (s *session) sendPackage(m *Mail, recipients []string) error {
	message := m.Message
	if m.shared != nil {
		message = m.shared.reader()
	}
	size, ok := length(message)
	if !ok {
		return errMessage
	}
	s.out.WriteString(strconv.FormatInt(size+1, 10) + ":\n")
	if err := s.copyMessage(message, size); err != nil {
		return err
	}
	s.out.WriteByte(',')
	s.out.Write(netstring.Append(nil, m.Sender))
	var list []byte
	for _, r := range recipients {
		list = netstring.Append(list, r)
	}
	s.critical = true // with the last comma the host has it
	s.out.Write(netstring.Append(nil, string(list)))
	if err := s.out.Flush(); err != nil {
		return &connError{err}
	}
	return nil
}

// length returns how many bytes of a message are left. It must be able to seek.
func length(message io.Reader) (int64, bool) {
	file, ok := message.(io.Seeker)
	if !ok {
		return 0, false
	}
	start, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, false
	}
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil || end < start {
		return 0, false
	}
	_, err = file.Seek(start, io.SeekStart)
	return end - start, err == nil
}

// copyMessage sends just so many bytes of the message.
func (s *session) copyMessage(message io.Reader, size int64) error {
	buf := make([]byte, readSize)
	for size > 0 {
		n, err := message.Read(buf[:min(size, readSize)])
		size -= int64(n)
		if _, werr := s.out.Write(buf[:n]); werr != nil {
			return &connError{werr}
		}
		if err != nil && size > 0 {
			return errMessage
		}
	}
	return nil
}

// qmtpAnswer is what a QMTP server says of a recipient: K, Z or D, and a text.
type qmtpAnswer struct {
	letter byte
	text   []byte // cut at mostText bytes
}

// answer reads an answer, all of which has to come in time. The error is errQMTP,
// or one of the connection.
func (s *session) answer() (qmtpAnswer, error) {
	if err := s.conn.SetReadDeadline(time.Now().Add(s.timeout)); err != nil {
		return qmtpAnswer{}, err
	}
	return readAnswer(s.in)
}

// netstringReader is what answers are read from.
type netstringReader interface {
	io.Reader
	io.ByteReader
}

// readAnswer reads an answer. Whatever its length, it takes no more memory than
// mostText bytes.
func readAnswer(in netstringReader) (a qmtpAnswer, err error) {
	size, err := netstring.ReadLength(in)
	if err == nil && (size == 0 || size > mostReply) {
		err = netstring.ErrFormat
	}
	if err != nil {
		return qmtpAnswer{}, properly(err)
	}
	if a.letter, err = in.ReadByte(); err != nil {
		return qmtpAnswer{}, err
	}
	size--
	a.text = make([]byte, min(size, mostText))
	if _, err := io.ReadFull(in, a.text); err != nil {
		return qmtpAnswer{}, err
	}
	if _, err := io.CopyN(io.Discard, in, size-int64(len(a.text))); err != nil {
		return qmtpAnswer{}, err
	}
	if a.letter != 'K' && a.letter != 'Z' && a.letter != 'D' {
		return qmtpAnswer{}, errQMTP
	}
	return a, properly(netstring.ReadComma(in))
}

// properly returns errQMTP for what is no netstring.
func properly(err error) error {
	if err == netstring.ErrFormat || err == netstring.ErrTooLong {
		return errQMTP
	}
	return err
}

// about is the report on the recipient.
func (a qmtpAnswer) about(s *session) answer {
	switch a.letter {
	case 'K':
		message := a.taken(s)
		return answer{verdict: verdict{letter: 'r'}, message: &message}
	case 'D':
		return answer{verdict: verdict{'h', s.peer + " does not like recipient.\n" + told(a.text)}}
	}
	return answer{verdict: verdict{'s', s.peer + " does not like recipient.\n" + told(a.text)}}
}

// taken is the verdict on the message, for a recipient that was accepted.
func (a qmtpAnswer) taken(s *session) verdict {
	return verdict{'K', s.peer + " accepted message.\n" + told(a.text)}.with(s.tls.note)
}

// told is the text of an answer as reports tell it, as that of an SMTP reply.
func told(text []byte) string {
	text = bytes.TrimRight(bytes.ReplaceAll(text, []byte{'\r'}, nil), "\n")
	if len(text) == 0 {
		return ""
	}
	return reply{text: text}.said() + "\n"
}
