package scram

import (
	"crypto/hmac"
	"crypto/sha256"
	"strconv"
	"strings"
)

// Server is the server's side of one exchange: [Server.Challenge], and then
// [Server.Finish].
type Server struct {
	// Lookup returns what is kept of a user. One that does not exist has to have a
	// verifier too, always the same, and is told by ok: then all goes on as with a
	// wrong password.
	Lookup func(user string) (v Verifier, ok bool, err error)
	Nonce  string // see [Nonce]; unlike that of any other exchange

	User     string // who the client says it is; known after Challenge
	known    bool
	verifier Verifier
	header   string // what comes before the client's first message proper
	first    string // both first messages, with a comma after each
	nonce    string
}

// Challenge takes the client's first message and returns the answer to it.
func (s *Server) Challenge(message string) (string, error) {
	parts := strings.SplitN(message, ",", 3)
	if len(parts) != 3 || parts[0] != "n" && parts[0] != "y" {
		return "", ErrFormat // p=... asks for a binding that was not offered
	}
	s.header = parts[0] + "," + parts[1] + ","
	fields := strings.Split(parts[2], ",")
	if len(fields) < 2 {
		return "", ErrFormat
	}
	name, err := attribute(fields[0], 'n')
	if err != nil {
		return "", err
	}
	if s.User, err = decodeName(name); err != nil {
		return "", err
	}
	if on := parts[1]; on != "" && on != "a=" && on != "a="+name { // one may act for nobody but oneself
		return "", ErrRefused
	}
	theirs, err := attribute(fields[1], 'r')
	if err != nil || !isNonce(theirs) {
		return "", ErrFormat
	}
	if s.verifier, s.known, err = s.Lookup(s.User); err != nil {
		return "", err
	}
	s.nonce = theirs + s.Nonce
	answer := "r=" + s.nonce + ",s=" + b64(s.verifier.Salt) + ",i=" + strconv.Itoa(s.verifier.Iterations)
	s.first = parts[2] + "," + answer + ","
	return answer, nil
}

// Finish takes the client's last message. It returns the proof that the server has
// the verifier, or [ErrRefused].
func (s *Server) Finish(message string) (string, error) {
	i := strings.LastIndex(message, ",p=")
	if i < 0 {
		return "", ErrFormat
	}
	fields := strings.Split(message[:i], ",")
	if len(fields) < 2 || fields[0] != "c="+b64([]byte(s.header)) || fields[1] != "r="+s.nonce {
		return "", ErrFormat
	}
	proof, err := unb64(message[i+len(",p="):])
	if err != nil || len(proof) != sha256.Size {
		return "", ErrFormat
	}
	text := s.first + message[:i]
	key := xor(proof, mac(s.verifier.StoredKey, text))
	stored := sha256.Sum256(key)
	if !hmac.Equal(stored[:], s.verifier.StoredKey) || !s.known {
		return "", ErrRefused
	}
	return "v=" + b64(mac(s.verifier.ServerKey, text)), nil
}

func xor(a, b []byte) []byte {
	c := make([]byte, len(a))
	for i := range a {
		c[i] = a[i] ^ b[i]
	}
	return c
}
