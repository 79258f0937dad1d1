package inject

import (
	"bufio"
	"io"
	"time"

	"goqmail/control"
	"goqmail/internal/address"
	"goqmail/internal/fault"
)

// Policy says in what a program differs from qmail-inject, whose own policy is
// the zero value.
type Policy struct {
	// Exact keeps every byte of a field with addresses but for those of an address
	// that has to be completed, and a comma that is missing. Otherwise such fields
	// are written anew. A field that says who gets the message is an error if it
	// cannot be parsed; any other one is then left alone. Recipients and the sender
	// that are given as arguments are read in the same way, a recipient as a list.
	// Nobody gets a message twice. Return-Path says nothing, and nothing stands in
	// for recipients that are not shown.
	Exact bool
	// RefuseNobody makes it an error if there is no recipient.
	RefuseNobody bool
}

// Recipients says who a message goes to.
type Recipients int

const (
	Arguments Recipients = 1 << iota // those that were given
	Header                           // those in the header

	Either Recipients = 0 // those that were given, or if there are none, those in the header
	Both              = Arguments | Header
)

// Injector takes messages. It can take several, at the same time too, once
// Recipients, SetSender and AddRecipients have been seen to.
type Injector struct {
	Recipients Recipients // to be set before the recipients are given

	policy   Policy
	now      func() time.Time
	pid      int
	limit    int // MaxHeader
	defaults defaults
	idhost   string
	lists    control.Map // mailing lists the user is on, nil if unknown
	identity identity
	senders  control.Map // by control/masquerade

	// What $QMAILINJECT wants.
	nameComment, verp, perMessage bool
	ignored                       map[string]bool // fields

	sender    string
	hasSender bool
	given     []string
	known     map[string]bool // of given
	separator string          // of VERP, empty for none
}

// Queue takes a message, as qq.Message does.
type Queue interface {
	io.Writer
	From(sender string)
	To(recipient string)
	Fail()
	Close() error
}

// SetSender sets the envelope sender, whatever the header says. It is a mailbox,
// not an address as in a header: see [Injector.AddRecipients]. The empty string
// is the null sender.
func (in *Injector) SetSender(arg string) error {
	if in.policy.Exact {
		return in.setExactSender(arg)
	}
	sender, err := in.defaults.argument(arg)
	if err != nil && arg != "" {
		return lineError(address.Quote(arg))
	}
	in.sender, in.hasSender = sender, true
	return nil
}

// AddRecipients adds recipients that were given as arguments, unless only those
// in the header are wanted. An argument is cut at its last @; what is before is
// the local part as it stands, and what is after is read as a host in a header.
func (in *Injector) AddRecipients(args []string) error {
	if in.Recipients == Header {
		return nil
	}
	for _, arg := range args {
		if in.policy.Exact {
			if err := in.addExact(arg); err != nil {
				return err
			}
			continue
		}
		recipient, err := in.defaults.argument(arg)
		if err != nil {
			return addressError(arg)
		}
		in.given = append(in.given, recipient)
	}
	return nil
}

// Given returns the recipients that were added, complete.
func (in *Injector) Given() []string { return in.given }

// fromHeader reports whether the header's recipients get the message.
func (in *Injector) fromHeader() bool {
	return in.Recipients&Header != 0 || in.Recipients == Either && len(in.given) == 0
}

// Queue hands a message over to the queue, which open opens once the header is
// known to be good. Nil means that the message is queued.
func (in *Injector) Queue(message io.Reader, open func() (Queue, error)) error {
	r := newReader(message, in.limit)
	m, top, err := in.prepare(r)
	if err != nil {
		return err
	}
	q, err := open()
	if err != nil {
		return fault.Soft("unable to run qmail-queue", err)
	}
	if err := m.write(q, top, r); err != nil {
		q.Fail()
		q.Close()
		return err
	}
	q.From(m.sender)
	for _, recipient := range in.given {
		q.To(recipient)
	}
	for _, recipient := range m.headerRecipients() {
		q.To(recipient)
	}
	return q.Close()
}

// Print writes the message as it would be queued to w, with the envelope sender
// in front.
func (in *Injector) Print(message io.Reader, w io.Writer) error {
	r := newReader(message, in.limit)
	m, top, err := in.prepare(r)
	if err != nil {
		return err
	}
	sender := "Return-Path: <" + oneLine(address.Quote(m.sender)) + ">\n"
	out := bufio.NewWriterSize(w, bufferSize)
	if err := m.write(out, append([]byte(sender), top...), r); err != nil {
		return err
	}
	return writeError(out.Flush())
}

// prepare reads the header and makes what is missing of it.
func (in *Injector) prepare(r *reader) (*message, []byte, error) {
	m, err := in.readHeader(r)
	if err != nil {
		return nil, nil, err
	}
	if err := m.badRecipients(); err != nil {
		return nil, nil, err
	}
	if !m.hasSender {
		if m.sender, err = in.defaultSender(m.now); err != nil {
			return nil, nil, err
		}
	}
	m.sender = in.envelopeSender(m.sender)
	if in.policy.RefuseNobody && len(in.given)+len(m.headerRecipients()) == 0 {
		return nil, nil, &fault.Error{Perm: true, Text: "no recipients", Err: ErrNobody}
	}
	top, err := m.top()
	return m, top, err
}

// headerRecipients returns the recipients in the header, none if they are not
// wanted.
func (m *message) headerRecipients() []string {
	if m.resent {
		return m.resentTo
	}
	return m.recipients
}

// write writes the message: what was missing of the header, the header, and the
// body.
func (m *message) write(w io.Writer, top []byte, body io.Reader) error {
	if _, err := w.Write(top); err != nil {
		return writeError(err)
	}
	if _, err := w.Write(m.header); err != nil {
		return writeError(err)
	}
	return copyBody(w, body)
}
