// Package forward passes the message of a delivery on to other addresses, as
// programs in .qmail files do: with the line Delivered-To in front, so that a loop
// is noticed, and otherwise as it came.
package forward

import (
	"io"
	"os"

	"goqmail/internal/fault"
	"goqmail/internal/qq"
	"goqmail/internal/syserr"
)

// Envelope says where a message comes from and goes to. Addresses are taken as
// they are.
type Envelope struct {
	Sender string
	To     []string
	DTLine string // the line Delivered-To, with its newline
}

// FromEnv is the envelope that qmail-local(8) left in the environment, with the
// sender in the variable of that name.
func FromEnv(sender string) (Envelope, error) {
	var e Envelope
	for _, v := range []struct {
		name  string
		value *string
	}{{sender, &e.Sender}, {"DTLINE", &e.DTLine}} {
		value, ok := os.LookupEnv(v.name)
		if !ok {
			return e, fault.Hard(v.name + " not set")
		}
		*v.value = value
	}
	return e, nil
}

// Send queues the message and returns the process that queued it. An error is of
// type [fault.Error].
func Send(queue qq.Queue, e Envelope, message io.Reader) (pid int, err error) {
	m, err := queue.Open()
	if err != nil {
		return 0, fault.Soft("unable to fork: "+syserr.Text(err), err)
	}
	m.WriteString(e.DTLine)
	_, unread := io.CopyBuffer(m, onlyReader{message}, make([]byte, 32<<10))
	if unread != nil {
		m.Fail()
	}
	m.From(e.Sender)
	for _, to := range e.To {
		m.To(to)
	}
	err = m.Close()
	if unread != nil {
		return 0, fault.Soft("unable to read message: "+syserr.Text(unread), unread)
	}
	return m.PID(), err
}

// onlyReader keeps io.CopyBuffer from asking a file how else it could be copied.
type onlyReader struct{ io.Reader }
