package inject

import (
	"bytes"
	"errors"
	"strings"
	"time"
)

// message is what is known of one message while its header is read.
type message struct {
	*Injector
	now time.Time

	header []byte          // the fields that go out
	size   int             // of these and of the recipients
	seen   map[string]bool // which fields that have a meaning there are
	resent bool            // whether one of these is a Resent- field

	sender     string
	hasSender  bool
	recipients []string // of To, Cc, Bcc, Apparently-To
	resentTo   []string // of the Resent- fields
	followups  []string // of To and Cc, if anybody wants to know
	bad        []byte   // the first recipient field that cannot be parsed
	badResent  []byte   // the same among Resent- fields

	known, knownResent map[string]bool // of recipients and resentTo
}

// readHeader reads the header and what there is to learn from it.
func (in *Injector) readHeader(r *reader) (*message, error) {
	m := &message{Injector: in, now: in.now(), seen: map[string]bool{}, sender: in.sender, hasSender: in.hasSender}
	for {
		field, err := r.next()
		if err != nil {
			return nil, headerError(err)
		}
		if field == nil {
			return m, nil
		}
		if err := m.add(field); err != nil {
			return nil, err
		}
	}
}

func headerError(err error) error {
	if errors.Is(err, errHeaderTooLong) {
		return err
	}
	return readError(err)
}

// add takes in a field.
func (m *message) add(field []byte) error {
	i := bytes.IndexByte(field, ':')
	t := typeOf(string(fieldName(field[:i])))
	switch {
	case t == nil:
		return m.keep(field)
	case m.ignored[t.name]:
		return nil
	}
	m.seen[t.name] = true
	m.resent = m.resent || t.resent()
	if t.holds != noAddresses {
		var err error
		if field, err = m.list(t, field, i); err != nil {
			return err
		}
	}
	if t.removed {
		return nil
	}
	return m.keep(field)
}

// keep puts a field into the header.
func (m *message) keep(field []byte) error {
	m.header = append(m.header, field...)
	return m.grow(len(field))
}

// grow bounds what the message takes.
func (m *message) grow(n int) error {
	if m.size += n; m.size > m.limit {
		return errHeaderTooLong
	}
	return nil
}

// list reads a field with addresses, whose colon is at i, and returns it
// rewritten.
func (m *message) list(t *fieldType, field []byte, i int) ([]byte, error) {
	if m.policy.Exact {
		return m.exactList(t, field, i)
	}
	l := list{defaults: &m.defaults, found: m.finder(t)}
	err := l.parse(string(field[i+1:]))
	switch {
	case errors.Is(err, errHeaderTooLong):
		return nil, err
	case err == nil && !l.bad && !l.open:
		return l.appendField(nil, string(fieldName(field[:i]))), nil
	case errors.Is(err, errNUL), t.sender() && (err != nil || l.bad):
		return nil, lineError(string(field))
	}
	return field, nil // Compat: the addresses found count, the field stays as it is
}

// sender reports whether the field says who the message is from.
func (t *fieldType) sender() bool { return t.holds == senders || t.holds == returnPath }

// An address with a NUL in it cannot be told to qmail-queue.
var errNUL = errors.New("NUL in an address")

// finder returns what to do with the addresses of a field.
func (m *message) finder(t *fieldType) func(string) error {
	if t.holds == senders {
		return func(string) error { return nil }
	}
	return func(address string) error {
		switch {
		case strings.IndexByte(address, 0) >= 0:
			return errNUL
		case t.holds == returnPath:
			m.setSender(address)
			return nil
		case address == "":
			return nil // nobody can be reached there
		}
		return m.addRecipient(t.holds, address)
	}
}

// setSender takes the first address of the first Return-Path field.
func (m *message) setSender(address string) {
	if m.hasSender {
		return
	}
	if m.verp {
		address += "-@[]"
	}
	m.sender, m.hasSender = address, true
}

func (m *message) addRecipient(holds contents, address string) error {
	if holds == toCc && m.lists != nil {
		m.followups = append(m.followups, address)
	}
	switch {
	case !m.fromHeader() || !m.isNew(holds, address):
		return nil
	case holds == resentRecipients:
		m.resentTo = append(m.resentTo, address)
	default:
		m.recipients = append(m.recipients, address)
	}
	return m.grow(len(address))
}
