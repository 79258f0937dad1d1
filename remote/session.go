package remote

import (
	"slices"
	"strconv"
	"strings"
)

// greeting waits for the greeting. If ok is false the host is of no use; another
// one may be.
func (s *session) greeting() (v verdict, ok bool) {
	r, err := s.reply()
	if err != nil {
		return s.died(), false
	}
	if r.code != 220 {
		return s.says('Z', "Connected to ", " but greeting failed", r), false
	}
	return verdict{}, true
}

// hello says who this host is, by EHLO, or by HELO to a host that does not take
// that. What it offers is in extensions then. If ok is false the host is of no
// use.
func (s *session) hello(name string) (v verdict, ok bool) {
	r, err := s.command("EHLO " + name)
	if err == nil && r.code == 250 {
		s.extensions = parseExtensions(r.text)
		return verdict{}, true
	}
	if err == nil && r.code != 421 { // with 421 it hangs up, RFC 5321 section 3.8
		r, err = s.command("HELO " + name)
	}
	if err != nil {
		return s.died(), false
	}
	if r.code != 250 {
		return s.says('Z', "Connected to ", " but my name was rejected", r), false
	}
	return verdict{}, true
}

// transfer carries a message over, tells what the host says of the recipients and
// returns the verdict on the message.
func (s *session) transfer(m *Mail, h hearer) verdict {
	if s.isQMTP {
		return s.qmtp(m, h)
	}
	s.ready, s.asking, s.dataAhead = false, false, false
	accepted, v := s.envelope(m, h)
	if v != nil {
		return *v
	}
	if accepted == 0 && !s.dataAhead {
		return s.givesUp()
	}
	r, err := s.data()
	switch {
	case err != nil && accepted == 0:
		s.dead = true
	case accepted == 0:
		// A host that goes ahead all the same gets no message to nobody: it is left
		// before the dot.
		s.dead = r.code < 400
	case err != nil:
		return s.died()
	case r.code >= 500:
		return s.says('D', "", " failed on DATA command", r)
	case r.code < 300 || r.code >= 400:
		// Compat: the original goes ahead after 250 too, to a host that is not
		// waiting for a message and would read it as commands.
		return s.says('Z', "", " failed on DATA command", r)
	default:
		return s.message(m)
	}
	return s.givesUp()
}

// data returns the reply to DATA, which may have been sent already.
func (s *session) data() (reply, error) {
	if s.dataAhead {
		return s.reply()
	}
	return s.command("DATA")
}

// givesUp is the verdict on a message if no recipient was accepted.
// Compat: a D even if all were refused only for now.
func (s *session) givesUp() verdict { return s.says('D', "Giving up on ", "", reply{}) }

// message sends the message, after DATA. If it cannot be read to its end, the
// connection ends in the middle of it, and the host throws it away.
func (s *session) message(m *Mail) verdict {
	switch err := s.bodyOf(m).(type) {
	case nil:
	case *connError:
		s.lost = err.error
		return s.died()
	default:
		s.dead = true
		return verdictOf(err)
	}
	r, err := s.reply()
	if err != nil {
		return s.died()
	}
	s.critical = false
	s.messages++
	s.ready = r.code >= 200 && (r.code < 300 || r.code >= 400) && r.code != 421
	switch {
	case r.code >= 500:
		return s.says('D', "", " failed after I sent the message", r)
	case r.code < 200 || r.code >= 300:
		// Compat: the original takes 1xx and 3xx for a yes. They are none.
		return s.says('Z', "", " failed after I sent the message", r)
	}
	return s.says('K', "", " accepted message", r)
}

// stale is the verdict of a session that has carried a message over and did not wait
// for another one, or does not take it: a new one is begun. It is a value of no report.
var stale = verdict{text: "stale"}

// pipelined is how many bytes of commands go out ahead of the replies where the
// host offers PIPELINING. They fit any socket buffer: a host that does not read
// before its replies are read cannot block both, RFC 2920 section 3.1.
const pipelined = 4 << 10

