package remote

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// testMail is a message from anna@test.example to example.org, whose exchangers are
// mx.example.org and then other.example.org.
func testMail() *Mail {
	return &Mail{Host: "example.org", Sender: "anna@test.example", Recipients: []string{"b@example.org"}, Message: strings.NewReader("x\n")}
}

var testZone = &zone{
	mx: map[string][]Exchanger{"example.org": {{"MX.example.org.", 1}, {"other.example.org", 2}}},
	addrs: map[string][]string{
		"MX.example.org.":   {"192.0.2.1"},
		"other.example.org": {"192.0.2.2"},
		"relay.example.net": {"192.0.2.3"},
	},
}

var tlsDetail = regexp.MustCompile(`proto=TLSv1\.\d; cipher=\w+`)

// plain leaves out of reports what was negotiated.
func plainReports(text string) string { return tlsDetail.ReplaceAllString(text, "proto=P; cipher=C") }

const (
	hello       = "EHLO me.test.example\r\n"
	wholeMail   = "MAIL FROM:<anna@test.example>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"
	taken       = "r|K192.0.2.1 accepted message.\nRemote host said: 250 taken\n"
	encrypted   = taken + "STARTTLS proto=P; cipher=C; verified=no\n|"
	verifiedTLS = taken + "STARTTLS proto=P; cipher=C; verified=yes\n|"
)

