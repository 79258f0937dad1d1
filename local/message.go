package local

import (
	"errors"
	"io"

	"goqmail/internal/fault"
	"goqmail/internal/syserr"
)

// readError is trouble with the message itself, told from trouble with what it
// is written to.
type readError struct{ err error }

func (e *readError) Error() string { return "read message: " + e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// unreadable reports whether err comes from reading the message, and what is
// said about it.
func unreadable(err error) (*fault.Error, bool) {
	var e *readError
	if !errors.As(err, &e) {
		return nil, false
	}
	return fault.Soft("Unable to read message: "+syserr.Text(e.err)+". (#4.3.0)", err), true
}

func (r *run) rewind() error {
	if _, err := r.Message.Seek(0, io.SeekStart); err != nil {
		return fault.Soft("Unable to rewind message. (#4.3.0)", err)
	}
	return nil
}

// pieces calls do with the message, piece by piece, until do says stop.
func (r *run) pieces(do func([]byte) (stop bool, err error)) error {
	for {
		n, err := r.Message.Read(r.buf)
		if n > 0 {
			if stop, err := do(r.buf[:n]); err != nil || stop {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &readError{err}
		}
	}
}

// copyTo writes the message, from where it stands.
func (r *run) copyTo(w io.Writer) error {
	return r.pieces(func(p []byte) (bool, error) {
		_, err := w.Write(p)
		return false, err
	})
}
