package smtp

import (
	"io"
	"os"
)

// runChecker runs the password checker. On its descriptor 3 it reads the name, the
// password or the digest, and the challenge that this is of, or an empty word, each
// with a NUL at its end. It gets nothing of the connection.
func (s *session) runChecker(user, password, challenge string) verdict {
	r, w, err := os.Pipe()
	if err != nil {
		return noVerdict
	}
	code := s.run(s.srv.Checker, s.env, 3, r, func() {
		io.WriteString(w, user+"\x00"+password+"\x00"+challenge+"\x00") // one that does not read says no
		w.Close()
	})
	w.Close()
	return verdict(code)
}