// TestTLS is about every policy, and each way in which TLS may come about or not.
// The other exchanger does not answer.
func TestTLS(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	good := ca.serve("mx.example.org")
	wild := ca.serve("*.example.org")
	other := ca.serve("other.example")
	print := sha256.Sum256(good.Certificates[0].Certificate[0])
	fingerprint := hex.EncodeToString(print[:])
	const pem = "tlshosts/mx.example.org.pem"
	const unable = "ZTLS unable to verify server mx.example.org: "
	type texts = map[string]string
	tests := []struct {
		name           string
		files          texts
		host           *tlsHost
		reports        string
		clear, private string
	}{
		{"offered", texts{}, &tlsHost{config: good, offer: "STARTTLS"}, encrypted, hello + "STARTTLS\r\n", hello + wholeMail},
		{"not offered", texts{}, &tlsHost{}, taken + "|", hello + wholeMail, ""},
		{"old server", texts{}, &tlsHost{config: &tls.Config{Certificates: good.Certificates, MaxVersion: tls.VersionTLS10, MinVersion: tls.VersionTLS10}, offer: "STARTTLS"},
			encrypted, hello + "STARTTLS\r\n", hello + wholeMail},
		{"certificate of anybody", texts{}, &tlsHost{config: stranger.serve("x.example"), offer: "STARTTLS"}, encrypted, hello + "STARTTLS\r\n", hello + wholeMail},
		{"what was offered in the clear does not count", texts{}, &tlsHost{config: good, offer: "STARTTLS|SIZE", offerTLS: "8BITMIME"}, encrypted, hello + "STARTTLS\r\n", hello + wholeMail},
		{"handshake fails", texts{}, &tlsHost{offer: "STARTTLS", garbage: true},
			taken + "STARTTLS failed: tls: first record does not look like a TLS handshake; not used\n|", hello + "STARTTLS\r\n" + hello + wholeMail, ""},
		{"rejected", texts{}, &tlsHost{offer: "STARTTLS", starttls: "454 not now\r\n"},
			taken + "STARTTLS rejected with 454; not used\n|", hello + "STARTTLS\r\n" + wholeMail, ""},
		{"rejected by a server that goes", texts{}, &tlsHost{offer: "STARTTLS", starttls: "421 bye\r\n"},
			taken + "STARTTLS failed: rejected with 421; not used\n|", hello + "STARTTLS\r\nQUIT\r\n" + hello + wholeMail, ""},
		{"injection", texts{}, &tlsHost{config: good, offer: "STARTTLS", starttls: "220 go\r\n250-x\r\n250 SIZE\r\n"},
			taken + "STARTTLS failed: data ahead of TLS; not used\n|", hello + "STARTTLS\r\n" + hello + wholeMail, ""},

		{"handshake fails, but is needed", texts{}, &tlsHost{offer: "STARTTLS", garbage: true, mail: "530 TLS first\r\n"},
			"ZTLS connect failed: tls: first record does not look like a TLS handshake; connected to 192.0.2.1. (#4.7.5)\n|",
			hello + "STARTTLS\r\n" + hello + "MAIL FROM:<anna@test.example>\r\nQUIT\r\n", ""},
		{"rejected, but needed", texts{}, &tlsHost{offer: "STARTTLS", starttls: "454 not now\r\n", mail: "530 TLS first\r\n"},
			"ZSTARTTLS rejected while it is needed; connected to 192.0.2.1. (#4.7.10)\nRemote host said: 454 not now\n|",
			hello + "STARTTLS\r\nMAIL FROM:<anna@test.example>\r\nQUIT\r\n", ""},
		{"needed, but told not to", texts{"notlshosts/mx.example.org": ""}, &tlsHost{offer: "STARTTLS", mail: "530 TLS first\r\n"},
			"DConnected to 192.0.2.1 but sender was rejected.\nRemote host said: 530 TLS first\n|", hello + "MAIL FROM:<anna@test.example>\r\nQUIT\r\n", ""},

		{"notlshosts", texts{"notlshosts/mx.example.org": ""}, &tlsHost{config: good, offer: "STARTTLS"}, taken + "|", hello + wholeMail, ""},
		{"notlshosts, another", texts{"notlshosts/example.org": ""}, &tlsHost{config: good, offer: "STARTTLS"}, encrypted, hello + "STARTTLS\r\n", hello + wholeMail},
		{"exhaustivelist", texts{"tlshosts/exhaustivelist": ""}, &tlsHost{config: good, offer: "STARTTLS"}, taken + "|", hello + wholeMail, ""},
		{"exhaustivelist, listed", texts{"tlshosts/exhaustivelist": "", pem: ca.pem}, &tlsHost{config: good, offer: "STARTTLS"},
			verifiedTLS, hello + "STARTTLS\r\n", hello + wholeMail},

		{"tlshosts", texts{pem: ca.pem}, &tlsHost{config: good, offer: "STARTTLS"}, verifiedTLS, hello + "STARTTLS\r\n", hello + wholeMail},
		{"tlshosts before notlshosts", texts{pem: ca.pem, "notlshosts/mx.example.org": ""}, &tlsHost{config: wild, offer: "STARTTLS"},
			verifiedTLS, hello + "STARTTLS\r\n", hello + wholeMail},
		{"tlshosts, the certificate itself", texts{pem: pemOf("CERTIFICATE", good.Certificates[0].Certificate[0])}, &tlsHost{config: good, offer: "STARTTLS"},
			verifiedTLS, hello + "STARTTLS\r\n", hello + wholeMail},
		{"tlshosts, the certificate itself, another name", texts{pem: stranger.pem + pemOf("CERTIFICATE", other.Certificates[0].Certificate[0])}, &tlsHost{config: other, offer: "STARTTLS"},
			verifiedTLS, hello + "STARTTLS\r\n", hello + wholeMail},
		{"tlsdestinations: the certificate itself, another name", texts{"tlsdestinations": "=mx.example.org:control/x.pem\n", "x.pem": pemOf("CERTIFICATE", other.Certificates[0].Certificate[0])}, &tlsHost{config: other, offer: "STARTTLS"},
			verifiedTLS, hello + "STARTTLS\r\n", hello + wholeMail},
		{"tlshosts, another CA", texts{pem: stranger.pem}, &tlsHost{config: good, offer: "STARTTLS"},
			unable + "x509: certificate signed by unknown authority; connected to 192.0.2.1. (#4.7.5)\n|", hello + "STARTTLS\r\n", ""},
		{"tlshosts, CAs of the host", texts{pem: "\n"}, &tlsHost{config: good, offer: "STARTTLS"},
			unable + "x509: certificate signed by unknown authority; connected to 192.0.2.1. (#4.7.5)\n|", hello + "STARTTLS\r\n", ""},
		{"tlshosts, another name", texts{pem: ca.pem}, &tlsHost{config: ca.serve("x.example"), offer: "STARTTLS"},
			unable + "x509: certificate is valid for x.example, not mx.example.org; connected to 192.0.2.1. (#4.7.5)\n|", hello + "STARTTLS\r\n", ""},
		{"tlshosts, not offered", texts{pem: ca.pem}, &tlsHost{},
			"ZNo TLS achieved while control/" + pem + " exists; connected to 192.0.2.1. (#4.7.10)\n|", hello + "QUIT\r\n", ""},
		{"tlshosts, rejected", texts{pem: ca.pem}, &tlsHost{offer: "STARTTLS", starttls: "454 not now\r\n"},
			"ZSTARTTLS rejected while control/" + pem + " exists; connected to 192.0.2.1. (#4.7.10)\nRemote host said: 454 not now\n|", hello + "STARTTLS\r\nQUIT\r\n", ""},
		{"tlshosts, handshake fails", texts{pem: ca.pem}, &tlsHost{offer: "STARTTLS", garbage: true},
			"ZTLS connect failed: tls: first record does not look like a TLS handshake; connected to 192.0.2.1. (#4.7.5)\n|", hello + "STARTTLS\r\n", ""},
		{"tlshosts, injection", texts{pem: ca.pem}, &tlsHost{config: good, offer: "STARTTLS", starttls: "220 go\r\n250 x\r\n"},
			"ZTLS connect failed: data ahead of TLS; connected to 192.0.2.1. (#4.7.5)\n|", hello + "STARTTLS\r\n", ""},
		{"tlshosts, too old a server", texts{pem: ca.pem}, &tlsHost{config: &tls.Config{Certificates: good.Certificates, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, offer: "STARTTLS"},
			"ZTLS connect failed: remote error: tls: protocol version not supported; connected to 192.0.2.1. (#4.7.5)\n|", hello + "STARTTLS\r\n", ""},
		{"tlshosts, no certificate in it", texts{pem: "hello"}, &tlsHost{config: good, offer: "STARTTLS"},
			"ZTLS unable to load control/" + pem + ". (#4.3.0)\n|", "", ""},

		{"tlsdestinations: none", texts{"tlsdestinations": "!mx.example.org:\n"}, &tlsHost{config: good, offer: "STARTTLS"}, taken + "|", hello + wholeMail, ""},
		{"tlsdestinations: none below", texts{"tlsdestinations": "!.org:\n=mx.example.org:\n"}, &tlsHost{config: good, offer: "STARTTLS"}, taken + "|", hello + wholeMail, ""},
		{"tlsdestinations: any certificate", texts{"tlsdestinations": "-.example.org:\n"}, &tlsHost{config: stranger.serve("x"), offer: "STARTTLS"},
			encrypted, hello + "STARTTLS\r\n", hello + wholeMail},
		{"tlsdestinations: by destination", texts{"tlsdestinations": "-example.org:\n"}, &tlsHost{},
			"ZNo TLS achieved while control/tlsdestinations has -example.org; connected to 192.0.2.1. (#4.7.10)\n|", hello + "QUIT\r\n", ""},
		{"tlsdestinations: required", texts{"tlsdestinations": "mx.example.org:\n"}, &tlsHost{config: stranger.serve("x"), offer: "STARTTLS"},
			encrypted, hello + "STARTTLS\r\n", hello + wholeMail},
		{"tlsdestinations: CA", texts{"tlsdestinations": ".example.org:control/ca.pem|ECDHE-ECDSA-AES128-GCM-SHA256|3\n", "ca.pem": ca.pem}, &tlsHost{config: ca.serve("x.example"), offer: "STARTTLS"},
			verifiedTLS, hello + "STARTTLS\r\n", hello + wholeMail},
		{"tlsdestinations: CAs in a folder", texts{"tlsdestinations": "mx.example.org:control/cas/\n", "cas/1.pem": stranger.pem, "cas/2.pem": ca.pem, "cas/README": ""}, &tlsHost{config: good, offer: "STARTTLS"},
			verifiedTLS, hello + "STARTTLS\r\n", hello + wholeMail},
		{"tlsdestinations: another CA", texts{"tlsdestinations": "mx.example.org:control/ca.pem\n", "ca.pem": stranger.pem}, &tlsHost{config: good, offer: "STARTTLS"},
			"ZTLS unable to verify server mx.example.org: x509: certificate signed by unknown authority; connected to 192.0.2.1. (#4.7.5)\n|", hello + "STARTTLS\r\n", ""},
		{"tlsdestinations: no CA there", texts{"tlsdestinations": "mx.example.org:control/ca.pem\n"}, &tlsHost{config: good, offer: "STARTTLS"},
			"ZTLS unable to load control/ca.pem. (#4.3.0)\n|", "", ""},
		{"tlsdestinations: name", texts{"tlsdestinations": "=mx.example.org:control/ca.pem\n", "ca.pem": ca.pem}, &tlsHost{config: good, offer: "STARTTLS"},
			verifiedTLS, hello + "STARTTLS\r\n", hello + wholeMail},
		{"tlsdestinations: no wildcard", texts{"tlsdestinations": "=mx.example.org:control/ca.pem\n", "ca.pem": ca.pem}, &tlsHost{config: wild, offer: "STARTTLS"},
			"ZTLS unable to verify server mx.example.org: certificate is for mx.example.org by a wildcard; connected to 192.0.2.1. (#4.7.5)\n|", hello + "STARTTLS\r\n", ""},
		{"tlsdestinations: wildcard", texts{"tlsdestinations": "~.example.org:control/ca.pem\n", "ca.pem": ca.pem}, &tlsHost{config: wild, offer: "STARTTLS"},
			verifiedTLS, hello + "STARTTLS\r\n", hello + wholeMail},
		{"tlsdestinations: wildcard, another name", texts{"tlsdestinations": "~*:control/ca.pem\n", "ca.pem": ca.pem}, &tlsHost{config: ca.serve("*.x.example"), offer: "STARTTLS"},
			"ZTLS unable to verify server mx.example.org: x509: certificate is valid for *.x.example, not mx.example.org; connected to 192.0.2.1. (#4.7.5)\n|", hello + "STARTTLS\r\n", ""},
		{"tlsdestinations: CAs of the host", texts{"tlsdestinations": "=*:\n"}, &tlsHost{config: good, offer: "STARTTLS"},
			"ZTLS unable to verify server mx.example.org: x509: certificate signed by unknown authority; connected to 192.0.2.1. (#4.7.5)\n|", hello + "STARTTLS\r\n", ""},
		{"tlsdestinations: fingerprint", texts{"tlsdestinations": "%mx.example.org:=" + strings.ToUpper(fingerprint) + "\n"}, &tlsHost{config: good, offer: "STARTTLS"},
			verifiedTLS, hello + "STARTTLS\r\n", hello + wholeMail},
		{"tlsdestinations: another fingerprint", texts{"tlsdestinations": "%mx.example.org:=" + fingerprint + "\n"}, &tlsHost{config: wild, offer: "STARTTLS"},
			"ZTLS unable to verify server mx.example.org: certificate has another fingerprint; connected to 192.0.2.1. (#4.7.5)\n|", hello + "STARTTLS\r\n", ""},
		{"tlsdestinations: half a fingerprint", texts{"tlsdestinations": "%mx.example.org:=" + fingerprint[:30] + "\n"}, &tlsHost{config: good, offer: "STARTTLS"},
			"ZTLS unable to load the?fingerprint?for?%mx.example.org. (#4.3.0)\n|", "", ""},
		{"tlsdestinations: the usual", texts{"tlsdestinations": "*:\n-:\n"}, &tlsHost{}, taken + "|", hello + wholeMail, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": tt.host.play}}
			c := n.client(testZone)
			if got := plainReports(send(t, c, withFiles(t, tt.files), testMail())); got != tt.reports {
				t.Errorf("reports %q, want %q", got, tt.reports)
			}
			n.wait()
			clear, private := tt.host.heard()
			if clear != tt.clear || private != tt.private {
				t.Errorf("host heard %q in the clear, want %q; %q under TLS, want %q", clear, tt.clear, private, tt.private)
			}
		})
	}
}

