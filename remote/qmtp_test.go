package remote

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"goqmail/internal/netstring"
	"goqmail/receive/qmtp"
	"goqmail/receive/receivetest"
)

// qmtpServer plays a QMTP server of ours, and returns what it queues.
func qmtpServer(t *testing.T, control map[string]string) (handler, *receivetest.Queue) {
	t.Helper()
	q := &receivetest.Queue{}
	srv := &qmtp.Server{Control: receivetest.Control(t, control), Queue: q.Open, Now: receivetest.Now}
	return func(p *peer) { srv.ServeQMTP(p.Conn, nil) }, q
}

// TestQMTPServer sends messages of all kinds to a real server: what arrives is
// what was sent.
func TestQMTPServer(t *testing.T) {
	messages := map[string]string{
		"empty":        "",
		"usual":        "Subject: x\n\nbody\n",
		"partial line": "Subject: x\n\nbody",
		"any bytes":    "\x00\r\r\n\n.\n.\r\n\xff,7:",
		"large":        strings.Repeat("0123456789abcde\n", 1<<16),
	}
	for name, text := range messages {
		serve, q := qmtpServer(t, map[string]string{"rcpthosts": "example.org"})
		n := &network{t: t, hosts: map[string]handler{"192.0.2.1:209": serve}}
		s := settings()
		s.QMTPRoutes = ParseRoutes([]string{"example.org:192.0.2.1"})
		m := literalMail(text)
		m.Host = "example.org"
		m.Recipients = []string{"b@example.org", "c d@example.org", "x\ny@example.org", "e@elsewhere.example"}
		got := send(t, n.client(noDNS{t}), s, m)
		n.wait()
		want := "r|r|hSMTP cannot transfer a recipient address with a line break in it. (#5.1.3)\n|" +
			"h192.0.2.1 does not like recipient.\nRemote host said: sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)\n|" +
			"K192.0.2.1 accepted message.\nRemote host said: ok 1795284247 qp 4321\n|"
		if got != want {
			t.Errorf("%s: reports %q, want %q", name, got, want)
		}
		if len(q.Messages) != 1 || q.Messages[0].Body() != text || q.Messages[0].Sender != "a@test.example" || fmt.Sprint(q.Messages[0].Recipients) != "[b@example.org c d@example.org]" {
			t.Errorf("%s: %d messages arrive: %.500q", name, len(q.Messages), q.Messages)
		}
	}
}

// TestQMTPTemporary: trouble of the server is trouble for now, for everybody.
func TestQMTPTemporary(t *testing.T) {
	serve, q := qmtpServer(t, map[string]string{"rcpthosts": "example.org"})
	q.Verdict = func(*receivetest.Message) error { return errors.New("disk full") }
	n := &network{t: t, hosts: map[string]handler{"192.0.2.1:209": serve}}
	s := settings()
	s.QMTPRoutes = ParseRoutes([]string{":192.0.2.1"})
	got := send(t, n.client(noDNS{t}), s, literalMail("x\n"))
	if !strings.HasPrefix(got, "s192.0.2.1 does not like recipient.\nRemote host said: ") || !strings.HasSuffix(got, "\n|DGiving up on 192.0.2.1.\n|") {
		t.Errorf("reports %q", got)
	}
}

// saysQMTP returns a host that says something at some point, and goes away.
func saysQMTP(text string) handler {
	return func(p *peer) {
		takePackage(p.in)
		p.say(text)
	}
}

// takePackage reads three netstrings.
func takePackage(in *bufio.Reader) {
	for range 3 {
		size, err := netstring.ReadLength(in)
		if err != nil {
			return
		}
		io.CopyN(io.Discard, in, size+1)
	}
}

