package smtp

import (
	"cmp"

	"goqmail/receive"
)

// Log is a [receive.Log] that writes a line for each message that was accepted or
// refused and for each recipient that was refused, qmail-smtpd(8).
type Log receive.Log

func (l *Log) log() *receive.Log { return (*receive.Log)(l) }

// accepted tells of a message in the queue.
func (l *Log) accepted(s *session, m *mail, qp int, size int64) {
	l.log().Accepted(qp, size, m.sender, receive.NamesOf(m.to...), s.client())
}

// rejected tells of a message that was not taken.
func (l *Log) rejected(s *session, m *mail, reply string) {
	l.log().Refused(m.sender, receive.NamesOf(m.to...), s.client(), reply)
}

// refused tells of a recipient that was not taken. That there is no rcpthosts is
// told wherever the client comes from: nobody else would notice.
func (l *Log) refused(s *session, to, reply string) {
	if reply != replyNoGateway || s.set.Hosts.Given() {
		l.log().Refused(s.mail.sender, receive.NamesOf(to), s.client(), reply)
		return
	}
	l.log().Line("refused from <", word(s.mail.sender), "> to <", word(to), ">", s.client(), " reply ", word(reply),
		" (there is no control/rcpthosts: mail is taken from clients with RELAYCLIENT only)")
}

// event tells of something that went wrong with a client.
func (l *Log) event(s *session, what, detail string) {
	l.log().Event(what, word(detail), s.client())
}

func word(s string) string { return receive.Word(s) }

// client says who the client of a session is.
func (s *session) client() string {
	text := " client " + word(s.set.Peer.IP)
	if s.helo != nil {
		text += " helo <" + word(*s.helo) + ">"
	}
	if s.tls != nil {
		text += " tls " + cmp.Or(s.tls.version, "yes")
	}
	if s.certificate != "" {
		text += " certificate <" + word(s.certificate) + ">"
	}
	if s.user != "" {
		text += " user <" + word(s.user) + ">"
	}
	return text
}