// TestTLSNextExchanger: what is required of one server, and not had, leaves the
// next one.
func TestTLSNextExchanger(t *testing.T) {
	ca := newAuthority(t)
	bad, good := &tlsHost{}, &tlsHost{config: ca.serve("other.example.org"), offer: "STARTTLS"}
	n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": bad.play, "192.0.2.2:25": good.play}}
	s := withFiles(t, map[string]string{"tlshosts/mx.example.org.pem": ca.pem, "tlshosts/other.example.org.pem": ca.pem})
	want := strings.ReplaceAll(verifiedTLS, "192.0.2.1", "192.0.2.2")
	if got := plainReports(send(t, n.client(testZone), s, testMail())); got != want {
		t.Errorf("reports %q, want %q", got, want)
	}
}

// failing is a policy that cannot tell.
type failing struct{}

func (failing) For(context.Context, string, string) (Requirement, error) {
	return Requirement{}, errors.New("no DNS")
}

// TestPolicyFails: without an answer the server gets no mail.
func TestPolicyFails(t *testing.T) {
	h := &tlsHost{}
	n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": h.play}}
	s := settings()
	s.Policy = failing{}
	if got := send(t, n.client(testZone), s, testMail()); got != "ZSystem resources temporarily unavailable. (#4.3.0)\n|" || len(n.dialed) > 0 {
		t.Errorf("reports %q, connections %q", got, n.dialed)
	}
}