func TestQMTPAnswers(t *testing.T) {
	const (
		died     = "ZConnected to 192.0.2.1 but connection died. Possible duplicate! (#4.4.2)\n|"
		improper = "ZRecipient did not talk proper QMTP (#4.3.0)\n|"
		giveUp   = "DGiving up on 192.0.2.1.\n|"
		dislikes = "192.0.2.1 does not like recipient.\n"
	)
	tests := []struct{ name, says, want string }{
		{"taken", "3:Kok,3:Kok,", "r|r|K192.0.2.1 accepted message.\nRemote host said: ok\n|"},
		{"no text", "1:K,1:D,", "r|h" + dislikes + "|K192.0.2.1 accepted message.\n|"},
		{"the second one", "3:Dno,4:Kyes,", "h" + dislikes + "Remote host said: no\n|r|K192.0.2.1 accepted message.\nRemote host said: yes\n|"},
		{"none", "3:Dno,4:Znow,", "h" + dislikes + "Remote host said: no\n|s" + dislikes + "Remote host said: now\n|" + giveUp},
		{"lines", "8:Da\r\nb\x00\n\n,3:Kok,", "h" + dislikes + "Remote host said: a\nb?\n|r|K192.0.2.1 accepted message.\nRemote host said: ok\n|"},
		{"nothing", "", died},
		{"half", "3:Kok,", "r|" + died},
		{"part", "3:Ko", died},
		{"no comma", "3:Kok;3:Kok,", improper},
		{"empty", "0:,3:Kok,", improper},
		{"other letter", "3:kok,3:Kok,", improper},
		{"no number", "220 x\r\n", improper},
		{"a huge number", "99999999999999999999:K", improper},
		{"a large number", "2000000000:K", improper},
		{"large", "10000001:D" + strings.Repeat("x", 10_000_000) + ",3:Kok,",
			"h" + dislikes + "Remote host said: " + strings.Repeat("x", mostText) + "\n|r|K192.0.2.1 accepted message.\nRemote host said: ok\n|"},
		{"more than asked for", "3:Kok,3:Kok,3:Dno,", "r|r|K192.0.2.1 accepted message.\nRemote host said: ok\n|"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := &network{t: t, hosts: map[string]handler{"192.0.2.1:209": saysQMTP(tt.says)}}
			s := settings()
			s.QMTPRoutes = ParseRoutes([]string{":192.0.2.1"})
			m := literalMail("x\n")
			m.Recipients = []string{"b@example.org", "c@example.org"}
			if got := send(t, n.client(noDNS{t}), s, m); got != tt.want {
				t.Errorf("reports %.200q, want %.200q", got, tt.want)
			}
		})
	}
}

// TestQMTPMessage: a message that cannot be measured or read is not sent, and no
// server takes the beginning of one for a whole one.
func TestQMTPMessage(t *testing.T) {
	for name, message := range map[string]io.Reader{
		"a pipe": iotest.OneByteReader(strings.NewReader("x\n")),
		"shrinks": struct {
			io.Reader
			io.Seeker
		}{strings.NewReader("half"), strings.NewReader("half of it")},
	} {
		serve, q := qmtpServer(t, map[string]string{"rcpthosts": "example.org"})
		n := &network{t: t, hosts: map[string]handler{"192.0.2.1:209": serve}}
		s := settings()
		s.QMTPRoutes = ParseRoutes([]string{":192.0.2.1"})
		m := literalMail("")
		m.Message = message
		if got, want := send(t, n.client(noDNS{t}), s, m), "ZUnable to read message. (#4.3.0)\n|"; got != want {
			t.Errorf("%s: reports %q, want %q", name, got, want)
		}
		n.wait()
		if len(q.Messages) != 0 {
			t.Errorf("%s: %q arrives", name, q.Messages[0].Body())
		}
	}
}

