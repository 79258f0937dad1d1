// Package smtpusers has the password file of qmail-smtpd, control/smtpusers.
//
// # File format
//
// A line has a user, a colon, and what is kept of the password: a verifier of
// [scram], or plain, a colon and the password itself, which CRAM-MD5 needs. Lines
// that are empty or begin with # do not count; of two for a user the first does.
// A line without a user has a key, from which what users are told who do not exist
// is made:
//
//	:key:4PTFCXUGVNZXBCSTWWYM2DNAEI
//	joe:SCRAM-SHA-256$15000:lRj1fGdU8+mCe5LmDQXsdg==$nyCWHNkUGbhkzsDAFlbEBXkvUcPLA1N1OaPj1vjQjWg=:YvEhS8tgBJH4qlUVuJNk1u4mIcIfjOzUJVQ8BZrbIkk=
//	ann:plain:correct horse
//
// A user and a password are any bytes but NUL and newline, and a user has no colon
// either, and does not begin with #. A line is at most 4096 bytes long; one that is
// longer, or that has nothing of the kind after the colon, is an error for its user
// alone.
package smtpusers

import (
	"bufio"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"goqmail/internal/scram"
)

// Name is that of the file.
const Name = "smtpusers"

const (
	maxLine    = 4096
	saltSize   = 16
	plain      = "plain"
	iterations = 15_000 // of new verifiers; some milliseconds of work
)

// ErrEntry is wrapped by the error for a user whose line is none.
var ErrEntry = errors.New("bad line in control/smtpusers")

// Entry is what is known of a user. One who does not exist has an entry too, which
// lets nobody in, in the same time.
type Entry struct {
	known    bool
	plain    *string
	verifier scram.Verifier
}

// Find looks a user up in the file at path.
func Find(path, user string) (Entry, error) {
	file, err := os.Open(path)
	if err != nil {
		return Entry{}, err
	}
	defer file.Close()
	return find(file, user)
}

func find(r io.Reader, user string) (Entry, error) {
	all := sha256.New()
	lines := bufio.NewReaderSize(io.TeeReader(r, all), maxLine)
	var found, key string
	known, count := false, 0
	for {
		name, rest, err := readLine(lines)
		if err == io.EOF {
			break
		}
		if err != nil {
			return Entry{}, err
		}
		switch {
		case name == "" && key == "":
			key = rest
		case name == user && !known && user != "":
			known, found = true, rest
		}
		if count == 0 {
			if v, err := scram.Parse(rest); err == nil {
				count = v.Iterations
			}
		}
	}
	if key == "" {
		key = string(all.Sum(nil))
	}
	return entry(user, known, found, stranger(user, key, count))
}

// readLine returns the next user and what is kept of the password. What is no line
// for anybody is left out.
func readLine(r *bufio.Reader) (user, rest string, err error) {
	for {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			user, _, ok := strings.Cut(string(line), ":")
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = r.ReadSlice('\n')
			}
			if ok {
				return user, "", nil
			}
			continue
		}
		if err != nil && (err != io.EOF || len(line) == 0) {
			return "", "", err
		}
		user, rest, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), ":")
		if ok && !strings.HasPrefix(user, "#") {
			return user, rest, nil
		}
	}
}

// stranger is the verifier of a user who does not exist: of a password that nobody
// knows, and with the same salt each time, as if it were kept.
func stranger(user, key string, count int) scram.Verifier {
	if count == 0 {
		count = iterations
	}
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(user))
	sum := h.Sum(nil)
	return scram.Verifier{Iterations: count, Salt: sum[:saltSize], StoredKey: make([]byte, sha256.Size), ServerKey: make([]byte, sha256.Size)}
}

// entry makes an entry of a line, or of the verifier of a stranger.
func entry(user string, known bool, line string, other scram.Verifier) (Entry, error) {
	if !known {
		return Entry{verifier: other}, nil
	}
	if password, ok := strings.CutPrefix(line, plain+":"); ok && password != "" {
		return Entry{known: true, plain: &password, verifier: other}, nil
	}
	v, err := scram.Parse(line)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: user %q: %w", ErrEntry, user, err)
	}
	return Entry{known: true, verifier: v}, nil
}

// IsPassword reports whether a password is the user's.
func (e Entry) IsPassword(password string) bool {
	right := e.verifier.Check(password) // even if there is nothing to be known from it
	if e.plain != nil {
		right = subtle.ConstantTimeCompare([]byte(*e.plain), []byte(password)) == 1
	}
	return right && e.known
}

// Verifier returns what [scram.Server] wants to know.
func (e Entry) Verifier() (v scram.Verifier, known bool, err error) {
	password := "" // the same work for all
	if e.plain != nil {
		password = *e.plain
	}
	made, err := scram.New(password, e.verifier.Salt, e.verifier.Iterations)
	if e.plain != nil {
		return made, e.known, err
	}
	return e.verifier, e.known, err
}

// IsDigest reports whether a digest shows that the client knows the user's password:
// it is the HMAC-MD5 of the challenge, in hexadecimal (RFC 2195). No other than a
// password that is kept as it is can be checked so.
func (e Entry) IsDigest(challenge, digest string) bool {
	password := rand.Text()
	if e.plain != nil {
		password = *e.plain
	}
	h := hmac.New(md5.New, []byte(password))
	h.Write([]byte(challenge))
	got, err := hex.DecodeString(digest)
	return err == nil && hmac.Equal(got, h.Sum(nil)) && e.known && e.plain != nil
}
