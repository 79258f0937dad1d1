package remote

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"goqmail/internal/report"
)

const helo = "EHLO me.test.example\r\nHELO me.test.example\r\n"
const envelope = "MAIL FROM:<a@test.example>\r\nRCPT TO:<b@example.org>\r\n"

// TestReports runs one message to one host. The host hears what heard says.
func TestReports(t *testing.T) {
	const died = "ZConnected to 192.0.2.1 but connection died. (#4.4.2)\n|"
	long := "554 " + strings.Repeat("0123456789", 600)
	tests := []struct {
		name    string
		host    []string // pairs of verb and reply
		reports string
		heard   string
	}{
		{"accepted", nil,
			"r|K192.0.2.1 accepted message.\nRemote host said: 250 ok\n|",
			helo + envelope + "DATA\r\nx\r\n.\r\nQUIT\r\n"},
		{"example of the documentation", []string{"RCPT", "550 no such user\r\n"},
			"h192.0.2.1 does not like recipient.\nRemote host said: 550 no such user\n|DGiving up on 192.0.2.1.\n|",
			helo + envelope + "QUIT\r\n"},
		{"refused for now", []string{"RCPT", "450 later\r\n"},
			"s192.0.2.1 does not like recipient.\nRemote host said: 450 later\n|DGiving up on 192.0.2.1.\n|",
			helo + envelope + "QUIT\r\n"},
		{"greeting refuses", []string{"", "554-go\r\n554 away\r\n"},
			"ZConnected to 192.0.2.1 but greeting failed.\nRemote host said: 554-go\n554 away\n|", "QUIT\r\n"},
		{"not a mail server", []string{"", "SSH-2.0-x\r\n"},
			"ZConnected to 192.0.2.1 but greeting failed.\nRemote host said: SSH-2.0-x\n|", "QUIT\r\n"},
		{"greeting dies", []string{"", "220-x\r\n{close}"}, died, ""},
		{"name refused", []string{"HELO", "550 who?\r\n"},
			"ZConnected to 192.0.2.1 but my name was rejected.\nRemote host said: 550 who?\n|", helo + "QUIT\r\n"},
		{"service ends at EHLO", []string{"EHLO", "421 going down\r\n"},
			"ZConnected to 192.0.2.1 but my name was rejected.\nRemote host said: 421 going down\n|", "EHLO me.test.example\r\nQUIT\r\n"},
		{"EHLO not now, but HELO", []string{"EHLO", "451 busy\r\n", "MAIL", "550 no\r\n"},
			"DConnected to 192.0.2.1 but sender was rejected.\nRemote host said: 550 no\n|",
			helo + "MAIL FROM:<a@test.example>\r\nQUIT\r\n"},
		{"sender refused for now", []string{"MAIL", "451 no\r\n"},
			"ZConnected to 192.0.2.1 but sender was rejected.\nRemote host said: 451 no\n|",
			helo + "MAIL FROM:<a@test.example>\r\nQUIT\r\n"},
		{"dies at RCPT", []string{"RCPT", "{close}"}, died, helo + envelope},
		{"DATA refused", []string{"DATA", "554 no\r\n"},
			"r|D192.0.2.1 failed on DATA command.\nRemote host said: 554 no\n|", helo + envelope + "DATA\r\nQUIT\r\n"},
		{"DATA done, it says", []string{"DATA", "250 ok\r\n"},
			"r|Z192.0.2.1 failed on DATA command.\nRemote host said: 250 ok\n|", helo + envelope + "DATA\r\nQUIT\r\n"},
		{"message refused", []string{".", "554 spam\r\n"},
			"r|D192.0.2.1 failed after I sent the message.\nRemote host said: 554 spam\n|",
			helo + envelope + "DATA\r\nx\r\n.\r\nQUIT\r\n"},
		{"message not taken yet", []string{".", "354 and?\r\n"},
			"r|Z192.0.2.1 failed after I sent the message.\nRemote host said: 354 and?\n|",
			helo + envelope + "DATA\r\nx\r\n.\r\nQUIT\r\n"},
		{"dies after the message", []string{".", "{close}"},
			"r|ZConnected to 192.0.2.1 but connection died. Possible duplicate! (#4.4.2)\n|",
			helo + envelope + "DATA\r\nx\r\n.\r\n"},
		{"odd bytes", []string{".", "550 a\x00b\rc\xff\x1b\r\n"},
			"r|D192.0.2.1 failed after I sent the message.\nRemote host said: 550 a?bc\xff\x1b\n|",
			helo + envelope + "DATA\r\nx\r\n.\r\nQUIT\r\n"},
		{"long reply", []string{".", long + "\r\n"},
			"r|D192.0.2.1 failed after I sent the message.\nRemote host said: " + long[:5000] + "|",
			helo + envelope + "DATA\r\nx\r\n.\r\nQUIT\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, heard := host(tt.host...)
			n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": h}}
			c := n.client(noDNS{t})
			if got := send(t, c, settings(), literalMail("x\n")); got != tt.reports {
				t.Errorf("reports %q, want %q", got, tt.reports)
			}
			n.wait()
			if heard.String() != tt.heard {
				t.Errorf("host heard %q, want %q", heard, tt.heard)
			}
		})
	}
}

