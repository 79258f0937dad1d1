// Package fault has the error that knows whether it is temporary.
//
// Inside a package errors are ordinary; where one reaches a user, a log or a
// bounce it becomes an [Error], whose text is interface. What carries no verdict
// is temporary: a message is tried again rather than bounced for a reason that
// nobody thought of.
package fault

import "errors"

// Error is a failure with a verdict and a text for people.
type Error struct {
	Perm bool   // for good; otherwise it may work later
	Text string // what users and logs are told, with its (#x.y.z), no newline
	Err  error  // the cause, if there is one; never shown to users
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Text
	}
	return e.Text + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Hard is a permanent failure with that text.
func Hard(text string) *Error { return &Error{Perm: true, Text: text} }

// Soft is a temporary failure with that text and cause, which may be nil.
func Soft(text string, cause error) *Error { return &Error{Text: text, Err: cause} }

// IsPermanent reports whether err carries the verdict that it is for good.
func IsPermanent(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Perm
}