// TestImplicit is about port 465.
func TestImplicit(t *testing.T) {
	ca := newAuthority(t)
	route := map[string]string{"smtproutes": ":relay.example.net:465\n"}
	send465 := func(h *tlsHost, texts map[string]string) string {
		n := &network{t: t, hosts: map[string]handler{"192.0.2.3:465": h.play}}
		defer n.wait()
		return plainReports(send(t, n.client(testZone), withFiles(t, texts), testMail()))
	}
	h := &tlsHost{config: ca.serve("relay.example.net"), implicit: true, offerTLS: "STARTTLS"}
	want := "r|K192.0.2.3 accepted message.\nRemote host said: 250 taken\nTLS proto=P; cipher=C; verified=no\n|"
	if got := send465(h, route); got != want {
		t.Errorf("reports %q, want %q", got, want)
	}
	if clear, private := h.heard(); clear != "" || private != hello+wholeMail {
		t.Errorf("host heard %q, %q", clear, private)
	}
	route["tlshosts/relay.example.net.pem"] = newAuthority(t).pem
	want = "ZTLS unable to verify server relay.example.net: x509: certificate signed by unknown authority; connected to 192.0.2.3. (#4.7.5)\n|"
	if got := send465(h, route); got != want {
		t.Errorf("another CA: reports %q, want %q", got, want)
	}
	delete(route, "tlshosts/relay.example.net.pem")
	route["notlshosts/relay.example.net"] = ""
	want = "ZTLS connect failed: tls: first record does not look like a TLS handshake; connected to 192.0.2.3. (#4.7.5)\n|"
	if got := send465(&tlsHost{}, route); got != want {
		t.Errorf("no TLS there: reports %q, want %q", got, want)
	}
}