// TestESMTP is about what hosts offer and what is done with it.
func TestESMTP(t *testing.T) {
	tests := []struct {
		name, offer string
		message     io.Reader
		mail        string
	}{
		{"nothing", "250 x\r\n", strings.NewReader("x\n"), ""},
		{"SIZE", "250-x\r\n250 SIZE\r\n", strings.NewReader("x\ny\n"), " SIZE=6"},
		{"size of a pipe", "250-x\r\n250 SIZE 1000\r\n", io.MultiReader(strings.NewReader("x\n")), ""},
		{"8-bit message", "250-x\r\n250-size 1\r\n250 8bitmime\r\n", strings.NewReader("123456789\xe4\n"), " SIZE=12 BODY=8BITMIME"},
		{"7-bit message", "250-x\r\n250 8BITMIME\r\n", strings.NewReader("x\n"), ""},
		{"8-bit message to an old host", "250 x\r\n", strings.NewReader("\xe4\n"), ""},
		{"message from a pipe", "250-x\r\n250 8BITMIME\r\n", io.MultiReader(strings.NewReader("x\n")), " BODY=8BITMIME"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, heard := host("EHLO", tt.offer, "RCPT", "550 no\r\n")
			n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": h}}
			m := literalMail("")
			m.Message = tt.message
			send(t, n.client(noDNS{t}), settings(), m)
			n.wait()
			if want := "MAIL FROM:<a@test.example>" + tt.mail + "\r\n"; !strings.Contains(heard.String(), want) {
				t.Errorf("host heard %q, want %q in it", heard, want)
			}
		})
	}
}

// TestPipelining has a host that reads all it can get before it replies.
func TestPipelining(t *testing.T) {
	var ahead int
	h := func(p *peer) {
		p.say("220 x\r\n")
		p.hear()
		p.say("250-x\r\n250-8BITMIME\r\n250 PIPELINING\r\n")
		for {
			line := p.hear()
			n := 1
			for p.in.Buffered() > 0 {
				line = p.hear()
				n++
			}
			ahead = max(ahead, n)
			switch {
			case line == "":
				return
			case line == "DATA\r\n":
				p.say(strings.Repeat("250 ok\r\n", n-1) + "354 go\r\n")
				for line != ".\r\n" && line != "" {
					line = p.hear()
				}
				p.say("250 ok\r\n")
			default:
				p.say(strings.Repeat("250 ok\r\n", n))
			}
		}
	}
	n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": h}}
	m := literalMail("x\n")
	m.Recipients = nil
	for i := range 1000 {
		m.Recipients = append(m.Recipients, fmt.Sprintf("recipient-number-%d@example.org", i))
	}
	got := send(t, n.client(noDNS{t}), settings(), m)
	if want := strings.Repeat("r|", 1000) + "K192.0.2.1 accepted message.\nRemote host said: 250 ok\n|"; got != want {
		t.Errorf("reports %.100q..., want %.100q...", got, want)
	}
	n.wait()
	if ahead < 20 || ahead > 200 {
		t.Errorf("%d commands came together, want about a hundred", ahead)
	}
}

