package remote

import (
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"goqmail/internal/address"
)

func TestAsciiHost(t *testing.T) {
	tests := []struct {
		host, want string
		ok         bool
	}{
		{"example.org", "example.org", true},
		{"a_b c", "a_b c", true},
		{"b\u00fccher.example", "xn--bcher-kva.example", true},
		{"B\u00dcCHER.example.", "xn--bcher-kva.example.", true},
		{"bu\u0308cher.example", "xn--bcher-kva.example", true},
		{"\u4f8b\u5b50.\u6d4b\u8bd5", "xn--fsqu00a.xn--0zwm56d", true},
		{"b\xfccher.example", "b\xfccher.example", false},
		{"a b\u00fc.example", "a b\u00fc.example", false},
		{"\u00fc..example", "\u00fc..example", false},
		{strings.Repeat("\u00fc", 70) + ".example", strings.Repeat("\u00fc", 70) + ".example", false},
	}
	for _, tt := range tests {
		if got, ok := asciiHost(tt.host); got != tt.want || ok != tt.ok {
			t.Errorf("asciiHost(%q) = %q, %v, want %q, %v", tt.host, got, ok, tt.want, tt.ok)
		}
	}
}

func TestMailbox(t *testing.T) {
	tests := []struct {
		addr        string
		needs       bool
		plain, utf8 string
	}{
		{"a b@example.org", false, `"a b"@example.org`, `"a b"@example.org`},
		{"local", false, "local", "local"},
		{"j\u00f6rg@example.org", true, "\"j\u00f6rg\"@example.org", "j\u00f6rg@example.org"},
		{"j\u00f6 rg@example.org", true, "\"j\u00f6 rg\"@example.org", "\"j\u00f6 rg\"@example.org"},
		{"a@b\u00fccher.example", false, "a@xn--bcher-kva.example", "a@b\u00fccher.example"},
		{"a@b \u00fc.example", true, "a@b \u00fc.example", "a@b \u00fc.example"},
		{"\u00e4", true, "\u00e4", "\u00e4"},
		// Compat: what is not UTF-8 is sent as it is.
		{"j\xf6rg@b\xfccher.example", false, "\"j\xf6rg\"@b\xfccher.example", "\"j\xf6rg\"@b\xfccher.example"},
		{"\xe4", false, "\xe4", "\xe4"},
	}
	for _, tt := range tests {
		if got := needsUTF8(tt.addr); got != tt.needs {
			t.Errorf("needsUTF8(%q) = %v", tt.addr, got)
		}
		if got := mailbox(tt.addr, false); got != tt.plain {
			t.Errorf("mailbox(%q, false) = %q, want %q", tt.addr, got, tt.plain)
		}
		if got := mailbox(tt.addr, true); utf8.ValidString(tt.addr) && got != tt.utf8 {
			t.Errorf("mailbox(%q, true) = %q, want %q", tt.addr, got, tt.utf8)
		}
	}
}

