package remote

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"goqmail/internal/scram"
)

// TestMechanisms has the examples of the RFCs.
func TestMechanisms(t *testing.T) {
	tests := []struct {
		mechanism, user, password string
		challenges, want          []string
	}{
		// RFC 4616 section 4
		{"PLAIN", "tim", "tanstaaftanstaaf", []string{""}, []string{"\x00tim\x00tanstaaftanstaaf"}},
		// RFC 2195 section 2
		{"CRAM-MD5", "tim", "tanstaaftanstaaf", []string{"<1896.697170952@postoffice.reston.mci.net>"}, []string{"tim b913a602c7eda7a495b4e6e7334d3890"}},
		// draft-murchison-sasl-login section 2.2
		{"LOGIN", "tim", "tanstaaftanstaaf", []string{"User Name\x00", "Password\x00"}, []string{"tim", "tanstaaftanstaaf"}},
		{"LOGIN", "\xc3\xa4 b", "c\xff", []string{"", ""}, []string{"\xc3\xa4 b", "c\xff"}},
	}
	for _, tt := range tests {
		m, ok := choose(extensions{"AUTH": "X " + tt.mechanism + " Y"})
		if !ok || m.name != tt.mechanism {
			t.Errorf("%s is not known", tt.mechanism)
			continue
		}
		proof := m.begin(tt.user, tt.password)
		for i, challenge := range tt.challenges {
			if proof.done() {
				t.Errorf("%s: done after %d", tt.mechanism, i)
			}
			if got, err := proof.answer([]byte(challenge)); got != tt.want[i] || err != nil {
				t.Errorf("%s: answer %d is %q, %v, want %q", tt.mechanism, i, got, err, tt.want[i])
			}
		}
		if _, err := proof.answer(nil); err == nil || !proof.done() {
			t.Errorf("%s: answers for ever", tt.mechanism)
		}
	}
}

