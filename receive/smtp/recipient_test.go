package smtp

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/receive"
)

// TestRecipients has the control files about recipients judge some.
func TestRecipients(t *testing.T) {
	lists := map[string]string{
		"badrcptto":   "spam@test.example\n(\n",
		"goodrcptto":  "@test.example\ninfo\n",
		"validrcptto": "joe@test.example\n-gone@test.example\n",
		"brtlimit":    "4",
	}
	to := func(addrs ...string) string {
		in := "MAIL FROM:<>\r\n"
		for _, a := range addrs {
			in += "RCPT TO:<" + a + ">\r\n"
		}
		return in + "QUIT\r\n"
	}
	for _, tt := range []struct {
		name    string
		control map[string]string
		env     receive.Env
		in      string
		want    []string
		end     error
	}{
		{"each of them", lists, receive.Env{"BRTLIMIT": "9"},
			to("joe@test.example", "gone@test.example", "spam@test.example", "x@example.net", "info@test.example", "ann@test.example", "noone"),
			[]string{"250 ok", replyNotValid, replyBadRcpt, replyNoGateway, "250 ok", "250 ok", replyNoMailbox}, nil},
		{"too many", lists, nil, to("gone@test.example", "joe@test.example", "spam@test.example", "x@example.net", "noone", "joe@test.example"),
			[]string{replyNotValid, "250 ok", replyBadRcpt, replyNoGateway, replyNoMailbox, replyTooManyBad}, ErrEnded},
		{"one is too many", lists, receive.Env{"BRTLIMIT": "1"}, to("gone@test.example", "joe@test.example"), []string{replyNotValid, replyTooManyBad}, ErrEnded},
		{"no limit", lists, receive.Env{"BRTLIMIT": "0"}, to(strings.Fields(strings.Repeat("gone@test.example ", 9))...),
			strings.Split(strings.Repeat(replyNotValid+"|", 8)+replyNotValid, "|"), nil},
		{"a relay client", lists, receive.Env{"RELAYCLIENT": ""}, to("gone@test.example", "spam@test.example", "x@example.net"),
			[]string{"250 ok", replyBadRcpt, "250 ok"}, nil},
		{"a broken database", map[string]string{"validrcptto.cdb": "x"}, nil, to("x@test.example"), []string{replyControls}, ErrEnded},
	} {
		w := newWorld(t, tt.control)
		got, err := w.says(tt.in, tt.env)
		want := greeting + "250 ok\r\n" + strings.Join(tt.want, "\r\n") + "\r\n"
		if tt.end == nil {
			want += farewell
		}
		if got != want || !errors.Is(err, tt.end) {
			t.Errorf("%s: %v\n got %q\nwant %q", tt.name, err, got, want)
		}
	}
	w := newWorld(t, lists)
	w.says("QUIT\r\n", nil)
	if got := w.log.String(); !strings.Contains(got, "badrcptto has what is no regular expression: ( client") {
		t.Errorf("the log says nothing of a broken line: %q", got)
	}
}

