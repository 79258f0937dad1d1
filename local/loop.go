package local

import (
	"bytes"

	"goqmail/internal/fault"
)

// checkLoop refuses a message that has been here before: its header has the very
// line that this delivery would add.
func (r *run) checkLoop() error {
	if err := r.rewind(); err != nil {
		return err
	}
	search := headerSearch{line: []byte(r.added.deliveredTo), same: true}
	err := r.pieces(func(p []byte) (bool, error) { return search.read(p), nil })
	if f, ok := unreadable(err); ok {
		return f
	}
	if search.found {
		return fault.Hard("This message is looping: it already has my Delivered-To line. (#5.4.6)")
	}
	return nil
}

// headerSearch looks for a line in a header that comes in pieces. It keeps none
// of it, so that a line may be of any length.
type headerSearch struct {
	line  []byte // with its newline
	same  bool   // the line under way begins like it
	n     int    // bytes of the line under way, as long as same is set
	begun bool   // the line under way is not empty
	found bool
}

// read takes the next piece and reports whether the search is over: the line is
// found, or an empty line ends the header. A line must end in a newline to count.
func (s *headerSearch) read(p []byte) (over bool) {
	for len(p) > 0 {
		part, ended := p, false
		if i := bytes.IndexByte(p, '\n'); i >= 0 {
			part, ended = p[:i+1], true
		}
		p = p[len(part):]
		s.same = s.same && bytes.HasPrefix(s.line[s.n:], part)
		s.n += len(part)
		if !ended {
			s.begun = true
			continue
		}
		if s.same && s.n == len(s.line) {
			s.found = true
			return true
		}
		if !s.begun && len(part) == 1 {
			return true
		}
		s.same, s.n, s.begun = true, 0, false
	}
	return false
}