// TestSuites: tlsclientciphers is obeyed, and the version reported.
func TestSuites(t *testing.T) {
	ca := newAuthority(t)
	h := &tlsHost{config: ca.serve("mx.example.org"), offer: "STARTTLS"}
	h.config.MaxVersion = tls.VersionTLS12
	n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": h.play}}
	s := withFiles(t, map[string]string{"tlsclientciphers": "HIGH:ECDHE-ECDSA-AES256-SHA\n"})
	want := taken + "STARTTLS proto=TLSv1.2; cipher=TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA; verified=no\n|"
	if got := send(t, n.client(testZone), s, testMail()); got != want {
		t.Errorf("reports %q, want %q", got, want)
	}
}

// TestResumption: a client that stays resumes sessions, and looks at certificates
// again when it does.
func TestResumption(t *testing.T) {
	ca := newAuthority(t)
	for version, name := range map[uint16]string{tls.VersionTLS12: "TLS 1.2", tls.VersionTLS13: "TLS 1.3"} {
		h := &tlsHost{config: ca.serve("mx.example.org"), offer: "STARTTLS"}
		h.config.MaxVersion = version
		n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": h.play}}
		c := n.client(testZone)
		c.Sessions = tls.NewLRUClientSessionCache(10)
		texts := map[string]string{}
		for i, want := range []string{encrypted, encrypted, verifiedTLS} {
			if i == 2 {
				texts["tlshosts/mx.example.org.pem"] = ca.pem
			}
			if got := plainReports(send(t, c, withFiles(t, texts), testMail())); got != want {
				t.Errorf("%s, %d: reports %q, want %q", name, i, got, want)
			}
			n.wait()
			if resumed := h.states[i].DidResume; resumed != (i > 0) {
				t.Errorf("%s, %d: resumed %v", name, i, resumed)
			}
		}
		texts["tlshosts/mx.example.org.pem"] = newAuthority(t).pem
		if got := send(t, c, withFiles(t, texts), testMail()); !strings.HasPrefix(got, "ZTLS unable to verify") {
			t.Errorf("%s: resumed with a certificate of another CA: %q", name, got)
		}
		n.wait()
	}
}

