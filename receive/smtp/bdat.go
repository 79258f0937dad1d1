package smtp

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"goqmail/receive/spp"
)

// maxChunk is the largest chunk that is read.
const maxChunk = 1 << 40

// bdat is the BDAT command and the chunk after it, RFC 3030. The chunk is read
// whatever becomes of it: the client has sent it.
func (s *session) bdat(argument string) error {
	s.wire.Begin()
	size, last, ok := parseChunk(argument)
	if !ok { // what follows would be taken for commands
		return s.end(replyBadSize, ErrEnded)
	}
	refusal := s.notYet()
	if refusal == "" && s.mail.arrival == nil {
		if ok, err := s.goesOn(s.spp.Ask(spp.Data)); err != nil {
			return err
		} else if !ok {
			return s.skip(size)
		}
		a, err := s.begin()
		if err != nil {
			s.mail = nil // begin has answered
			return s.skip(size)
		}
		s.mail.arrival = a
	}
	if refusal != "" {
		err := s.skip(size)
		s.say(refusal)
		return err
	}
	if err := s.mail.arrival.chunk(s.wire, size); err != nil {
		return s.lost(err)
	}
	s.endChunk(last)
	return nil
}

// endChunk answers for a chunk.
func (s *session) endChunk(last bool) {
	a := s.mail.arrival
	switch {
	case last:
		a.in.last()
		s.finish()
	case a.queue.Over || a.in.stray:
		reply := a.verdict(errNotQueued)
		s.srv.Log.rejected(s, s.mail, reply)
		s.forget()
		s.say(reply)
	default:
		s.say(replyOK)
	}
}

// parseChunk reads the argument of BDAT: a size, and maybe LAST.
func parseChunk(argument string) (size int64, last, ok bool) {
	fields := strings.Fields(argument)
	if len(fields) == 0 || len(fields) > 2 {
		return 0, false, false
	}
	n, err := strconv.ParseUint(fields[0], 10, 63)
	last = len(fields) == 2
	if err != nil || n > maxChunk || last && !strings.EqualFold(fields[1], "LAST") {
		return 0, false, false
	}
	return int64(n), last, true
}

// chunk reads a chunk of a message. Its lines end with CRLF, as after DATA.
func (a *arrival) chunk(r io.Reader, size int64) error {
	buf := make([]byte, 16<<10)
	for size > 0 {
		n, err := r.Read(buf[:min(size, int64(len(buf)))])
		size -= int64(n)
		for piece := range bytes.Lines(buf[:n]) {
			a.in.plain(piece)
		}
		if err != nil && size > 0 {
			return err
		}
	}
	return nil
}

// skip reads a chunk that nobody wants.
func (s *session) skip(size int64) error {
	if _, err := io.CopyN(io.Discard, s.wire, size); err != nil {
		return s.lost(err)
	}
	return nil
}