// TestChoose: the best that is offered, however it is offered.
func TestChoose(t *testing.T) {
	tests := []struct{ offer, want string }{
		{"AUTH PLAIN LOGIN", "PLAIN"},
		{"AUTH LOGIN", "LOGIN"},
		{"auth login cram-md5 plain", "CRAM-MD5"},
		{"AUTH PLAIN CRAM-MD5 SCRAM-SHA-256 SCRAM-SHA-1", "SCRAM-SHA-256"},
		{"AUTH=LOGIN PLAIN", "PLAIN"},
		{"AUTH=LOGIN", "LOGIN"},
		{"AUTH GSSAPI NTLM XPLAIN PLAINX", ""},
		{"AUTH", ""},
		{"SIZE", ""},
	}
	for _, tt := range tests {
		m, ok := choose(parseExtensions([]byte("250-x\n250 " + tt.offer + "\n")))
		if m.name != tt.want || ok != (tt.want != "") {
			t.Errorf("%q: %q, %v, want %q", tt.offer, m.name, ok, tt.want)
		}
	}
}

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// TestAuth is about logging in to a relay, under TLS and without.
func TestAuth(t *testing.T) {
	ca := newAuthority(t)
	const user, password = "anna", "p4ssw|ord"
	plain := b64("\x00" + user + "\x00" + password)
	route := ":relay.example.net:587|" + user + "|" + password + "\n"
	yes := []string{"235 welcome\r\n"}
	const no = "ZConnected to 192.0.2.3 but "
	const note = "STARTTLS proto=P; cipher=C; verified=no\n|"
	tests := []struct {
		name           string
		files          map[string]string
		host           *tlsHost
		reports        string
		clear, private string // what the host hears of AUTH and the message
	}{
		{"PLAIN", nil, &tlsHost{offerTLS: "AUTH PLAIN LOGIN", auth: map[string][]string{"PLAIN": yes}}, "r|K",
			"", "AUTH PLAIN " + plain + "\r\n" + wholeMail},
		{"LOGIN", nil, &tlsHost{offerTLS: "AUTH LOGIN", auth: map[string][]string{"LOGIN": {"334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n", "235 ok\r\n"}}}, "r|K",
			"", "AUTH LOGIN\r\n" + b64(user) + "\r\n" + b64(password) + "\r\n" + wholeMail},
		{"LOGIN by a sloppy server", nil, &tlsHost{offerTLS: "AUTH LOGIN", auth: map[string][]string{"LOGIN": {"334 Username:\r\n", "334\r\n", "235 ok\r\n"}}}, "r|K",
			"", "AUTH LOGIN\r\n" + b64(user) + "\r\n" + b64(password) + "\r\n" + wholeMail},
		{"offered in the clear alone", nil, &tlsHost{offer: "AUTH PLAIN", auth: map[string][]string{"PLAIN": yes}},
			no + "it offers no AUTH that I know. Nothing was sent. (#4.7.0)\n" + note, "", "QUIT\r\n"},
		{"not offered", nil, &tlsHost{offerTLS: "AUTH NTLM"},
			no + "it offers no AUTH that I know. Nothing was sent. (#4.7.0)\n" + note, "", "QUIT\r\n"},
		{"wrong password", nil, &tlsHost{offerTLS: "AUTH PLAIN", auth: map[string][]string{"PLAIN": {"535 5.7.8 no\r\n"}}},
			no + "authentication was rejected (AUTH PLAIN).\nRemote host said: 535 5.7.8 no\n" + note, "", "AUTH PLAIN " + plain + "\r\nQUIT\r\n"},
		{"server tells what it heard", nil, &tlsHost{offerTLS: "AUTH PLAIN", auth: map[string][]string{"PLAIN": {"535 what is " + plain + "?\r\n"}}},
			no + "authentication was rejected (AUTH PLAIN).\n" + note, "", "AUTH PLAIN " + plain + "\r\nQUIT\r\n"},
		{"server tells the password", nil, &tlsHost{offerTLS: "AUTH PLAIN", auth: map[string][]string{"PLAIN": {"535 " + password + " is wrong\r\n"}}},
			no + "authentication was rejected (AUTH PLAIN).\n" + note, "", "AUTH PLAIN " + plain + "\r\nQUIT\r\n"},
		{"dies", nil, &tlsHost{offerTLS: "AUTH LOGIN", auth: map[string][]string{"LOGIN": {"334 \r\n", "{close}"}}},
			no + "connection died. (#4.4.2)\n" + note, "", "AUTH LOGIN\r\n" + b64(user) + "\r\n"},
		{"challenge makes no sense", nil, &tlsHost{offerTLS: "AUTH CRAM-MD5", auth: map[string][]string{"CRAM-MD5": {"334 !!!\r\n", "235 ok\r\n"}}},
			no + "AUTH CRAM-MD5 failed: challenge is not in base64. Nothing was sent. (#4.7.0)\n" + note, "", "AUTH CRAM-MD5\r\n*\r\nQUIT\r\n"},
		{"too many challenges", nil, &tlsHost{offerTLS: "AUTH PLAIN", auth: map[string][]string{"PLAIN": {"334 \r\n", "235 ok\r\n"}}},
			no + "AUTH PLAIN failed: unexpected challenge. Nothing was sent. (#4.7.0)\n" + note, "", "AUTH PLAIN " + plain + "\r\n*\r\nQUIT\r\n"},
		{"yes too early", nil, &tlsHost{offerTLS: "AUTH SCRAM-SHA-256 PLAIN", auth: map[string][]string{"SCRAM-SHA-256": yes}},
			no + "it did not go through with AUTH SCRAM-SHA-256. Nothing was sent. (#4.7.0)\n" + note, "", "AUTH SCRAM-SHA-256 ...\r\nQUIT\r\n"},

		{"no TLS", nil, &tlsHost{offer: "AUTH PLAIN", auth: map[string][]string{"PLAIN": yes}},
			"ZNo TLS achieved while there is a password for relay.example.net; connected to 192.0.2.3. (#4.7.10)\n|", "QUIT\r\n", ""},
		{"TLS rejected", nil, &tlsHost{offer: "STARTTLS|AUTH PLAIN", starttls: "454 no\r\n", auth: map[string][]string{"PLAIN": yes}},
			"ZSTARTTLS rejected while there is a password for relay.example.net; connected to 192.0.2.3. (#4.7.10)\nRemote host said: 454 no\n|", "QUIT\r\n", ""},
		{"TLS fails", nil, &tlsHost{offer: "STARTTLS|AUTH PLAIN", garbage: true, auth: map[string][]string{"PLAIN": yes}},
			"ZTLS connect failed: tls: first record does not look like a TLS handshake; connected to 192.0.2.3. (#4.7.5)\n|", "", ""},
		{"TLS switched off", map[string]string{"notlshosts/relay.example.net": ""}, &tlsHost{offer: "STARTTLS|AUTH PLAIN"},
			"ZTLS is switched off for relay.example.net, so I do not send it a password. (#4.7.10)\n|", "", ""},
		{"wrong certificate", map[string]string{"tlshosts/relay.example.net.pem": newAuthority(t).pem}, &tlsHost{offerTLS: "AUTH PLAIN"},
			"ZTLS unable to verify server relay.example.net: x509: certificate signed by unknown authority; connected to 192.0.2.3. (#4.7.5)\n|", "", ""},

		{"no TLS, as told", map[string]string{"authcleartext": "Relay.example.net\n"}, &tlsHost{offer: "AUTH PLAIN", auth: map[string][]string{"PLAIN": yes}}, "r|K",
			"AUTH PLAIN " + plain + "\r\n" + wholeMail, ""},
		{"another without TLS", map[string]string{"authcleartext": "other.example.net\n"}, &tlsHost{offer: "AUTH PLAIN", auth: map[string][]string{"PLAIN": yes}},
			"ZNo TLS achieved while there is a password for relay.example.net; connected to 192.0.2.3. (#4.7.10)\n|", "QUIT\r\n", ""},
		{"TLS all the same", map[string]string{"authcleartext": "relay.example.net\n"}, &tlsHost{offerTLS: "AUTH PLAIN", auth: map[string][]string{"PLAIN": yes}}, "r|K",
			"", "AUTH PLAIN " + plain + "\r\n" + wholeMail},
		{"TLS switched off, as told", map[string]string{"authcleartext": "relay.example.net\n", "notlshosts/relay.example.net": ""},
			&tlsHost{offer: "STARTTLS|AUTH PLAIN", auth: map[string][]string{"PLAIN": yes}}, "r|K", "AUTH PLAIN " + plain + "\r\n" + wholeMail, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := tt.host
			if h.offer == "" || h.offerTLS != "" || tt.name == "offered in the clear alone" {
				h.config, h.offer = ca.serve("relay.example.net"), h.offer+"|STARTTLS"
			}
			n := &network{t: t, hosts: map[string]handler{"192.0.2.3:587": h.play}}
			texts := map[string]string{"smtproutes": route}
			for name, text := range tt.files {
				texts[name] = text
			}
			got := plainReports(send(t, n.client(testZone), withFiles(t, texts), testMail()))
			if got != tt.reports && (tt.reports != "r|K" || !strings.HasPrefix(got, "r|K")) {
				t.Errorf("reports %q, want %q", got, tt.reports)
			}
			if strings.Contains(got, password) || strings.Contains(got, plain) || strings.Contains(got, b64(password)) {
				t.Errorf("reports %q tell the password", got)
			}
			n.wait()
			clear, private := h.heard()
			if got := authPart(clear); got != tt.clear {
				t.Errorf("host heard %q in the clear, want %q", got, tt.clear)
			}
			if got := authPart(private); got != tt.private {
				t.Errorf("host heard %q under TLS, want %q", got, tt.private)
			}
		})
	}
}

