package inject

import (
	"strconv"
	"time"

	"goqmail/internal/address"
)

// value is an environment variable, which may be set to nothing.
type value struct {
	text string
	set  bool
}

// identity is who sends messages, by the environment.
type identity struct {
	user, host, name value // of the From field
	senderUser       value // of the envelope
	senderHost       value
}

// identify reads the environment; of each list of variables the first one set
// counts.
func identify(getenv func(string) (string, bool)) identity {
	first := func(names ...string) (v value) {
		for _, name := range names {
			if v.text, v.set = getenv(name); v.set {
				break
			}
		}
		return v
	}
	id := identity{
		user:       first("QMAILUSER", "MAILUSER", "USER", "LOGNAME"),
		host:       first("QMAILHOST", "MAILHOST"),
		name:       first("QMAILNAME", "MAILNAME", "NAME"),
		senderUser: first("QMAILSUSER"),
		senderHost: first("QMAILSHOST", "QMAILHOST", "MAILHOST"),
	}
	if !id.user.set {
		id.user = value{"anonymous", true}
	}
	if !id.senderUser.set {
		id.senderUser = id.user
	}
	return id
}

// from returns a From field for a message that has none.
func (in *Injector) from() ([]byte, error) {
	id := in.identity
	box, err := mailbox(id.user.text, id.host.text, id.host.set)
	if err != nil {
		return nil, lineError("From: " + address.QuoteLocal(id.user.text) + "@" + id.host.text + "\n")
	}
	if box, err = in.exactFrom(box); err != nil {
		return nil, err
	}
	switch {
	case !id.name.set:
	case in.nameComment:
		box = append(box, token{comment, id.name.text})
	default:
		box = append(append(in.nameTokens(id.name.text), token{kind: left}), append(box, token{kind: right})...)
	}
	l := list{defaults: &in.defaults, found: func(string) error { return nil }}
	l.part(box)
	return l.appendField(nil, "From"), nil
}

// defaultSender returns the envelope sender of a message that names none. With
// the letter r in QMAILINJECT it is one for each recipient, with m one for this
// message: see VERP in addresses(5).
func (in *Injector) defaultSender(now time.Time) (string, error) {
	id := in.identity
	user := id.senderUser.text
	if in.perMessage {
		user += "-" + strconv.FormatInt(now.Unix(), 10) + "." + strconv.Itoa(in.pid)
	}
	suffix := ""
	if in.verp {
		user += "-"
		suffix = "-@[]"
	}
	box, err := mailbox(user, id.senderHost.text, id.senderHost.set)
	if err != nil {
		return "", lineError("Return-Path: " + address.QuoteLocal(user) + "@" + id.senderHost.text + "\n")
	}
	box, _ = in.defaults.qualify(nil, box)
	return envelope(box) + suffix, nil
}
