// Package scram has both sides of SCRAM-SHA-256 (RFC 5802, RFC 7677), in which a
// client shows that it knows a password without telling it, and the server keeps
// only what such a proof can be checked against. There is no channel binding.
//
// # File format
//
// A [Verifier] is written as in RFC 5803: the mechanism, the number of iterations,
// the salt, and the two keys, all but the first two in base64:
//
//	SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=
//
// Iterations are 4096 to 1,000,000; a salt has 1 to 64 bytes, a key has 32. Passwords
// are taken as the bytes that they are: those in ASCII need no preparation.
package scram

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Name is that of the mechanism.
const Name = "SCRAM-SHA-256"

// Limits of the number of iterations: RFC 7677 has the least, and a server that
// asks a client for more than the most wants it to be busy.
const (
	MinIterations = 4096
	MaxIterations = 1_000_000
)

const maxSalt = 64

// Errors of an exchange.
var (
	ErrFormat  = errors.New("malformed SCRAM message")
	ErrRefused = errors.New("SCRAM proof is wrong")
)

// Verifier is what a server keeps of a password.
type Verifier struct {
	Iterations           int
	Salt                 []byte
	StoredKey, ServerKey []byte
}

// New makes the verifier of a password.
func New(password string, salt []byte, iterations int) (Verifier, error) {
	salted, err := salt256(password, salt, iterations)
	if err != nil {
		return Verifier{}, err
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	return Verifier{iterations, salt, stored[:], mac(salted, "Server Key")}, nil
}

// Check reports whether a password is the right one.
func (v Verifier) Check(password string) bool {
	other, err := New(password, v.Salt, v.Iterations)
	return err == nil && subtle.ConstantTimeCompare(v.StoredKey, other.StoredKey) == 1
}

// String writes a verifier.
func (v Verifier) String() string {
	return Name + "$" + strconv.Itoa(v.Iterations) + ":" + b64(v.Salt) + "$" + b64(v.StoredKey) + ":" + b64(v.ServerKey)
}

// Parse reads a verifier.
func Parse(text string) (Verifier, error) {
	name, rest, ok := strings.Cut(text, "$")
	if !ok || name != Name {
		return Verifier{}, fmt.Errorf("not a verifier of %s", Name)
	}
	info, keys, ok := strings.Cut(rest, "$")
	count, salt, ok2 := strings.Cut(info, ":")
	stored, server, ok3 := strings.Cut(keys, ":")
	if !ok || !ok2 || !ok3 {
		return Verifier{}, fmt.Errorf("verifier lacks a field")
	}
	var v Verifier
	var err error
	if v.Iterations, err = strconv.Atoi(count); err != nil || v.Iterations < MinIterations || v.Iterations > MaxIterations {
		return Verifier{}, fmt.Errorf("verifier has a bad number of iterations")
	}
	if v.Salt, err = unb64(salt); err != nil || len(v.Salt) == 0 || len(v.Salt) > maxSalt {
		return Verifier{}, fmt.Errorf("verifier has a bad salt")
	}
	if v.StoredKey, err = unb64(stored); err != nil || len(v.StoredKey) != sha256.Size {
		return Verifier{}, fmt.Errorf("verifier has a bad key")
	}
	if v.ServerKey, err = unb64(server); err != nil || len(v.ServerKey) != sha256.Size {
		return Verifier{}, fmt.Errorf("verifier has a bad key")
	}
	return v, nil
}

// Nonce makes text that nobody can guess.
func Nonce() string { return rand.Text() }

func salt256(password string, salt []byte, iterations int) ([]byte, error) {
	return pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func unb64(text string) ([]byte, error) { return base64.StdEncoding.Strict().DecodeString(text) }

// attribute returns the value of a field such as r=..., which must be of that name.
func attribute(field string, name byte) (string, error) {
	if len(field) < 2 || field[0] != name || field[1] != '=' {
		return "", ErrFormat
	}
	return field[2:], nil
}

var encodeName = strings.NewReplacer("=", "=3D", ",", "=2C")

// decodeName undoes it; any other = is an error.
func decodeName(text string) (string, error) {
	plain := strings.NewReplacer("=3D", "=", "=2C", ",").Replace(text)
	if encodeName.Replace(plain) != text || plain == "" || strings.ContainsRune(plain, 0) {
		return "", ErrFormat
	}
	return plain, nil
}

// isNonce reports whether text is printable and has no comma.
func isNonce(text string) bool {
	for _, c := range []byte(text) {
		if c < '!' || c > '~' || c == ',' {
			return false
		}
	}
	return text != ""
}
