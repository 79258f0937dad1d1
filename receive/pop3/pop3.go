// Package pop3 serves a maildir by POP3, RFC 1939, to a user who is known: the half
// of the server that a password checker starts. It has what is common to both halves
// too; the other one is package popup.
package pop3

import (
	"errors"
	"net"
	"time"

	"goqmail/receive"
)

// Timeout is how long each command is waited for.
const Timeout = 1200 * time.Second

// maxErrors is how many commands of a session may fail.
const maxErrors = 1000

// ErrQuit ends a session as it should, and ErrEnded one otherwise.
var (
	ErrQuit  = errors.New("quit")
	ErrEnded = errors.New("session ended")
)

// Replies of both halves. They are interface.
const (
	ReplyOK     = "+OK "
	ReplySyntax = "-ERR syntax error"
)

// Replies of this one.
const (
	replyTooLong       = "-ERR line too long"
	replyTooMany       = "-ERR too many errors"
	replyNoMaildir     = "-ERR this user has no $HOME/Maildir"
	replyScan          = "-ERR unable to scan $HOME/Maildir"
	replyUnimplemented = "-ERR unimplemented"
	replyDeleted       = "-ERR already deleted"
	replyZero          = "-ERR messages are counted from 1"
	replyTooBig        = "-ERR not that many messages"
	replyUnreadable    = "-ERR unable to open that message"
	replyUnlink        = "-ERR unable to unlink all deleted messages"
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

// Line is the command side of both halves.
type Line struct {
	Wire   *receive.Wire
	errors int
}

// NewLine returns one over a connection.
func NewLine(conn net.Conn) *Line { return &Line{Wire: receive.NewWire(conn, Timeout)} }

// Say writes a reply.
func (l *Line) Say(reply string) {
	if reply[0] == '-' {
		l.errors++
	}
	l.Wire.WriteString(reply + "\r\n")
}

// Commands are what a server does for its commands, by their names. An error ends the
// session.
type Commands map[string]func(argument string) error

// Serve serves commands, and other for what is none of them, until one ends the
// session.
func (l *Line) Serve(commands Commands, other string) error {
	for {
		verb, argument, err := l.Wire.Command()
		switch {
		case errors.Is(err, receive.ErrLineTooLong):
			l.Say(replyTooLong)
		case err != nil:
			return errors.Join(ErrEnded, err)
		default:
			if err := l.one(commands, verb, argument, other); err != nil {
				return err
			}
		}
		if l.errors >= maxErrors {
			l.Say(replyTooMany)
			return ErrEnded
		}
	}
}

func (l *Line) one(commands Commands, verb, argument, other string) error {
	if do, ok := commands[verb]; ok {
		return do(argument)
	}
	l.Say(other)
	return nil
}

// OK is what answers yes.
func (l *Line) OK(string) error {
	l.Say(ReplyOK)
	return nil
}

// Quit ends a session.
func (l *Line) Quit(string) error {
	l.Say(ReplyOK)
	return ErrQuit
}

// Capabilities answers CAPA, RFC 2449: what both halves can do, USER if a user may be
// named now, and STLS if TLS may begin.
func (l *Line) Capabilities(user, stls bool) {
	l.Say(ReplyOK)
	for _, c := range []struct {
		name string
		ok   bool
	}{{"USER", user}, {"TOP", true}, {"UIDL", true}, {"PIPELINING", true}, {"STLS", stls}, {"IMPLEMENTATION goqmail", true}} {
		if c.ok {
			l.Say(c.name)
		}
	}
	l.Say(".")
}