// TestEnvelopeOrder mixes recipients that are refused by the host, refused here,
// and accepted, with and without PIPELINING.
func TestEnvelopeOrder(t *testing.T) {
	for _, offer := range []string{"250 x\r\n", "250-x\r\n250 PIPELINING\r\n"} {
		h, heard := host("EHLO", offer, "RCPT", "250 ok\r\n", "RCPT", "550 no\r\n", "RCPT", "450 later\r\n", "RCPT", "251 ok\r\n")
		n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": h}}
		m := literalMail("x\n")
		m.Sender = ""
		m.Recipients = []string{"x\ny@example.org", "1@example.org", "2 x@example.org", "x\r@example.org", "3@@example.org", "no host", "5@a\nb"}
		want := "hSMTP cannot transfer a recipient address with a line break in it. (#5.1.3)\n|" +
			"r|h192.0.2.1 does not like recipient.\nRemote host said: 550 no\n|" +
			"hSMTP cannot transfer a recipient address with a line break in it. (#5.1.3)\n|" +
			"s192.0.2.1 does not like recipient.\nRemote host said: 450 later\n|r|" +
			"hSMTP cannot transfer a recipient address with a line break in it. (#5.1.3)\n|" +
			"K192.0.2.1 accepted message.\nRemote host said: 250 ok\n|"
		if got := send(t, n.client(noDNS{t}), settings(), m); got != want {
			t.Errorf("reports %q, want %q", got, want)
		}
		n.wait()
		want = "MAIL FROM:<>\r\nRCPT TO:<1@example.org>\r\nRCPT TO:<\"2 x\"@example.org>\r\n" +
			"RCPT TO:<\"3@\"@example.org>\r\nRCPT TO:<no host>\r\nDATA\r\n"
		if !strings.Contains(heard.String(), want) {
			t.Errorf("host heard %q, want %q in it", heard, want)
		}
	}
}