// TestMXPS has exchangers of all kinds of preferences: those that QMTP belongs to
// are asked for it, and for SMTP only if they cannot be connected to.
func TestMXPS(t *testing.T) {
	const (
		byQMTP = "r|K%s accepted message.\nRemote host said: ok 1795284247 qp 4321\n|"
		bySMTP = "r|K%s accepted message.\nRemote host said: 250 ok\n|"
	)
	dies := func(*peer) {}
	tests := []struct {
		name   string
		pref   uint16
		hosts  map[string]string // by address and port: qmtp, smtp, dies, or silent
		want   string
		dialed string
	}{
		{"QMTP", 12801, map[string]string{"192.0.2.1:209": "qmtp", "192.0.2.1:25": "smtp"}, fmt.Sprintf(byQMTP, "192.0.2.1"), "192.0.2.1:209"},
		{"the last of them", 13041, map[string]string{"192.0.2.1:209": "qmtp"}, fmt.Sprintf(byQMTP, "192.0.2.1"), "192.0.2.1:209"},
		{"SMTP", 12800, map[string]string{"192.0.2.1:209": "qmtp", "192.0.2.1:25": "smtp"}, fmt.Sprintf(bySMTP, "192.0.2.1"), "192.0.2.1:25"},
		{"unassigned", 12802, map[string]string{"192.0.2.1:209": "qmtp", "192.0.2.1:25": "smtp"}, fmt.Sprintf(bySMTP, "192.0.2.1"), "192.0.2.1:25"},
		{"below", 12785, map[string]string{"192.0.2.1:209": "qmtp", "192.0.2.1:25": "smtp"}, fmt.Sprintf(bySMTP, "192.0.2.1"), "192.0.2.1:25"},
		{"above", 13057, map[string]string{"192.0.2.1:209": "qmtp", "192.0.2.1:25": "smtp"}, fmt.Sprintf(bySMTP, "192.0.2.1"), "192.0.2.1:25"},
		{"refused", 12817, map[string]string{"192.0.2.1:25": "smtp"}, fmt.Sprintf(bySMTP, "192.0.2.1"), "192.0.2.1:209 192.0.2.1:25"},
		{"silent", 12817, map[string]string{"192.0.2.1:209": "silent", "192.0.2.1:25": "smtp"}, fmt.Sprintf(bySMTP, "192.0.2.1"), "192.0.2.1:209 192.0.2.1:25"},
		{"next address", 12817, map[string]string{"192.0.2.2:209": "qmtp"}, fmt.Sprintf(byQMTP, "192.0.2.2"), "192.0.2.1:209 192.0.2.1:25 192.0.2.2:209"},
		{"connected", 12817, map[string]string{"192.0.2.1:209": "dies", "192.0.2.1:25": "smtp"},
			"ZConnected to 192.0.2.1 but connection died. Possible duplicate! (#4.4.2)\n|", "192.0.2.1:209"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z := &zone{
				mx:    map[string][]Exchanger{"example.org": {{"mx.example", tt.pref}}},
				addrs: map[string][]string{"mx.example": {"192.0.2.1", "192.0.2.2"}},
			}
			serve, _ := qmtpServer(t, map[string]string{"rcpthosts": "example.org"})
			smtp, _ := host()
			n := &network{t: t, hosts: map[string]handler{}}
			for addr, kind := range tt.hosts {
				n.hosts[addr] = map[string]handler{"qmtp": serve, "smtp": smtp, "dies": dies}[kind]
			}
			m := literalMail("x\n")
			m.Host = "example.org"
			c := n.client(z)
			got := send(t, c, settings(), m)
			n.wait()
			if got != tt.want || strings.Join(n.dialed, " ") != tt.dialed {
				t.Errorf("reports %q, want %q; tried %v, want %s", got, tt.want, n.dialed, tt.dialed)
			}
			if entries, _ := c.Timeouts.Entries(); len(entries) != 0 {
				t.Errorf("%v is left alone although it takes mail by SMTP", entries)
			}
		})
	}
}

// demands is a policy that wants TLS of some servers.
type demands map[string]bool

func (d demands) For(_ context.Context, _, server string) (Requirement, error) {
	if d[server] {
		return Requirement{Level: MustTLS, Why: "test"}, nil
	}
	return Requirement{Level: MayTLS}, nil
}

// TestQMTPWithTLSRequired: what has to be under TLS does not go by QMTP.
func TestQMTPWithTLSRequired(t *testing.T) {
	z := &zone{
		mx:    map[string][]Exchanger{"example.org": {{"mx.example", 12801}, {"open.example", 12817}}},
		addrs: map[string][]string{"mx.example": {"192.0.2.1"}, "open.example": {"192.0.2.2"}},
	}
	serve, q := qmtpServer(t, map[string]string{"rcpthosts": "example.org"})
	n := &network{t: t, hosts: map[string]handler{"192.0.2.1:209": serve, "192.0.2.2:209": serve}}
	m := literalMail("x\n")
	m.Host = "example.org"
	s := settings()
	s.Policy = demands{"mx.example": true}
	if got, want := send(t, n.client(z), s, m), "r|K192.0.2.2 accepted message.\nRemote host said: ok 1795284247 qp 4321\n|"; got != want || strings.Join(n.dialed, " ") != "192.0.2.1:25 192.0.2.2:209" {
		t.Errorf("reports %q, want %q; tried %v", got, want, n.dialed)
	}
	s.QMTPRoutes = ParseRoutes([]string{":mx.example"})
	if got, want := send(t, n.client(z), s, m), "ZThere is no TLS in QMTP, but it is required for mx.example. (#4.7.5)\n|"; got != want {
		t.Errorf("reports %q, want %q", got, want)
	}
	n.wait()
	if len(q.Messages) != 1 {
		t.Errorf("%d messages arrive", len(q.Messages))
	}
}

