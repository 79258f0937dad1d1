package smtp

import (
	"fmt"
	"strings"
	"testing"

	"goqmail/receive"
	"goqmail/receive/receivetest"
)

func TestUTF8(t *testing.T) {
	const rest = "DATA\r\n.\r\n"
	for _, tt := range []struct{ name, in, want, with string }{
		{"declared", "EHLO a\r\nMAIL FROM:<jörg@example.org> SMTPUTF8\r\nRCPT TO:<ö@test.example>\r\n" + rest, "250 ok|250 ok|354 go ahead", "UTF8SMTP"},
		{"declared, but not needed", "EHLO a\r\nMAIL FROM:<s@example.org> BODY=8BITMIME smtputf8\r\nRCPT TO:<r@test.example>\r\n" + rest, "250 ok|250 ok|354 go ahead", "UTF8SMTP"},
		{"not declared", "EHLO a\r\nMAIL FROM:<jörg@example.org>\r\nMAIL FROM:<>\r\nRCPT TO:<ö@test.example>\r\n", replyNotASCII + "|250 ok|" + replyNotASCII, ""},
		{"not UTF-8", "EHLO a\r\nMAIL FROM:<j\xf6rg@example.org> SMTPUTF8\r\nMAIL FROM:<> SMTPUTF8\r\nRCPT TO:<\xff@test.example>\r\n", replyNotUTF8 + "|250 ok|" + replyNotUTF8, ""},
		{"no extensions", "HELO a\r\nMAIL FROM:<j\xf6rg@example.org>\r\nRCPT TO:<\xff\x80@test.example>\r\n" + rest, "250 ok|250 ok|354 go ahead", "SMTP"},
		{"none any more", "EHLO a\r\nHELO a\r\nMAIL FROM:<jörg@example.org>\r\nRCPT TO:<r@test.example>\r\n" + rest, "250 ok|250 ok|354 go ahead", "SMTP"},
		{"the next message", "EHLO a\r\nMAIL FROM:<> SMTPUTF8\r\nRSET\r\nMAIL FROM:<>\r\nRCPT TO:<r@test.example>\r\n" + rest, "250 ok|250 flushed|250 ok|250 ok|354 go ahead", "SMTP"},
	} {
		w := newWorld(t, nil)
		got, _ := w.says(tt.in+"QUIT\r\n", nil)
		want := strings.ReplaceAll(tt.want, "|", "\r\n") + "\r\n"
		if tt.with != "" {
			want += accepted
		}
		_, got, _ = strings.Cut(got, "250 "+"SMTPUTF8\r\n")
		if strings.HasPrefix(tt.in, "HELO") {
			got, _ = w.says(tt.in+"QUIT\r\n", nil)
			_, got, _ = strings.Cut(got, "250 mx.test.example\r\n")
		}
		got = strings.TrimPrefix(got, "250 mx.test.example\r\n")
		if got != want+farewell {
			t.Errorf("%s: got %q\nwant %q", tt.name, got, want+farewell)
		}
		if tt.with != "" && !strings.Contains(w.queue.Messages[0].String(), " with "+tt.with+"; ") {
			t.Errorf("%s: queued %q", tt.name, w.queue.Messages[0].String())
		}
	}
}

// TestUTF8Keywords has those of RFC 6531 section 4.3.
func TestUTF8Keywords(t *testing.T) {
	for _, tt := range []struct {
		tls, user, utf8 bool
		want            string
	}{
		{false, false, false, "SMTP"}, {false, true, false, "ESMTPA"}, {true, false, false, "ESMTPS (v c)"}, {true, true, false, "ESMTPSA (v c)"},
		{false, false, true, "UTF8SMTP"}, {false, true, true, "UTF8SMTPA"}, {true, false, true, "UTF8SMTPS (v c)"}, {true, true, true, "UTF8SMTPSA (v c)"},
	} {
		s := &session{mail: &mail{utf8: tt.utf8}}
		if tt.tls {
			s.tls = &secured{"v", "c"}
		}
		if tt.user {
			s.user = "joe"
		}
		if got := s.protocol(); got != tt.want {
			t.Errorf("%v: %s", tt, got)
		}
	}
}

func TestServices(t *testing.T) {
	for _, tt := range []struct{ name, auth, want string }{
		{"smtp", "+cram", "map[]"}, {"smtps", "", "map[SMTPS:1]"}, {"", "", "map[]"},
		{"submission", "", "map[SMTPAUTH:!]"}, {"submission", "+cram", "map[SMTPAUTH:!+cram]"}, {"submission", "-", "map[SMTPAUTH:!]"},
		{"submissions", "!cram", "map[SMTPS:1]"}, {"submissions", "", "map[SMTPAUTH:! SMTPS:1]"},
	} {
		if got := fmt.Sprint(map[string]string(Service(tt.name, receive.Env{"SMTPAUTH": tt.auth}))); got != tt.want {
			t.Errorf("%s with %q: %s, want %s", tt.name, tt.auth, got, tt.want)
		}
	}
}

// TestForceTLS has nobody say a password in the clear.
func TestForceTLS(t *testing.T) {
	w := newWorld(t, map[string]string{"servercert.pem": receivetest.Certificate(t, "mx.test.example")})
	w.server.Checker = checker("exit 0")
	got, _ := w.says("EHLO a\r\nAUTH PLAIN "+b64("\x00joe\x00x")+"\r\nMAIL FROM:<>\r\nQUIT\r\n", receive.Env{"FORCETLS": "1", "TCPREMOTEIP": "127.0.0.1"})
	if strings.Contains(got, "AUTH") || strings.Count(got, replyMustTLS) != 2 {
		t.Errorf("got %q", got)
	}
}