// TestManyAtATime: a client serves many, and shares sessions between them.
func TestManyAtATime(t *testing.T) {
	ca := newAuthority(t)
	h := &tlsHost{config: ca.serve("mx.example.org"), offer: "STARTTLS"}
	n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": h.play}}
	c := n.client(testZone)
	c.Sessions = tls.NewLRUClientSessionCache(10)
	s := withFiles(t, map[string]string{"tlshosts/mx.example.org.pem": ca.pem})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got := plainReports(send(t, c, s, testMail())); got != verifiedTLS {
				t.Errorf("reports %q", got)
			}
		})
	}
	all.Wait()
}

// TestTwoMessages: a session carries one message after another.
func TestTwoMessages(t *testing.T) {
	ca := newAuthority(t)
	h := &tlsHost{config: ca.serve("mx.example.org"), offer: "STARTTLS"}
	n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": h.play}}
	c, s := n.client(testZone), withFiles(t, map[string]string{})
	targets, err := c.targets(t.Context(), s, "anna@test.example", "example.org")
	if err != nil {
		t.Fatal(err)
	}
	session, no := c.open(t.Context(), s, testMail(), targets[0])
	if no != nil {
		t.Fatal(no.verdict.report())
	}
	for range 2 {
		var out strings.Builder
		reports := newReporter(&out)
		reports.put(session.transfer(testMail(), reports))
		reports.flush()
		if got := plainReports(strings.ReplaceAll(out.String(), "\x00", "|")); got != encrypted {
			t.Errorf("reports %q", got)
		}
	}
	session.bye()
	n.wait()
	once := strings.TrimSuffix(wholeMail, "QUIT\r\n")
	if _, private := h.heard(); private != hello+once+wholeMail {
		t.Errorf("host heard %q", private)
	}
}

