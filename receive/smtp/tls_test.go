package smtp

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"goqmail/receive"
	"goqmail/receive/receivetest"
)

// client is the other side of a session over a pipe.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	done chan error
}

func (w *world) connect(t *testing.T, env receive.Env) *client {
	here, there := net.Pipe()
	c := &client{t: t, conn: here, r: bufio.NewReader(here), done: make(chan error, 1)}
	here.SetDeadline(time.Now().Add(20 * time.Second))
	go func() {
		c.done <- w.server.Serve(there, env)
		there.Close()
	}()
	t.Cleanup(func() { here.Close() })
	return c
}

// reads returns a reply, all lines of it.
func (c *client) reads() string {
	c.t.Helper()
	all := ""
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("after %q: %v", all, err)
		}
		all += line
		if len(line) < 4 || line[3] == ' ' {
			return all
		}
	}
}

// says sends text and expects a reply that begins like want.
func (c *client) says(text, want string) string {
	c.t.Helper()
	if _, err := c.conn.Write([]byte(text)); err != nil {
		c.t.Fatal(err)
	}
	got := c.reads()
	if !strings.HasPrefix(got, want) {
		c.t.Errorf("%q is answered %q, want %q", text, got, want)
	}
	return got
}

// secure goes on under TLS.
func (c *client) secure() *tls.ConnectionState {
	c.t.Helper()
	conn := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true, ServerName: "mx.test.example"})
	if err := conn.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.conn, c.r = conn, bufio.NewReader(conn)
	state := conn.ConnectionState()
	return &state
}

func certified(t *testing.T) *world {
	return newWorld(t, map[string]string{"servercert.pem": receivetest.Certificate(t, "mx.test.example")})
}

func TestStartTLS(t *testing.T) {
	w := certified(t)
	c := w.connect(t, receive.Env{"TCPREMOTEIP": "192.0.2.7"})
	c.reads()
	if got := c.says("EHLO a\r\n", "250-"); !strings.Contains(got, "STARTTLS") || strings.Contains(got, "AUTH") {
		t.Errorf("offered %q", got)
	}
	c.says("MAIL FROM:<evil@example.org>\r\n", "250")
	c.says("STARTTLS now\r\n", "501")
	// What is sent in the clear behind STARTTLS must be forgotten.
	c.says("STARTTLS\r\nRSET\r\nMAIL FROM:<injected@example.org>\r\n", "220")
	c.secure()
	c.says("RCPT TO:<r@test.example>\r\n", "503") // and what was said before it, too
	if got := c.says("EHLO a\r\n", "250-"); strings.Contains(got, "STARTTLS") {
		t.Errorf("offered %q", got)
	}
	c.says("STARTTLS\r\n", "502")
	c.says("MAIL FROM:<s@example.org>\r\n", "250")
	c.says("RCPT TO:<r@test.example>\r\n", "250")
	c.says("DATA\r\n", "354")
	c.says("x\r\n.\r\n", "250")
	c.says("QUIT\r\n", "221")
	go io.Copy(io.Discard, c.conn) // the end of TLS
	if err := <-c.done; err != nil {
		t.Error(err)
	}
	if got := w.queue.Messages[0].String(); !strings.Contains(got, " with ESMTPS (TLS1.3 TLS_") {
		t.Errorf("queued %q", got)
	}
	if !strings.Contains(w.log.String(), " tls TLS1.3") {
		t.Errorf("log: %q", w.log.String())
	}
}

// TestClientCertificate has a client that shows one send to any host, where others
// may not even send.
func TestClientCertificate(t *testing.T) {
	cert, authorities := receivetest.Client(t, "joe@example.org")
	for _, known := range []string{"joe@example.org", "ann@example.org"} {
		w := newWorld(t, map[string]string{"servercert.pem": receivetest.Certificate(t, "mx.test.example"), "clientca.pem": authorities, "tlsclients": known + "\n"})
		w.server.Now = time.Now
		c := w.connect(t, receive.Env{"SMTPS": "1", "SMTPAUTH": "!"})
		conn := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}})
		if err := conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		c.conn, c.r = conn, bufio.NewReader(conn)
		c.reads()
		if known == "ann@example.org" {
			c.says("MAIL FROM:<>\r\n", replyMustAuth)
			continue
		}
		c.says("MAIL FROM:<>\r\n", "250 ok")
		c.says("RCPT TO:<x@example.net>\r\n", "250 ok")
		c.says("DATA\r\n", "354")
		c.says(".\r\n", "250 ok")
		if !strings.Contains(w.log.String(), " tls TLS1.3 certificate <joe@example.org>\n") {
			t.Errorf("log: %q", w.log.String())
		}
	}
}

func TestImplicitTLS(t *testing.T) {
	w := certified(t)
	c := w.connect(t, receive.Env{"SMTPS": "1"})
	c.secure()
	if got := c.reads(); got != greeting {
		t.Errorf("greeted with %q", got)
	}
	c.says("QUIT\r\n", "221")
}