// TestReader gives reports to the package that qmail-rspawn reads them with.
func TestReader(t *testing.T) {
	tests := []struct {
		name string
		host []string
		want report.Report
	}{
		{"accepted", nil, report.K("192.0.2.1 accepted message.\nRemote host said: 250 ok\n")},
		{"recipient refused", []string{"RCPT", "550 no\r\n"},
			report.D("192.0.2.1 does not like recipient.\nRemote host said: 550 no\nGiving up on 192.0.2.1.\n")},
		{"recipient refused for now", []string{"RCPT", "450 no\r\n"},
			report.Z("192.0.2.1 does not like recipient.\nRemote host said: 450 no\nGiving up on 192.0.2.1.\n")},
		{"greeting", []string{"", "554 no\r\n"},
			report.Z("Connected to 192.0.2.1 but greeting failed.\nRemote host said: 554 no\n")},
	}
	for _, tt := range tests {
		h, _ := host(tt.host...)
		n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": h}}
		var reader report.Remote
		if err := n.client(noDNS{t}).Send(context.Background(), settings(), literalMail("x\n"), &reader); err != nil {
			t.Fatal(err)
		}
		if got := reader.Report(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestNothingSendable(t *testing.T) {
	n := &network{t: t}
	m := literalMail("x\n")
	m.Sender = "a\nRCPT TO:<victim@example.org>\n@test.example"
	want := "DSMTP cannot transfer a sender address with a line break in it. (#5.1.7)\n|"
	if got := send(t, n.client(noDNS{t}), settings(), m); got != want || len(n.dialed) > 0 {
		t.Errorf("reports %q, want %q; dialed %v", got, want, n.dialed)
	}
}

// TestNextAddress has a host with many exchangers, of which the first that says
// hello gets the message; and what is said when none does.
func TestNextAddress(t *testing.T) {
	hosts := map[string][]string{
		"refuses":     {"", "554 no\r\n"},
		"not now":     {"", "421 busy\r\n"},
		"closes":      {"", "{close}"},
		"name":        {"HELO", "550 bad name\r\n"},
		"EHLO dies":   {"EHLO", "{close}"},
		"silent":      {"", "{stall}"},
		"EHLO silent": {"EHLO", "{stall}"},
		"good":        {},
		"MAIL dies":   {"MAIL", "{close}"},
		"MAIL":        {"MAIL", "421 busy\r\n"},
	}
	const good = "r|K192.0.2.%d accepted message.\nRemote host said: 250 ok\n|"
	const sorry = "ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n|"
	tests := []struct {
		name  string
		hosts string // separated by commas; "refused" and "timeout" are none
		want  string
		tried int
	}{
		{"first", "good,MAIL", fmt.Sprintf(good, 0), 1},
		{"connections", "refused,timeout,good", fmt.Sprintf(good, 2), 3},
		{"greetings", "refuses,not now,closes,good", fmt.Sprintf(good, 3), 4},
		{"names", "name,EHLO dies,good", fmt.Sprintf(good, 2), 3},
		{"silence", "silent,EHLO silent,good", fmt.Sprintf(good, 2), 3},
		{"no connection", "refused,timeout", sorry, 2},
		{"greeting, then no connection", "refuses,refused", "ZConnected to 192.0.2.0 but greeting failed.\nRemote host said: 554 no\n|", 2},
		{"the last one tells", "refuses,closes", "ZConnected to 192.0.2.1 but connection died. (#4.4.2)\n|", 2},
		{"lost at MAIL", "MAIL dies,good", "ZConnected to 192.0.2.0 but connection died. (#4.4.2)\n|", 1},
		{"refused at MAIL", "MAIL,good", "ZConnected to 192.0.2.0 but sender was rejected.\nRemote host said: 421 busy\n|", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := &network{t: t, hosts: map[string]handler{}}
			z := &zone{mx: map[string][]Exchanger{}, addrs: map[string][]string{}}
			for i, name := range strings.Split(tt.hosts, ",") {
				addr := fmt.Sprintf("192.0.2.%d", i)
				mx := fmt.Sprintf("mx%d", i)
				z.mx["example.org"] = append(z.mx["example.org"], Exchanger{mx, uint16(i)})
				z.addrs[mx] = []string{addr}
				switch name {
				case "refused":
				case "timeout":
					n.hosts[addr+":25"] = nil
				default:
					n.hosts[addr+":25"], _ = host(hosts[name]...)
				}
			}
			m := literalMail("x\n")
			m.Host = "example.org"
			s := settings()
			if tt.name == "silence" {
				s.Timeout = time.Second
			}
			if got := send(t, n.client(z), s, m); got != tt.want || len(n.dialed) != tt.tried {
				t.Errorf("reports %q, want %q; tried %v, want %d", got, tt.want, n.dialed, tt.tried)
			}
		})
	}
}

// TestSearchEnds has a clock that goes on by half an hour at each look.
func TestSearchEnds(t *testing.T) {
	n := &network{t: t}
	z := &zone{mx: map[string][]Exchanger{}, addrs: map[string][]string{"example.org": nil}}
	for i := range 20 {
		z.addrs["example.org"] = append(z.addrs["example.org"], fmt.Sprintf("192.0.2.%d", i))
	}
	c := n.client(z)
	now := testTime
	c.Now = func() time.Time { now = now.Add(searchTime / 4); return now }
	m := literalMail("x\n")
	m.Host = "example.org"
	if got := send(t, c, settings(), m); !strings.HasPrefix(got, "ZSorry") || len(n.dialed) > 4 {
		t.Errorf("reports %q after %d addresses, want few", got, len(n.dialed))
	}
}

// lines is an endless message.
type lines struct{}

func (lines) Read(p []byte) (int, error) {
	n := 0
	for n+64 <= len(p) {
		n += copy(p[n:], "a line of sixty-three characters, as they are found in messages\n")
	}
	return n, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestBadMessages are messages that break off; the host must not get a dot.
func TestBadMessages(t *testing.T) {
	tests := []struct {
		name    string
		message io.Reader
		want    string
	}{
		{"no final newline", strings.NewReader("x\ny"), "r|DSMTP cannot transfer messages with partial final lines. (#5.6.2)\n|"},
		{"unreadable", brokenReader{}, "r|ZUnable to read message. (#4.3.0)\n|"},
		{"unreadable after a while", io.MultiReader(io.LimitReader(lines{}, 1<<20), brokenReader{}), "r|ZUnable to read message. (#4.3.0)\n|"},
	}
	for _, tt := range tests {
		h, heard := host()
		n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": h}}
		m := literalMail("")
		m.Message = tt.message
		if got := send(t, n.client(noDNS{t}), settings(), m); got != tt.want {
			t.Errorf("%s: reports %q, want %q", tt.name, got, tt.want)
		}
		n.wait()
		if strings.Contains(heard.String(), "\r\n.\r\n") || strings.Contains(heard.String(), "QUIT") {
			t.Errorf("%s: host heard %q", tt.name, heard)
		}
	}
}

// TestTimeouts is about the table of addresses that time out.
func TestTimeouts(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.1")
	silent := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": nil}}
	c := silent.client(noDNS{t})
	now := testTime
	c.Now = func() time.Time { return now }
	try := func(n *network, wantDialed bool, wantCount int) {
		t.Helper()
		n.dialed = nil
		c.Dial = n.dial
		send(t, c, settings(), literalMail("x\n"))
		if dialed := len(n.dialed) > 0; dialed != wantDialed {
			t.Errorf("dialed: %v, want %v", dialed, wantDialed)
		}
		if e, _, err := c.Timeouts.Lookup(addr); e.Count != wantCount || err != nil {
			t.Errorf("table has %v, %v, want count %d", e, err, wantCount)
		}
	}
	try(silent, true, 1)
	now = now.Add(time.Minute)
	try(silent, true, 1)
	now = now.Add(time.Hour)
	try(silent, true, 2)
	now = now.Add(time.Minute)
	try(silent, false, 2)
	now = now.Add(2 * time.Hour)
	try(&network{t: t}, true, 0) // refused
	try(silent, true, 1)
	h, _ := host("", "554 no\r\n")
	try(&network{t: t, hosts: map[string]handler{"192.0.2.1:25": h}}, true, 0)
}

// TestRealDialer sends over IPv4 and IPv6 of the loopback interface, by routes.
func TestRealDialer(t *testing.T) {
	for _, network4or6 := range []struct{ listen, relay string }{
		{"127.0.0.1:0", "127.0.0.1"}, {"127.0.0.1:0", "[127.0.0.1]"}, {"[::1]:0", "[IPv6:::1]"}, {"[::1]:0", "[::1]"},
	} {
		listener, err := net.Listen("tcp", network4or6.listen)
		if err != nil {
			t.Skipf("cannot listen on %s: %v", network4or6.listen, err)
		}
		defer listener.Close()
		h, _ := host()
		go func() {
			conn, err := listener.Accept()
			if err == nil {
				defer conn.Close()
				h(newPeer(conn))
			}
		}()
		addr := listener.Addr().(*net.TCPAddr)
		c := (&network{t: t}).client(noDNS{t})
		c.Dial = DialTCP
		s := settings()
		s.Routes = ParseRoutes([]string{fmt.Sprintf(":%s:%d", network4or6.relay, addr.Port)})
		want := fmt.Sprintf("r|K%v accepted message.\nRemote host said: 250 ok\n|", addr.IP)
		if got := send(t, c, s, literalMail("x\n")); got != want {
			t.Errorf("%s: reports %q, want %q", network4or6.relay, got, want)
		}
	}
}

// TestConnectTimeout has a dialer that waits for its context.
func TestConnectTimeout(t *testing.T) {
	c := (&network{t: t}).client(noDNS{t})
	c.Dial = waitingDialer
	s := settings()
	s.ConnectTimeout = 10 * time.Millisecond
	if got := send(t, c, s, literalMail("x\n")); !strings.HasPrefix(got, "ZSorry, I wasn't able") {
		t.Errorf("reports %q", got)
	}
	if e, ok, _ := c.Timeouts.Lookup(netip.MustParseAddr("192.0.2.1")); !ok {
		t.Errorf("table has %v, want a timeout", e)
	}
}