// TestIdentity: which certificate servers see.
func TestIdentity(t *testing.T) {
	ca := newAuthority(t)
	pair := func(name string) string {
		cert, key := ca.issue(name)
		return key + cert
	}
	cert, key := ca.issue("two.example")
	texts := map[string]string{
		"clientcert.pem": pair("usual.example"),
		"domaincerts":    "test.example:control/one.pem\n.test.example:control/two.pem|control/two.key\nbad.example:control/none.pem\n",
		"one.pem":        pair("one.example"),
		"two.pem":        cert,
		"two.key":        key,
	}
	tests := []struct{ sender, want string }{
		{"anna@test.example", "one.example"},
		{"anna@below.TEST.example", "two.example"},
		{"anna@example.net", "usual.example"},
		{"", "usual.example"},
	}
	for _, tt := range tests {
		h := &tlsHost{config: ca.serve("mx.example.org"), offer: "STARTTLS"}
		h.config.ClientAuth = tls.RequireAnyClientCert
		n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": h.play}}
		c := n.client(testZone)
		c.Sessions = tls.NewLRUClientSessionCache(10)
		for range 2 { // and no session is resumed as somebody else
			m := testMail()
			m.Sender = tt.sender
			if got := plainReports(send(t, c, withFiles(t, texts), m)); got != encrypted {
				t.Errorf("%q: reports %q", tt.sender, got)
			}
			n.wait()
		}
		for _, state := range h.states {
			if names := fmt.Sprint(state.PeerCertificates[0].DNSNames); names != "["+tt.want+"]" || state.DidResume {
				t.Errorf("%q: server saw %s, want %s; resumed %v", tt.sender, names, tt.want, state.DidResume)
			}
		}
	}
	if _, err := (TLSFiles{files(t, texts)}).Identity("x@bad.example"); err == nil {
		t.Error("a certificate that is missing is no error")
	}
	h := &tlsHost{config: ca.serve("mx.example.org"), offer: "STARTTLS"}
	n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": h.play}}
	m := testMail()
	m.Sender = "x@bad.example"
	if got := send(t, n.client(testZone), withFiles(t, texts), m); got != "ZTLS unable to load control/none.pem. (#4.3.0)\n|" {
		t.Errorf("a certificate that is missing: reports %q", got)
	}
	n.wait()
	texts = map[string]string{"clientcert.pem": "no key"}
	if got, err := (TLSFiles{files(t, texts)}).Identity("x@bad.example"); got != nil || err != nil {
		t.Errorf("a broken clientcert.pem: %v, %v", got, err)
	}
}

// TestNoIdentity: a server of TLS 1.3 says after the handshake that it wants a
// certificate. That is a failure of TLS.
func TestNoIdentity(t *testing.T) {
	ca := newAuthority(t)
	h := &tlsHost{config: ca.serve("mx.example.org"), offer: "STARTTLS"}
	h.config.ClientAuth = tls.RequireAnyClientCert
	n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": h.play}}
	got := send(t, n.client(testZone), withFiles(t, map[string]string{}), testMail())
	if want := taken + "STARTTLS failed: remote error: tls: certificate required; not used\n|"; got != want {
		t.Errorf("reports %q, want %q", got, want)
	}
	n.wait()
	got = send(t, n.client(testZone), withFiles(t, map[string]string{"tlshosts/mx.example.org.pem": ca.pem}), testMail())
	if want := "ZTLS connect failed: remote error: tls: certificate required; connected to 192.0.2.1. (#4.7.5)\n|"; got != want {
		t.Errorf("reports %q, want %q", got, want)
	}
}

// TestIndicated: servers are told the name that is meant (SNI), but no address.
func TestIndicated(t *testing.T) {
	for server, want := range map[string]string{
		"mx.example.org": "mx.example.org", "MX.example.org.": "MX.example.org", "192.0.2.1": "", "[192.0.2.1]": "",
		"[IPv6:2001:db8::1]": "", "2001:db8::1": "", "": "", "a b": "", "a\x00b": "",
	} {
		if got := indicated(server); got != want {
			t.Errorf("indicated(%q) = %q, want %q", server, got, want)
		}
	}
}