// authPart leaves out what goes before AUTH, and what is random.
func authPart(heard string) string {
	heard = strings.ReplaceAll(heard, hello, "")
	heard = strings.ReplaceAll(heard, "STARTTLS\r\n", "")
	if _, rest, ok := strings.Cut(heard, "AUTH SCRAM-SHA-256 "); ok {
		_, rest, _ = strings.Cut(rest, "\r\n")
		return "AUTH SCRAM-SHA-256 ...\r\n" + rest
	}
	return heard
}

// scramHost plays SCRAM for a user with a password; broken servers do not know it.
func scramHost(t *testing.T, password string, broken bool) (handler, *string) {
	t.Helper()
	verifier, err := scram.New(password, []byte("salt salt salt!!"), scram.MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	var end string
	return func(p *peer) {
		decode := func(line string) string {
			text, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
			return string(text)
		}
		p.say("220 x\r\n")
		p.hear()
		p.say("250-x\r\n250 AUTH SCRAM-SHA-256\r\n")
		line := strings.TrimPrefix(p.hear(), "AUTH SCRAM-SHA-256 ")
		server := &scram.Server{Nonce: "server", Lookup: func(user string) (scram.Verifier, bool, error) { return verifier, user == "anna", nil }}
		challenge, err := server.Challenge(decode(line))
		if err != nil {
			t.Errorf("first message: %v", err)
			return
		}
		p.say("334 " + b64(challenge) + "\r\n")
		final, err := server.Finish(decode(p.hear()))
		if err != nil {
			p.say("535 no\r\n")
			return
		}
		if broken {
			final = "v=" + b64(strings.Repeat("x", 32))
		}
		p.say("334 " + b64(final) + "\r\n")
		if line := p.hear(); line == "\r\n" {
			p.say("235 ok\r\n")
		} else {
			p.say("501 ok\r\n")
		}
		end = p.hear()
	}, &end
}

// TestScram: both sides prove that they know the password.
func TestScram(t *testing.T) {
	tests := []struct {
		name, password string
		broken         bool
		reports, end   string
	}{
		{"right", "pencil", false, "ZConnected to 192.0.2.3 but connection died.", "MAIL FROM:<anna@test.example>\r\n"},
		{"wrong", "rubber", false, "ZConnected to 192.0.2.3 but authentication was rejected (AUTH SCRAM-SHA-256).\nRemote host said: 535 no\n", ""},
		{"server does not know", "pencil", true, "ZConnected to 192.0.2.3 but AUTH SCRAM-SHA-256 failed: SCRAM proof is wrong. Nothing was sent. (", "QUIT\r\n"},
	}
	for _, tt := range tests {
		h, end := scramHost(t, tt.password, tt.broken)
		n := &network{t: t, hosts: map[string]handler{"192.0.2.3:587": h}}
		s := withFiles(t, map[string]string{"smtproutes": ":relay.example.net:587 anna pencil\n", "authcleartext": "relay.example.net\n"})
		if got := send(t, n.client(testZone), s, testMail()); !strings.HasPrefix(got, tt.reports) {
			t.Errorf("%s: reports %q, want %q", tt.name, got, tt.reports)
		}
		n.wait()
		if *end != tt.end {
			t.Errorf("%s: then %q, want %q", tt.name, *end, tt.end)
		}
	}
}

// TestLongPassword: a first answer that is too long for a command waits.
func TestLongPassword(t *testing.T) {
	password := strings.Repeat("x", 500)
	h := &tlsHost{offer: "AUTH PLAIN", auth: map[string][]string{"PLAIN": {"334 \r\n", "235 ok\r\n"}}}
	n := &network{t: t, hosts: map[string]handler{"192.0.2.3:25": h.play}}
	s := withFiles(t, map[string]string{"smtproutes": ":relay.example.net|u|" + password + "\n", "authcleartext": "relay.example.net\n"})
	if got := send(t, n.client(testZone), s, testMail()); !strings.HasPrefix(got, "r|K") {
		t.Errorf("reports %q", got)
	}
	n.wait()
	if clear, _ := h.heard(); authPart(clear) != "AUTH PLAIN\r\n"+b64("\x00u\x00"+password)+"\r\n"+wholeMail {
		t.Errorf("host heard %q", clear)
	}
}

// TestWrongPasswordOnce: it is not tried at every address of a relay.
func TestWrongPasswordOnce(t *testing.T) {
	h := &tlsHost{offer: "AUTH PLAIN", auth: map[string][]string{"PLAIN": {"535 no\r\n"}}}
	n := &network{t: t, hosts: map[string]handler{"192.0.2.3:25": h.play, "192.0.2.4:25": h.play}}
	z := &zone{addrs: map[string][]string{"relay.example.net": {"192.0.2.3", "192.0.2.4"}}}
	s := withFiles(t, map[string]string{"authsenders": "@test.example:relay.example.net|u|p\n", "authcleartext": "relay.example.net\n"})
	send(t, n.client(z), s, testMail())
	if len(n.dialed) != 1 {
		t.Errorf("connections %q", n.dialed)
	}
}

// TestCleartextRelays: a relay may be written in several ways.
func TestCleartextRelays(t *testing.T) {
	for line, relay := range map[string]string{
		"127.0.0.1": "127.0.0.1", "[127.0.0.1]": "127.0.0.1", "::1": "[::1]", "[IPv6:0::1]": "[::1]",
		"Relay.example.net.": "relay.example.net", "b\u00fccher.example": "b\u00fccher.example", "xn--bcher-kva.example": "b\u00fccher.example",
	} {
		n := &network{t: t}
		z := &zone{addrs: map[string][]string{"relay.example.net": {"192.0.2.3"}, "xn--bcher-kva.example": {"192.0.2.3"}}}
		s := withFiles(t, map[string]string{"smtproutes": ":" + relay + "|u|p\n", "authcleartext": line + "\n", "tlshosts/exhaustivelist": ""})
		if send(t, n.client(z), s, testMail()); len(n.dialed) != 1 {
			t.Errorf("%s for %s: connections %q", line, relay, n.dialed)
		}
	}
}

// TestSenderRoutes: authsenders come before smtproutes, and mail without a sender
// may have a route of its own.
func TestSenderRoutes(t *testing.T) {
	texts := map[string]string{
		"authsenders": "anna@test.example:192.0.2.11\n@other.example:192.0.2.12\n",
		"smtproutes":  "!@:192.0.2.13\n:192.0.2.14\n",
	}
	for sender, want := range map[string]string{
		"anna@test.example": "192.0.2.11:25", "b@other.example": "192.0.2.12:25", "": "192.0.2.13:25", "b@test.example": "192.0.2.14:25",
	} {
		n := &network{t: t}
		m := testMail()
		m.Sender = sender
		send(t, n.client(noDNS{t}), withFiles(t, texts), m)
		if len(n.dialed) != 1 || n.dialed[0] != want {
			t.Errorf("%q: connections %q, want %s", sender, n.dialed, want)
		}
	}
}

// FuzzChallenge: what is read was written so, and nothing else is.
func FuzzChallenge(f *testing.F) {
	for _, text := range []string{"334 VXNlcm5hbWU6\n", "334\n", "334 \n", "334-x\n334 y\n", "334 =\n", "33", "334 QQ==  \n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		challenge, err := decodeChallenge(text)
		if err != nil {
			return
		}
		if bytes.Count(text, []byte{'\n'}) != 1 || len(challenge) > len(text) {
			t.Errorf("%q is %q", text, challenge)
		}
		again, err := decodeChallenge([]byte("334 " + b64(string(challenge)) + "\n"))
		if err != nil || !bytes.Equal(again, challenge) {
			t.Errorf("%q: %q, then %q, %v", text, challenge, again, err)
		}
	})
}
