package smtpusers

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const example = `:key:4PTFCXUGVNZXBCSTWWYM2DNAEI
joe:SCRAM-SHA-256$15000:lRj1fGdU8+mCe5LmDQXsdg==$nyCWHNkUGbhkzsDAFlbEBXkvUcPLA1N1OaPj1vjQjWg=:YvEhS8tgBJH4qlUVuJNk1u4mIcIfjOzUJVQ8BZrbIkk=
ann:plain:correct horse
`

func digest(password, challenge string) string {
	h := hmac.New(md5.New, []byte(password))
	h.Write([]byte(challenge))
	return hex.EncodeToString(h.Sum(nil))
}

func TestFind(t *testing.T) {
	long := "long:plain:" + strings.Repeat("x", 2*maxLine) + "\n"
	text := "# users\n\n" + example + "ann:plain:second\nbad:crypt:x\nempty:plain:\nno colon\n" + long + "last:plain:a:b"
	for _, tt := range []struct {
		user, password string
		want           bool
		err            error
	}{
		{"ann", "correct horse", true, nil},
		{"ann", "second", false, nil},
		{"ann", "", false, nil},
		{"last", "a:b", true, nil},
		{"joe", "wrong", false, nil},
		{"nobody", "x", false, nil},
		{"nobody", "", false, nil},
		{"", "4PTFCXUGVNZXBCSTWWYM2DNAEI", false, nil},
		{"# users", "", false, nil},
		{"no colon", "", false, nil},
		{"bad", "x", false, ErrEntry},
		{"empty", "", false, ErrEntry},
		{"long", "x", false, ErrEntry},
	} {
		e, err := find(strings.NewReader(text), tt.user)
		if !errors.Is(err, tt.err) || err == nil && e.IsPassword(tt.password) != tt.want {
			t.Errorf("%q with %q: %v, want %v, %v", tt.user, tt.password, err, tt.want, tt.err)
		}
		if err == nil && e.IsDigest("<1@x>", digest(tt.password, "<1@x>")) != tt.want {
			t.Errorf("%q with the digest of %q: want %v", tt.user, tt.password, tt.want)
		}
	}
}

// TestStrangers has users who do not exist look like those who do.
func TestStrangers(t *testing.T) {
	salts := map[string]bool{}
	for _, user := range []string{"joe", "ann", "nobody", "somebody"} {
		first, err := find(strings.NewReader(example), user)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := find(strings.NewReader(example+"new:plain:x\n"), user)
		v, _, err := first.Verifier()
		w, _, err2 := again.Verifier()
		if err != nil || err2 != nil || string(v.Salt) != string(w.Salt) || v.Iterations != 15000 || len(v.Salt) != saltSize {
			t.Errorf("%s: %v, then %v", user, v, w)
		}
		salts[string(v.Salt)] = true
	}
	if len(salts) != 4 {
		t.Errorf("%d salts of 4 users", len(salts))
	}
	if _, known, _ := (Entry{}).Verifier(); known {
		t.Error("nobody is known")
	}
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), Name)
	change := func(user, password string, asIs bool) {
		t.Helper()
		line, err := Line(user, password, asIs)
		if err == nil {
			err = Replace(path, user, line, -1)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	is := func(user, password string, want bool) {
		t.Helper()
		if e, err := Find(path, user); err != nil || e.IsPassword(password) != want {
			t.Errorf("%s with %s: %v", user, password, err)
		}
	}
	change("joe", "one", false)
	change("ann", "two", true)
	is("joe", "one", true)
	is("ann", "two", true)
	change("joe", "three", true)
	is("joe", "one", false)
	is("joe", "three", true)
	text, _ := os.ReadFile(path)
	if lines := strings.Split(string(text), "\n"); len(lines) != 4 || !strings.HasPrefix(lines[0], ":key:") || lines[1] != "joe:plain:three" {
		t.Errorf("the file is %q", text)
	}
	if st, err := os.Stat(path); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	if err := Replace(path, "joe", "", -1); err != nil {
		t.Error(err)
	}
	is("joe", "three", false)
	is("ann", "two", true)
	if Replace(path, "joe", "", -1) == nil {
		t.Error("a user who does not exist is removed")
	}
	if _, err := os.Stat(path + ".tmp"); err == nil {
		t.Error("a temporary file is left")
	}
}

func TestLine(t *testing.T) {
	for _, bad := range [][2]string{{"", "x"}, {"a:b", "x"}, {"#a", "x"}, {"a\nb", "x"}, {"a", ""}, {"a", "x\ny"}, {"a", "\x00"}, {"a", strings.Repeat("x", maxLine)}} {
		if line, err := Line(bad[0], bad[1], true); err == nil {
			t.Errorf("%q: %q", bad, line)
		}
	}
	if got, err := ReadPassword(strings.NewReader(" a b \r\nc\n")); got != " a b " || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// FuzzFind has any file: users who are in no line are strangers, and whoever is let
// in with a password has a line that says so.
func FuzzFind(f *testing.F) {
	f.Add(example, "ann", "correct horse")
	f.Add("a:plain:b", "a", "b")
	f.Fuzz(func(t *testing.T, text, user, password string) {
		e, err := find(strings.NewReader(strings.ReplaceAll(text, "SCRAM", "plain")), user)
		if err != nil {
			return
		}
		if e.known && !strings.Contains("\n"+text, "\n"+user+":") {
			t.Errorf("%q is in %q", user, text)
		}
		if e.plain != nil && e.IsDigest("x", digest(password, "x")) && !strings.Contains(text, user+":plain:"+password) {
			t.Errorf("%q is let in with %q by %q", user, password, text)
		}
	})
}