// TestAddressCertificate: a relay may be an address, and the certificate for it.
func TestAddressCertificate(t *testing.T) {
	ca := newAuthority(t)
	h := &tlsHost{config: ca.serve("192.0.2.9"), offer: "STARTTLS"}
	n := &network{t: t, hosts: map[string]handler{"192.0.2.9:587": h.play}}
	s := withFiles(t, map[string]string{"smtproutes": ":[192.0.2.9]:587\n", "tlshosts/192.0.2.9.pem": ca.pem})
	want := strings.ReplaceAll(verifiedTLS, "192.0.2.1", "192.0.2.9")
	if got := plainReports(send(t, n.client(testZone), s, testMail())); got != want {
		t.Errorf("reports %q, want %q", got, want)
	}
}

// TestServerNames: no name of a server leads out of the folders.
func TestServerNames(t *testing.T) {
	folder := files(t, map[string]string{"secret": "", "tlshosts/x": "", "notlshosts/x": ""})
	for _, server := range []string{"../secret", "../../control/secret", "", ".", "..", "a/../../secret", "a\x00b", strings.Repeat("a", 300)} {
		need, err := (TLSFiles{folder}).For(context.Background(), "example.org", server)
		if need.Level != MayTLS || err != nil {
			t.Errorf("%q: level %v, %v", server, need.Level, err)
		}
	}
}

// TestUnreadable: a file that cannot be read is no reason to do without TLS.
func TestUnreadable(t *testing.T) {
	for _, name := range []string{"tlsdestinations", "domaincerts", "tlsclientciphers"} {
		folder := files(t, map[string]string{})
		if err := os.Mkdir(folder+"/"+name, 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := (TLSFiles{folder}).For(context.Background(), "example.org", "mx.example.org")
		if name == "domaincerts" {
			_, err = (TLSFiles{folder}).Identity("a@b")
		}
		if got := verdictOf(err).report(); err == nil || got != "ZTLS unable to load control/"+name+". (#4.3.0)\n" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReason: what an error says cannot be mistaken for anything else.
func TestReason(t *testing.T) {
	for text, want := range map[string]string{
		"a\nb\x00\xff": "a?b??", "x (#5.1.1)": "x (?5.1.1)", strings.Repeat("x", 300): strings.Repeat("x", 200),
	} {
		if got := reason(errors.New(text)); got != want {
			t.Errorf("reason(%q) = %q, want %q", text, got, want)
		}
	}
	if got := reason(io.ErrUnexpectedEOF); got != "unexpected EOF" {
		t.Errorf("EOF: %q", got)
	}
}

// FuzzDestinations: whatever the rules, what is found can be said, and a server
// that is excluded is.
func FuzzDestinations(f *testing.F) {
	f.Add("!a.example:\n-b:\n=*:", "b", "a.example")
	f.Add("%x:=00\n~.example:/ca/|A:B|1;465|y", "x", "y.example")
	f.Fuzz(func(t *testing.T, text, host, server string) {
		rules := ParseDestinations(strings.Split(text, "\n"))
		r, ok := rules.find(plainName(host), plainName(server))
		if !ok {
			return
		}
		need, err := r.requirement(func(string) string { return "/nonexistent/" })
		switch {
		case r.mark == "!" && need.Level != NoTLS, r.mark != "!" && err == nil && need.Level != MustTLS:
			t.Errorf("%q: level %v", r.key, need.Level)
		case (r.mark == "=" || r.mark == "~" || r.mark == "%") && err == nil && need.Check == nil:
			t.Errorf("%q: nothing is checked", r.key)
		case strings.ContainsAny(need.Why, "\n\x00"):
			t.Errorf("%q: %q", r.key, need.Why)
		}
	})
}