func TestTLSPolicy(t *testing.T) {
	w := certified(t)
	if got, _ := w.says("EHLO a\r\nSTARTTLS\r\nQUIT\r\n", receive.Env{"DISABLETLS": "1"}); strings.Contains(got, "250-STARTTLS") || !strings.Contains(got, "502") {
		t.Errorf("with DISABLETLS: %q", got)
	}
	if got, _ := w.says("MAIL FROM:<>\r\nQUIT\r\n", receive.Env{"FORCETLS": "1"}); !strings.Contains(got, replyMustTLS) {
		t.Errorf("with FORCETLS: %q", got)
	}
	if got, _ := w.says("MAIL FROM:<>\r\nQUIT\r\n", receive.Env{"FORCETLS": "0"}); strings.Contains(got, replyMustTLS) {
		t.Errorf("with FORCETLS=0: %q", got)
	}
	os.WriteFile(w.server.Control+"/servercert.pem", []byte("rubbish"), 0o600)
	if got, _ := w.says("STARTTLS\r\nMAIL FROM:<>\r\nQUIT\r\n", nil); got != greeting+replyNoTLS+"\r\n"+replyOK+"\r\n"+farewell {
		t.Errorf("with a broken certificate: %q", got)
	}
	if got, err := w.says("QUIT\r\n", receive.Env{"SMTPS": "1"}); got != "" || err == nil {
		t.Errorf("with SMTPS and a broken certificate: %q, %v", got, err)
	}
	if got := w.log.String(); !strings.Contains(got, "no TLS: ") || !strings.Contains(got, "TLS failed: ") {
		t.Errorf("log: %q", got)
	}
}

// checker is a shell line in a checker's place.
func checker(line string) []string { return []string{"/bin/sh", "-c", line} }

const joe = `test "$(tr '\0' ' ' <&3)" = "joe secret  "`

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestAuth(t *testing.T) {
	local := receive.Env{"TCPREMOTEIP": "127.0.0.1"}
	right := "AUTH PLAIN " + b64("\x00joe\x00secret") + "\r\n"
	for _, tt := range []struct {
		name, in, want string
		env            receive.Env
		checker        string
	}{
		{"initial", right, replyAuthOK, local, joe},
		{"asked", "AUTH plain\r\n" + b64("joe\x00joe\x00secret") + "\r\n", "334 \r\n" + replyAuthOK, local, joe},
		{"login", "AUTH LOGIN\r\n" + b64("joe") + "\r\n" + b64("secret") + "\r\n", "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n" + replyAuthOK, local, joe},
		{"login with a name", "AUTH LOGIN " + b64("joe") + "\r\n" + b64("secret") + "\r\n", "334 UGFzc3dvcmQ6\r\n" + replyAuthOK, local, joe},
		{"twice", right + right, replyAuthOK + "\r\n" + replyAuthTwice, local, joe},
		{"wrong", "AUTH PLAIN " + b64("\x00joe\x00wrong") + "\r\n", replyAuthFailed, local, joe},
		{"trouble", right, replyAuthTrouble, local, "exit 111"},
		{"crash", right, replyAuthTrouble, local, "kill -9 $$"},
		{"for somebody else", "AUTH PLAIN " + b64("ann\x00joe\x00secret") + "\r\n", replyAuthInput, local, joe},
		{"no base64", "AUTH PLAIN !\r\n", replyAuthInput, local, joe},
		{"empty", "AUTH PLAIN =\r\n", replyAuthInput, local, joe},
		{"no password", "AUTH PLAIN " + b64("\x00joe\x00") + "\r\n", replyAuthInput, local, "exit 0"},
		{"canceled", "AUTH PLAIN\r\n*\r\n", "334 \r\n" + replyAuthCanceled, local, joe},
		{"unknown", "AUTH X\r\n", replyAuthType, local, joe},
		{"in a transaction", "MAIL FROM:<>\r\n" + right, replyOK + "\r\n" + replyAuthMail, local, joe},
		{"public", right, replyNeedTLS, receive.Env{"TCPREMOTEIP": "192.0.2.1"}, joe},
		{"unknown address", right, replyNeedTLS, nil, joe},
		{"off", right, replyUnknown, receive.Env{"TCPREMOTEIP": "127.0.0.1", "SMTPAUTH": "-"}, joe},
		{"needed", "MAIL FROM:<>\r\n", replyMustAuth, receive.Env{"SMTPAUTH": "!"}, joe},
		{"too many", strings.Repeat("AUTH PLAIN "+b64("\x00joe\x00wrong")+"\r\n", 6), strings.Repeat(replyAuthFailed+"\r\n", 4) + replyAuthTooMany, local, joe},
	} {
		w := newWorld(t, nil)
		w.server.Checker = checker(tt.checker)
		got, err := w.says(tt.in+"QUIT\r\n", tt.env)
		want := greeting + tt.want + "\r\n"
		if err == nil {
			want += farewell
		}
		if got != want {
			t.Errorf("%s: got %q\nwant %q", tt.name, got, want)
		}
	}
}

func TestUserMayRelay(t *testing.T) {
	w := newWorld(t, nil)
	w.server.Checker = checker(joe)
	env := receive.Env{"TCPREMOTEIP": "10.0.0.1"}
	got, _ := w.says("EHLO a\r\nAUTH PLAIN "+b64("\x00joe\x00secret")+"\r\nMAIL FROM:<joe@test.example>\r\nRCPT TO:<x@example.net>\r\nDATA\r\n.\r\nQUIT\r\n", env)
	if !strings.Contains(got, "250 AUTH LOGIN PLAIN\r\n") || len(w.queue.Messages) != 1 {
		t.Fatalf("got %q", got)
	}
	if text := w.queue.Messages[0].String(); !strings.HasPrefix(text, "Received: from unknown (HELO a) (joe@10.0.0.1)\n  by unknown with ESMTPA; ") {
		t.Errorf("queued %q", text)
	}
	if _, relay := w.queue.Env["RELAYCLIENT"]; !relay || w.queue.Env["SMTPAUTHUSER"] != "joe" || w.queue.Env["SMTPAUTHMETHOD"] != "plain" {
		t.Errorf("the queue gets %q", w.queue.Env)
	}
	if _, changed := env["SMTPAUTHUSER"]; changed {
		t.Error("the caller's environment was changed")
	}
	if !strings.Contains(w.log.String(), " user <joe>") {
		t.Errorf("log: %q", w.log.String())
	}
}
