package local

import (
	"errors"
	"io"

	"goqmail/internal/fault"
	"goqmail/internal/syserr"
)

// forward queues the message once for all addresses that it goes on to.
func (r *run) forward() error {
	if len(r.to) == 0 {
		return nil
	}
	if err := r.rewind(); err != nil {
		return err
	}
	m, err := r.Queue(r.env)
	if err != nil {
		return fault.Soft("Unable to fork: "+syserr.Text(err)+". (#4.3.0)", err)
	}
	io.WriteString(m, r.added.deliveredTo)
	unread := r.copyTo(m)
	if unread != nil {
		m.Fail()
	}
	m.From(r.newSender)
	for _, to := range r.to {
		m.To(to)
	}
	err = m.Close()
	r.qp = m.PID()
	if f, ok := unreadable(unread); ok {
		return f
	}
	if err == nil {
		err = unread
	}
	if err == nil {
		return nil
	}
	reason := "qq temporary problem (#4.3.0)"
	var f *fault.Error
	if errors.As(err, &f) {
		reason = f.Text
	}
	return &fault.Error{Perm: fault.IsPermanent(err), Text: "Unable to forward message: " + reason + ".", Err: err}
}