// TestPlugins has plug-ins in each place.
func TestPlugins(t *testing.T) {
	const message = "HELO x\r\nMAIL FROM:<s@example.org>\r\nRCPT TO:<r@test.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"
	for _, tt := range []struct {
		name, plugins string
		env           receive.Env
		in            string
		want          string // after the greeting
		sender, to    string // of the message that is queued, if there is one
		header        string // in it
	}{
		{"off", "[helo]\n:echo E550 no\n", receive.Env{"ENABLE_SPP": "0"}, message, "250 mx.test.example\r\n" + taken + accepted + farewell, "s@example.org", "r@test.example", ""},
		{"turned off", "[helo]\n:echo E550 no\n", receive.Env{"NOSPP": ""}, message, "250 mx.test.example\r\n" + taken + accepted + farewell, "s@example.org", "r@test.example", ""},
		{"HELO", "[helo]\n:test $SMTPHELOHOST = y || echo E550 no\n", nil, "HELO x\r\nEHLO z\r\nHELO y\r\nQUIT\r\n", "550 no\r\n550 no\r\n250 mx.test.example\r\n" + farewell, "", "", ""},
		{"MAIL", "[mail]\n:test $SMTPMAILFROM = t@example.org || echo E550 no\n", nil, "MAIL FROM:<s@example.org>\r\nRCPT TO:<r@test.example>\r\nMAIL FROM:<t@example.org>\r\nQUIT\r\n",
			"550 no\r\n" + replyMailFirst + "\r\n250 ok\r\n" + farewell, "", "", ""},
		{"other addresses", "[mail]\n:echo Ct@example.org\n[rcpt]\n:echo Cq@test.example\n[data]\n:echo HX-A: b\n", nil, message,
			"250 mx.test.example\r\n" + taken + accepted + farewell, "t@example.org", "q@test.example", "X-A: b\nx\n"},
		{"an address elsewhere", "[rcpt]\n:echo Cq@example.net\n", nil, "MAIL FROM:<>\r\nRCPT TO:<r@test.example>\r\nQUIT\r\n", "250 ok\r\n" + replyNoGateway + "\r\n" + farewell, "", "", ""},
		{"an address too long", "[mail]\n:printf C%0999d 0\n", nil, "MAIL FROM:<>\r\nQUIT\r\n", replySyntax + "\r\n" + farewell, "", "", ""},
		{"accepted", "[rcpt]\n:test $SMTPRCPTHOSTSOK = 1 || echo O\n", nil, "MAIL FROM:<s@example.org>\r\nRCPT TO:<r@example.net>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
			taken + accepted + farewell, "s@example.org", "r@example.net", ""},
		{"accepted, whatever the files say", "[mail]\n:echo O\n[rcpt]\n:echo O\n", nil, "MAIL FROM:<bad@example.org>\r\nRCPT TO:<spam@test.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
			taken + accepted + farewell, "bad@example.org", "spam@test.example", ""},
		{"the last word", "[pass]\n:test $SMTPRCPTCOUNT = 1 || echo E452 one only\n", nil, "MAIL FROM:<>\r\nRCPT TO:<x@example.net>\r\nRCPT TO:<r@test.example>\r\nRCPT TO:<r@test.example>\r\nQUIT\r\n",
			"250 ok\r\n" + replyNoGateway + "\r\n250 ok\r\n452 one only\r\n" + farewell, "", "", ""},
		{"DATA", "[data]\n:echo E451 greylisted\n", nil, "MAIL FROM:<>\r\nRCPT TO:<r@test.example>\r\nDATA\r\nBDAT 3 LAST\r\nx\r\nQUIT\r\n",
			"250 ok\r\n250 ok\r\n451 greylisted\r\n451 greylisted\r\n" + farewell, "", "", ""},
		{"later", "[connection]\n:echo LM550 later\n", nil, "MAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\nQUIT\r\n", "550 later\r\n250 flushed\r\n250 ok\r\n" + farewell, "", "", ""},
		{"drop", "[rcpt]\n:echo R550 away\n", nil, "MAIL FROM:<>\r\nRCPT TO:<r@test.example>\r\nQUIT\r\n", "250 ok\r\n550 away\r\n", "", "", ""},
		{"drop silently", "[data]\n:echo D\n", nil, "MAIL FROM:<>\r\nRCPT TO:<r@test.example>\r\nDATA\r\nQUIT\r\n", "250 ok\r\n250 ok\r\n", "", "", ""},
		{"missing", "[helo]\nplugins/none/there\n", nil, "HELO x\r\nQUIT\r\n", "451 qmail-spp failure: plug-in failed (#4.3.0)\r\n" + farewell, "", "", ""},
	} {
		w := newWorld(t, map[string]string{"smtpplugins": tt.plugins, "badmailfrom": "bad@example.org\n", "badrcptto": "spam@test.example\n"})
		env := receive.Env{"ENABLE_SPP": "1", "PATH": os.Getenv("PATH")}
		for name, value := range tt.env {
			env[name] = value
		}
		got, _ := w.says(tt.in, env)
		if got != greeting+tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, greeting+tt.want)
		}
		if n := len(w.queue.Messages); n > 1 || n == 1 != (tt.to != "") {
			t.Errorf("%s: %d messages", tt.name, n)
			continue
		}
		for _, m := range w.queue.Messages {
			if m.Sender != tt.sender || len(m.Recipients) != 1 || m.Recipients[0] != tt.to || !strings.Contains(m.Body(), tt.header) {
				t.Errorf("%s: %+v", tt.name, m)
			}
		}
	}
}

// TestGreetingPlugins has plug-ins that do not want a client.
func TestGreetingPlugins(t *testing.T) {
	for _, tt := range []struct{ plugins, want string }{
		{"[connection]\n:echo E554 no\n", "554 no\r\n" + farewell},
		{"[connection]\n:echo R554 no\n", "554 no\r\n"},
		{"[connection]\n:echo D\n", ""},
		{"[connection]\n:echo P220-wait\n", "220-wait\r\n" + greeting + farewell},
	} {
		w := newWorld(t, nil)
		file := filepath.Join(t.TempDir(), "plugins")
		if err := os.WriteFile(file, []byte(tt.plugins), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, _ := w.says("QUIT\r\n", receive.Env{"ENABLE_SPP": "1", "SPPCONFFILE": file}); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.plugins, got, tt.want)
		}
	}
	w := newWorld(t, nil)
	if got, err := w.says("QUIT\r\n", receive.Env{"ENABLE_SPP": "1"}); got != replyControls+"\r\n" || !errors.Is(err, ErrEnded) {
		t.Errorf("without smtpplugins: %q, %v", got, err)
	}
}
