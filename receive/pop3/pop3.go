// Package pop3 has the two halves of a POP3 server, RFC 1939: [Popup], which
// learns who the user is and leaves the rest to a password checker, and [Mailbox],
// which that checker starts as the user, to serve a maildir.
package pop3

import (
	"errors"
	"net"
	"time"

	"goqmail/receive"
)

// timeout is how long each command is waited for.
const timeout = 1200 * time.Second

// maxErrors is how many commands of a session may fail.
const maxErrors = 1000

// errQuit ends a session as it should, and errEnded one otherwise.
var (
	errQuit  = errors.New("quit")
	errEnded = errors.New("session ended")
)

// Replies. They are interface.
const (
	replyOK            = "+OK "
	replySyntax        = "-ERR syntax error"
	replyTooLong       = "-ERR line too long"
	replyTooMany       = "-ERR too many errors"
	replyUserFirst     = "-ERR USER first"
	replyAuthorize     = "-ERR authorization first"
	replyTLS           = "+OK begin TLS"
	replyTLSTwice      = "-ERR TLS is on"
	replyNoTLS         = "-ERR TLS not available for now"
	replyMustTLS       = "-ERR must issue STLS first"
	replyUsage         = "-ERR usage: popup hostname subprogram"
	replyFork          = "-ERR unable to fork"
	replyPipe          = "-ERR unable to write pipe"
	replyCrashed       = "-ERR aack, child crashed"
	replyRefused       = "-ERR authorization failed"
	replyNoMaildir     = "-ERR this user has no $HOME/Maildir"
	replyScan          = "-ERR unable to scan $HOME/Maildir"
	replyUnimplemented = "-ERR unimplemented"
	replyDeleted       = "-ERR already deleted"
	replyZero          = "-ERR messages are counted from 1"
	replyTooBig        = "-ERR not that many messages"
	replyUnreadable    = "-ERR unable to open that message"
	replyUnlink        = "-ERR unable to unlink all deleted messages"
)

// line is the command side of both halves.
type line struct {
	wire   *receive.Wire
	errors int
}

func newLine(conn net.Conn) *line { return &line{wire: receive.NewWire(conn, timeout)} }

// say writes a reply.
func (l *line) say(reply string) {
	if reply[0] == '-' {
		l.errors++
	}
	l.wire.WriteString(reply + "\r\n")
}

// command is what a server does for a command. An error ends the session.
type command struct {
	verb string
	do   func(argument string) error
}

// serve serves commands, and other for what is none of them, until one ends the
// session.
func (l *line) serve(commands []command, other string) error {
	for {
		verb, argument, err := l.wire.Command()
		switch {
		case errors.Is(err, receive.ErrLineTooLong):
			l.say(replyTooLong)
		case err != nil:
			return errors.Join(errEnded, err)
		default:
			if err := l.one(commands, verb, argument, other); err != nil {
				return err
			}
		}
		if l.errors >= maxErrors {
			l.say(replyTooMany)
			return errEnded
		}
	}
}

func (l *line) one(commands []command, verb, argument, other string) error {
	for _, c := range commands {
		if c.verb == verb {
			return c.do(argument)
		}
	}
	l.say(other)
	return nil
}

func (l *line) ok(string) error {
	l.say(replyOK)
	return nil
}

func (l *line) quit(string) error {
	l.say(replyOK)
	return errQuit
}