func TestHeaderNeedsUTF8(t *testing.T) {
	const queue = "Received: (qmail 1 invoked by uid 2); 21 Nov 2026\n"
	tests := []struct {
		name, header string
		want         bool
	}{
		{"ASCII", "From: a@example.org\nSubject: x\n", false},
		{"subject", "From: a@example.org\nSubject: gr\u00fc\u00dfe@x\n", false},
		{"name", "From: J\u00f6rg <a@example.org>, \"\u00e4\" <b@example.org>\n", false},
		{"address", "From: J\u00f6rg <j\u00f6rg@example.org>\n", true},
		{"host of an address", "Cc:a@b\u00fccher.example\n", true},
		{"address in a second line", "Resent-To: a@example.org,\n\tj\u00f6rg@example.org (x)\n", true},
		{"address elsewhere", "X-Address: j\u00f6rg@example.org\n", false},
		{"address in Latin-1", "To: j\xf6rg@example.org\n", false},
		{"came by SMTPUTF8", queue + "Received: from x (x)\n  by y with UTF8SMTPS; x\nSubject: \u00fc\n", true},
		{"came by SMTPUTF8, ASCII", queue + "Received: from x by y with UTF8SMTP; x\nSubject: x\n", false},
		{"came to another host by SMTPUTF8", queue + "Received: from x by y with ESMTP; x\nReceived: from z by x with UTF8SMTP; x\nSubject: \u00fc\n", false},
		{"with at the end", queue + "Received: from x with\nSubject: \u00fc\n", false},
	}
	for _, tt := range tests {
		if got := headerNeedsUTF8([]byte(tt.header)); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestHeaderOf(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a: b\n\nc\n\nd": "a: b\n", "a: b\r\n\r\nc": "a: b\r\n", "a: b\n\r\nc\n\n": "a: b\n", "a: b\n": "a: b\n",
		strings.Repeat("x", 100000): strings.Repeat("x", mostHeader),
	} {
		message := strings.NewReader("!" + text)
		message.ReadByte()
		if got := headerOf(message); string(got) != want {
			t.Errorf("header of %.20q is %.20q", text, got)
		}
		if rest, _ := io.ReadAll(message); string(rest) != text {
			t.Errorf("then %.20q is left of %.20q", rest, text)
		}
	}
	if got := headerOf(io.MultiReader(strings.NewReader("a: b\n\n"))); got != nil {
		t.Errorf("header of a pipe is %q", got)
	}
}

// TestSMTPUTF8 is about what hosts hear, and what is reported.
func TestSMTPUTF8(t *testing.T) {
	const offer = "250-x\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
	const old = "250-x\r\n250 8BITMIME\r\n"
	const refused = "DConnected to 192.0.2.1 but server does not support unicode in email addresses. (#5.6.7)\n|"
	const taken = "K192.0.2.1 accepted message.\nRemote host said: 250 ok\n|"
	tests := []struct {
		name, offer, sender string
		recipients          []string
		message             string
		reports, heard      string
	}{
		{"sender", offer, "j\u00f6rg@b\u00fccher.example", []string{"b@example.org"}, "x\n", "r|" + taken,
			"MAIL FROM:<j\u00f6rg@b\u00fccher.example> SMTPUTF8\r\nRCPT TO:<b@example.org>\r\n"},
		{"recipient", offer, "a@b\u00fccher.example", []string{"\u00fc@example.org"}, "Subject: \u00fc\n", "r|" + taken,
			"MAIL FROM:<a@b\u00fccher.example> SMTPUTF8 BODY=8BITMIME\r\nRCPT TO:<\u00fc@example.org>\r\n"},
		{"header", offer, "a@example.org", []string{"b@example.org"}, "To: \u00fc@example.org\n\n", "r|" + taken,
			"MAIL FROM:<a@example.org> SMTPUTF8 BODY=8BITMIME\r\nRCPT TO:<b@example.org>\r\n"},
		{"not needed", offer, "a@example.org", []string{"b@b\u00fccher.example"}, "Subject: \u00fc\n\n", "r|" + taken,
			"MAIL FROM:<a@example.org> BODY=8BITMIME\r\nRCPT TO:<b@xn--bcher-kva.example>\r\n"},
		{"sender, not offered", old, "j\u00f6rg@example.org", []string{"b@example.org"}, "x\n", refused, ""},
		{"header, not offered", old, "a@example.org", []string{"b@example.org"}, "To: \u00fc@example.org\n\n", refused, ""},
		{"header without an address, not offered", old, "a@example.org", []string{"b@example.org"}, "Subject: \u00fc\n\n", "r|" + taken,
			"MAIL FROM:<a@example.org> BODY=8BITMIME\r\nRCPT TO:<b@example.org>\r\n"},
		{"hosts, not offered", old, "a@b\u00fccher.example", []string{"b@b\u00fccher.example"}, "x\n", "r|" + taken,
			"MAIL FROM:<a@xn--bcher-kva.example>\r\nRCPT TO:<b@xn--bcher-kva.example>\r\n"},
		{"a recipient, not offered", old, "a@example.org", []string{"a@example.org", "\u00fc@example.org", "b@example.org"}, "x\n",
			"r|h192.0.2.1 does not support unicode in email addresses. (#5.6.7)\n|r|" + taken,
			"MAIL FROM:<a@example.org>\r\nRCPT TO:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n"},
		{"the recipient, not offered", old, "a@example.org", []string{"\u00fc@example.org"}, "x\n",
			"h192.0.2.1 does not support unicode in email addresses. (#5.6.7)\n|DGiving up on 192.0.2.1.\n|", "MAIL FROM:<a@example.org>\r\n"},
		{"Latin-1", old, "j\xf6rg@b\xfccher.example", []string{"\xfc@example.org"}, "x\n", "r|" + taken,
			"MAIL FROM:<\"j\xf6rg\"@b\xfccher.example>\r\nRCPT TO:<\"\xfc\"@example.org>\r\n"},
	}
	for _, tt := range tests {
		h, heard := host("EHLO", tt.offer)
		n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": h}}
		m := &Mail{Host: "[192.0.2.1]", Sender: tt.sender, Recipients: tt.recipients, Message: strings.NewReader(tt.message)}
		if got := send(t, n.client(noDNS{t}), settings(), m); got != tt.reports {
			t.Errorf("%s: reports %q, want %q", tt.name, got, tt.reports)
		}
		n.wait()
		got := strings.TrimPrefix(heard.String(), "EHLO me.test.example\r\n")
		got, _, _ = strings.Cut(strings.TrimSuffix(got, "QUIT\r\n"), "DATA\r\n")
		if got != tt.heard {
			t.Errorf("%s: host heard %q, want %q", tt.name, got, tt.heard)
		}
	}
}

// TestInternationalHost: the DNS is asked for the name in ASCII, routes may have
// either.
func TestInternationalHost(t *testing.T) {
	z := &zone{addrs: map[string][]string{"xn--bcher-kva.example": {"192.0.2.1"}}}
	for lines, want := range map[string]string{
		"x.example:192.0.2.9": "192.0.2.1:25", "b\u00fccher.example:192.0.2.2": "192.0.2.2:25", "xn--bcher-kva.example:192.0.2.3": "192.0.2.3:25",
		":b\u00fccher.example:26": "192.0.2.1:26",
	} {
		n := &network{t: t}
		s := settings()
		s.Routes = ParseRoutes([]string{lines})
		m := testMail()
		m.Host = "b\u00fccher.example"
		send(t, n.client(z), s, m)
		if len(n.dialed) != 1 || n.dialed[0] != want {
			t.Errorf("%s: connections %q, want %s", lines, n.dialed, want)
		}
	}
}

// FuzzMailbox: what goes without SMTPUTF8 and does not need it has no character
// beyond ASCII, and quoting for SMTPUTF8 is that for SMTP, or none.
func FuzzMailbox(f *testing.F) {
	f.Add("j\u00f6rg@b\u00fccher.example")
	f.Add("a b@\u00fc")
	f.Fuzz(func(t *testing.T, addr string) {
		plain, wide := mailbox(addr, false), mailbox(addr, true)
		if utf8.ValidString(addr) && !needsUTF8(addr) && hasEightBit([]byte(plain)) {
			t.Errorf("%q is sent as %q", addr, plain)
		}
		if wide != addr && wide != address.Quote(addr) {
			t.Errorf("%q is sent by SMTPUTF8 as %q", addr, wide)
		}
	})
}