// envelope tells the sender and the recipients, and what the host says of each. It
// returns how many were accepted, or a verdict on the message.
func (s *session) envelope(m *Mail, h hearer) (accepted int, v *verdict) {
	if v := s.chooseUTF8(m); v != nil {
		return 0, v
	}
	mail := "MAIL FROM:<" + mailbox(m.Sender, s.utf8) + ">" + s.parameters(m)
	for next := -1; next < len(m.Recipients); { // -1 is the sender
		end := s.sendSome(mail, m.Recipients, next)
		for ; next < end; next++ {
			if next >= 0 {
				if v := s.unsendable(m.Recipients[next]); v != nil {
					h.hear(answer{verdict: *v})
					continue
				}
			}
			r, err := s.reply()
			if next < 0 && s.used && (err != nil || r.code >= 400) {
				// What it says may be about the messages before.
				s.dead = true
				return 0, &stale
			}
			if err != nil {
				v := s.died()
				return 0, &v
			}
			if next >= 0 {
				accepted += s.recipient(r, h)
			} else if r.code == needed && s.tls.failure != nil {
				return 0, s.tls.failure // what failed may work later
			} else if r.code >= 400 {
				v := s.says(letter('D', 'Z', r.code), "Connected to ", " but sender was rejected", r)
				return 0, &v
			}
			s.asking = true
		}
	}
	return accepted, nil
}

// sendSome sends the commands for the recipients from next on: as many as may go
// ahead of the replies, one at least, and DATA if there is room after the last one. It
// returns the first one that is left.
func (s *session) sendSome(mail string, recipients []string, next int) (end int) {
	ahead, asked := 0, 0
	pipelining := s.extensions.has("PIPELINING")
	for end = next; end < len(recipients); end++ {
		line := mail
		if end >= 0 {
			if s.unsendable(recipients[end]) != nil {
				continue
			}
			line = "RCPT TO:<" + mailbox(recipients[end], s.utf8) + ">"
			asked++
		}
		ahead += len(line)
		if ahead > len(line) && (ahead > pipelined || !pipelining) {
			return end
		}
		s.write(line)
	}
	if s.dataAhead = pipelining && asked > 0; s.dataAhead {
		s.write("DATA")
	}
	return end
}

// chooseUTF8 decides about SMTPUTF8, RFC 6531. It returns the verdict on a message
// that would need it.
func (s *session) chooseUTF8(m *Mail) *verdict {
	needed := needsUTF8(m.Sender) || m.headerNeedsUTF8()
	offered := s.extensions.has("SMTPUTF8")
	if needed && !offered {
		v := verdict{'D', "Connected to " + s.peer + " but server does not support unicode in email addresses. (#5.6.7)\n"}.with(s.tls.note)
		return &v
	}
	s.utf8 = needed || offered && slices.ContainsFunc(m.Recipients, needsUTF8)
	return nil
}

// unsendable returns the report on a recipient that is not told the host.
func (s *session) unsendable(recipient string) *verdict {
	switch {
	case !sendable(recipient):
		return &verdict{'h', errRecipient.Text + "\n"}
	case !s.utf8 && needsUTF8(recipient):
		return &verdict{'h', s.peer + " does not support unicode in email addresses. (#5.6.7)\n"}
	}
	return nil
}

// recipient tells what the host says of a recipient and returns 1 if it was accepted.
// Compat: all codes below 400 will do.
func (s *session) recipient(r reply, h hearer) int {
	if r.code < 400 {
		h.hear(answer{verdict: verdict{letter: 'r'}, code: r.code})
		return 1
	}
	v := verdict{letter('h', 's', r.code), s.peer + " does not like recipient.\n" + r.said()}
	h.hear(answer{verdict: v, code: r.code, tooMany: r.tooMany()})
	return 0
}

// letter chooses between for good and for now.
func letter(hard, soft byte, code int) byte {
	if code >= 500 {
		return hard
	}
	return soft
}

// parameters are those of MAIL, for what the host offers: SIZE (RFC 1870), BODY
// (RFC 6152) for a message that needs it, and SMTPUTF8. A host that does not offer
// 8BITMIME gets an 8-bit message all the same, as from every qmail.
func (s *session) parameters(m *Mail) string {
	text := ""
	if s.utf8 {
		text = " SMTPUTF8"
	}
	if !s.extensions.has("SIZE") && !s.extensions.has("8BITMIME") {
		return text
	}
	size, eightBit, known := m.survey()
	if known && s.extensions.has("SIZE") {
		text += " SIZE=" + strconv.FormatInt(size, 10)
	}
	if eightBit && s.extensions.has("8BITMIME") {
		text += " BODY=8BITMIME"
	}
	return text
}

// sendable reports whether an address fits into one line of SMTP. No quoting
// helps a line break: what follows it would be a command.
func sendable(addr string) bool { return !strings.ContainsAny(addr, "\r\n\x00") }