// TestQMTPS: the port 6209 has TLS, whose certificate counts where it is asked for.
func TestQMTPS(t *testing.T) {
	ca := newAuthority(t)
	config := ca.serve("mx.example")
	serve, q := qmtpServer(t, map[string]string{"rcpthosts": "example.org"})
	withTLS := func(p *peer) {
		conn := tls.Server(p.Conn, config)
		serve(&peer{Conn: conn})
		conn.Close()
	}
	z := &zone{addrs: map[string][]string{"mx.example": {"192.0.2.1"}, "plain.example": {"192.0.2.2"}}}
	n := &network{t: t, hosts: map[string]handler{"192.0.2.1:6209": withTLS, "192.0.2.2:6209": func(p *peer) { p.say("what?\r\n") }}}
	s := settings()
	s.QMTPRoutes = ParseRoutes([]string{"example.org:mx.example;6209", "plain.example:plain.example:6209"})
	s.Policy = demands{"mx.example": true}
	m := literalMail("x\n")
	m.Host = "example.org"
	want := "r|K192.0.2.1 accepted message.\nRemote host said: ok 1795284247 qp 4321\nTLS proto=P; cipher=C; verified=no\n|"
	if got := plainReports(send(t, n.client(z), s, m)); got != want {
		t.Errorf("reports %q, want %q", got, want)
	}
	m.Host = "plain.example"
	if got := send(t, n.client(z), s, m); !strings.HasPrefix(got, "ZTLS connect failed: ") {
		t.Errorf("reports %q", got)
	}
	n.wait()
	if len(q.Messages) != 1 || q.Messages[0].Body() != "x\n" {
		t.Errorf("%d messages arrive", len(q.Messages))
	}
}

func TestQMTPRoutes(t *testing.T) {
	s := &Settings{
		Routes: ParseRoutes([]string{":192.0.2.1", "both.example:192.0.2.2", "a.deep.example:192.0.2.3", "!@:192.0.2.4", "direct.example:"}),
		QMTPRoutes: ParseRoutes([]string{"both.example:192.0.2.5", ".deep.example:192.0.2.6:2090", "semicolon.example:192.0.2.7;2091",
			"no.example:", "bad.example:x:y"}),
	}
	tests := []struct{ sender, host, want string }{
		{"a", "x.example", "192.0.2.1:25"},
		{"a", "both.example", "192.0.2.5:209 QMTP"},
		{"a", "b.deep.example", "192.0.2.6:2090 QMTP"},
		{"a", "a.deep.example", "192.0.2.3:25"},
		{"a", "semicolon.example", "192.0.2.7:2091 QMTP"},
		{"a", "no.example", "none"},
		{"a", "direct.example", "none"},
		{"", "both.example", "192.0.2.4:25"},
		{"a", "bad.example", "error"},
	}
	for _, tt := range tests {
		r, isQMTP, err := s.route(tt.sender, tt.host)
		got := r.String()
		if isQMTP && r.Relay != "" {
			got += " QMTP"
		}
		if r.Relay == "" {
			got = "none"
		}
		if err != nil {
			got = "error"
		}
		if got != tt.want {
			t.Errorf("from %q to %s: %s, want %s", tt.sender, tt.host, got, tt.want)
		}
	}
	s.QMTPRoutes[nullSender] = "192.0.2.8"
	if r, isQMTP, err := s.route("", "x.example"); r.Relay != "192.0.2.8" || !isQMTP || err != nil {
		t.Errorf("without a sender: %v, %v, %v", r, isQMTP, err)
	}
}

// FuzzQMTPAnswer: whatever a server answers, there is one report on each recipient
// at most, one on the message, and no more text than is kept.
func FuzzQMTPAnswer(f *testing.F) {
	for _, seed := range []string{"3:Kok,3:Dno,", "0:,", "3:Ko", "5001:Z" + strings.Repeat("\x00", 5000) + ",1:K,", "K", "2:D\n,2:Z\r,"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		reports := newReporter(&out)
		m := &Mail{Sender: "a", Recipients: []string{"b", "c"}, Message: strings.NewReader("x\n")}
		s := newSession(receiveOnly{receivetest.Says(string(in))}, "192.0.2.1", 0)
		reports.put(s.qmtp(m, reports))
		reports.flush()
		all := strings.Split(out.String(), "\x00")
		if last := len(all) - 1; all[last] != "" || last < 1 || last > 3 || !strings.Contains("KZD", all[last-1][:1]) {
			t.Fatalf("%q is reported as %q", in, out.String())
		}
		for i, report := range all[:len(all)-2] {
			if !strings.Contains("rhs", report[:1]) || i >= 2 || len(report) > mostText+100 {
				t.Errorf("%q is reported as %q", in, out.String())
			}
		}
		if strings.HasPrefix(all[len(all)-2], "K") && !strings.Contains(string(in), "K") {
			t.Errorf("%q is taken for a yes", in)
		}
	})
}

// receiveOnly is a connection that takes everything.
type receiveOnly struct{ *receivetest.Conn }

var _ net.Conn = receiveOnly{}
