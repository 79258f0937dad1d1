package smtp

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/scram"
	"goqmail/receive"
	"goqmail/receive/smtpusers"
)

// withUsers is a world with a password file: joe has a verifier, ann a password.
func withUsers(t testing.TB) *world {
	t.Helper()
	w := newWorld(t, nil)
	path := filepath.Join(w.server.Control, smtpusers.Name)
	for user, asIs := range map[string]bool{"joe": false, "ann": true} {
		line, err := smtpusers.Line(user, "secret", asIs)
		if err == nil {
			err = smtpusers.Replace(path, user, line, -1)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func unb64(t *testing.T, reply string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(strings.TrimPrefix(reply, "334 ")))
	if err != nil {
		t.Fatalf("%q: %v", reply, err)
	}
	return string(b)
}

func TestPasswordFile(t *testing.T) {
	local := receive.Env{"TCPREMOTEIP": "127.0.0.1"}
	for _, tt := range []struct{ user, password, want string }{
		{"joe", "secret", replyAuthOK},
		{"ann", "secret", replyAuthOK},
		{"joe", "Secret", replyAuthFailed},
		{"nobody", "secret", replyAuthFailed},
		{"broken", "secret", replyAuthTrouble},
	} {
		w := withUsers(t)
		w.server.Checker = checker("exit 0") // is not asked
		file, _ := os.OpenFile(filepath.Join(w.server.Control, smtpusers.Name), os.O_APPEND|os.O_WRONLY, 0)
		file.WriteString("broken:crypt:x\n")
		file.Close()
		for _, in := range []string{
			"AUTH PLAIN " + b64("\x00"+tt.user+"\x00"+tt.password) + "\r\n",
			"AUTH LOGIN " + b64(tt.user) + "\r\n" + b64(tt.password) + "\r\n",
		} {
			if got, _ := w.says(in+"QUIT\r\n", local); !strings.HasSuffix(got, tt.want+"\r\n"+farewell) {
				t.Errorf("%s with %s: %q", tt.user, tt.password, got)
			}
		}
		if _, err := os.Stat(filepath.Join(w.server.Control, smtpusers.Name)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSCRAM(t *testing.T) {
	for _, tt := range []struct{ user, password, want string }{
		{"joe", "secret", replyAuthOK},
		{"ann", "secret", replyAuthOK},
		{"joe", "wrong", replyAuthFailed},
		{"nobody", "secret", replyAuthFailed},
	} {
		w := withUsers(t)
		c := w.connect(t, receive.Env{"TCPREMOTEIP": "127.0.0.1"})
		c.reads()
		client := &scram.Client{User: tt.user, Password: tt.password, Nonce: scram.Nonce()}
		challenge := unb64(t, c.says("AUTH SCRAM-SHA-256 "+b64(client.First())+"\r\n", "334 "))
		if !strings.Contains(challenge, ",i=15000") {
			t.Errorf("%s: the challenge is %q", tt.user, challenge)
		}
		proof, err := client.Prove(challenge)
		if err != nil {
			t.Fatal(err)
		}
		if tt.want != replyAuthOK {
			c.says(b64(proof)+"\r\n", tt.want)
			continue
		}
		if err := client.Verify(unb64(t, c.says(b64(proof)+"\r\n", "334 "))); err != nil {
			t.Error(err)
		}
		c.says("\r\n", tt.want)
	}
}

func TestCRAM(t *testing.T) {
	for _, tt := range []struct {
		user, password, checker, want string
		file                          bool
	}{
		{"ann", "secret", "", replyAuthOK, true},
		{"ann", "wrong", "", replyAuthFailed, true},
		{"joe", "secret", "", replyAuthFailed, true}, // there is only a verifier
		{"nobody", "secret", "", replyAuthFailed, true},
		{"a b", "secret", `test "$(tr '\0' '|' <&3 | sed 's/|[0-9a-f]\{32\}|<.*@mx.test.example>|$/ ok/')" = "a b ok"`, replyAuthOK, false},
		{"ann", "secret", "exit 1", replyAuthFailed, false},
	} {
		w := newWorld(t, nil)
		if tt.file {
			w = withUsers(t)
		}
		if tt.checker != "" {
			w.server.Checker = checker(tt.checker)
		}
		c := w.connect(t, receive.Env{"TCPREMOTEIP": "127.0.0.1", "SMTPAUTH": "+cram"})
		c.reads()
		challenge := unb64(t, c.says("AUTH CRAM-MD5\r\n", "334 "))
		h := hmac.New(md5.New, []byte(tt.password))
		h.Write([]byte(challenge))
		c.says(b64(tt.user+" "+hex.EncodeToString(h.Sum(nil)))+"\r\n", tt.want)
	}
}

// TestMethods has what $SMTPAUTH says, as the patches for SMTP AUTH have it.
func TestMethods(t *testing.T) {
	for _, tt := range []struct {
		value, offered string
		must           bool
	}{
		{"", "AUTH LOGIN PLAIN", false},
		{"!", "AUTH LOGIN PLAIN", true},
		{"-", "", false},
		{"0", "", false},
		{"+cram", "AUTH LOGIN PLAIN CRAM-MD5", false},
		{"!+cram", "AUTH LOGIN PLAIN CRAM-MD5", true},
		{"cram", "AUTH CRAM-MD5", false},
		{"!cram", "AUTH CRAM-MD5", true},
	} {
		env := receive.Env{"TCPREMOTEIP": "127.0.0.1", "SMTPAUTH": tt.value}
		for _, file := range []bool{false, true} {
			w := newWorld(t, nil)
			offered := tt.offered
			if file {
				w = withUsers(t)
				if strings.Contains(offered, "PLAIN") {
					offered += " SCRAM-SHA-256"
				}
			}
			w.server.Checker = checker("exit 0")
			got, _ := w.says("EHLO a\r\nMAIL FROM:<>\r\nQUIT\r\n", env)
			_, line, _ := strings.Cut(got, " AUTH ")
			line, _, _ = strings.Cut(line, "\r\n")
			if line != strings.TrimPrefix(offered, "AUTH ") || strings.Contains(got, replyMustAuth) != tt.must {
				t.Errorf("%q: %q", tt.value, got)
			}
		}
	}
	w := newWorld(t, nil)
	w.server.Checker = checker("exit 0")
	if got, _ := w.says("AUTH CRAM-MD5\r\nAUTH SCRAM-SHA-256\r\nQUIT\r\n", receive.Env{"TCPREMOTEIP": "127.0.0.1"}); got != greeting+strings.Repeat(replyAuthType+"\r\n", 2)+farewell {
		t.Errorf("what is not offered: %q", got)
	}
}

// FuzzAuth has a client say anything to any mechanism: it is not let in, and every
// line of the answer is a reply.
func FuzzAuth(f *testing.F) {
	w := withUsers(f)
	w.server.Log = nil
	f.Add("PLAIN "+b64("\x00joe\x00x"), "", "")
	f.Add("LOGIN", b64("joe"), b64("wrong"))
	f.Add("CRAM-MD5", b64("ann 0123"), "*")
	f.Add("SCRAM-SHA-256 "+b64("n,,n=joe,r=x"), b64("c=biws,r=x,p="+b64(strings.Repeat("x", 32))), "=")
	f.Fuzz(func(t *testing.T, method, first, second string) {
		out, _ := w.says("AUTH "+method+"\r\n"+first+"\r\n"+second+"\r\n", receive.Env{"TCPREMOTEIP": "127.0.0.1", "SMTPAUTH": "+cram"})
		for line := range strings.Lines(out) {
			if len(line) < 6 || !strings.HasSuffix(line, "\r\n") || line[3] != ' ' || strings.HasPrefix(line, "235") {
				t.Errorf("%q, %q, %q: %q", method, first, second, out)
			}
		}
	})
}
