package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// many sends a message to many and returns the reports on each, | for each zero byte.
func many(t *testing.T, c *Client, s *Settings, message string, errands ...Errand) []string {
	t.Helper()
	got := make([]string, len(errands))
	var mu sync.Mutex
	c.SendAll(context.Background(), s, strings.NewReader(message), int64(len(message)), errands, func(i int, reports string) {
		mu.Lock()
		defer mu.Unlock()
		got[i] += strings.ReplaceAll(reports, "\x00", "|")
	})
	return got
}

// to are errands to the host of literalMail.
func to(recipients ...string) []Errand {
	var all []Errand
	for _, r := range recipients {
		all = append(all, Errand{"[192.0.2.1]", "a@test.example", r})
	}
	return all
}

// transcript is what a host hears of one transaction.
func transcript(sender string, recipients ...string) string {
	text := "MAIL FROM:<" + sender + ">\r\n"
	for _, r := range recipients {
		text += "RCPT TO:<" + r + ">\r\n"
	}
	return text + "DATA\r\nx\r\n.\r\n"
}

const delivered = "r|K192.0.2.1 accepted message.\nRemote host said: 250 ok\n|"

// rcpts are the replies to RCPT, in turn; those after the last are as the last one.
func rcpts(replies ...string) (script []string) {
	for _, r := range replies {
		script = append(script, "RCPT", r+"\r\n")
	}
	return script
}

// TestSendAll has three recipients in a transaction, and hosts that say different
// things of them: each gets the report that it would have got alone.
func TestSendAll(t *testing.T) {
	no := func(text string) string {
		return "192.0.2.1 does not like recipient.\nRemote host said: " + text + "\n|DGiving up on 192.0.2.1.\n|"
	}
	const died = "ZConnected to 192.0.2.1 but connection died. (#4.4.2)\n|"
	tests := []struct {
		name    string
		host    []string
		reports [3]string
		heard   string
	}{
		{"all accepted", nil, [3]string{delivered, delivered, delivered}, helo + transcript("a@test.example", "1@x", "2@x", "3@x")},
		{"one refused", rcpts("250 ok", "550 no", "250 ok"), [3]string{delivered, "h" + no("550 no"), delivered}, ""},
		{"one refused for now", rcpts("250 ok", "450 no", "250 ok"), [3]string{delivered, "s" + no("450 no"), delivered}, ""},
		{"all refused", rcpts("550 no", "450 no", "550 5.1.1 no"), [3]string{"h" + no("550 no"), "s" + no("450 no"), "h" + no("550 5.1.1 no")},
			helo + "MAIL FROM:<a@test.example>\r\nRCPT TO:<1@x>\r\nRCPT TO:<2@x>\r\nRCPT TO:<3@x>\r\nQUIT\r\n"},
		{"too many", rcpts("250 ok", "452 too many", "452 too many", "250 ok", "452 too many", "250 ok"), [3]string{delivered, delivered, delivered},
			helo + "MAIL FROM:<a@test.example>\r\nRCPT TO:<1@x>\r\nRCPT TO:<2@x>\r\nRCPT TO:<3@x>\r\nDATA\r\nx\r\n.\r\n" +
				"MAIL FROM:<a@test.example>\r\nRCPT TO:<2@x>\r\nRCPT TO:<3@x>\r\nDATA\r\nx\r\n.\r\n" + transcript("a@test.example", "3@x")},
		{"too many, in other words", rcpts("250 ok", "550 5.5.3 no", "552 no", "250 ok"), [3]string{delivered, delivered, delivered}, ""},
		{"too many, as if for good", rcpts("250 ok", "554 too many", "554 too many", "250 ok", "554 too many", "250 ok"), [3]string{delivered, delivered, delivered}, ""},
		{"no reply at all", rcpts("250 ok", "what?", "250 ok"), [3]string{delivered, "h" + no("what?"), delivered}, ""},
		{"one refused, as if for its company", rcpts("250 ok", "250 ok", "554 no"), [3]string{delivered, delivered, "h" + no("554 no")},
			helo + "MAIL FROM:<a@test.example>\r\nRCPT TO:<1@x>\r\nRCPT TO:<2@x>\r\nRCPT TO:<3@x>\r\nDATA\r\nx\r\n.\r\n" +
				"MAIL FROM:<a@test.example>\r\nRCPT TO:<3@x>\r\nQUIT\r\n"},
		{"each is one too many", rcpts("452 no"), [3]string{"s" + no("452 no"), "s" + no("452 no"), "s" + no("452 no")}, ""},
		{"sender refused", []string{"MAIL", "550 no\r\n"}, [3]string{
			"DConnected to 192.0.2.1 but sender was rejected.\nRemote host said: 550 no\n|",
			"DConnected to 192.0.2.1 but sender was rejected.\nRemote host said: 550 no\n|",
			"DConnected to 192.0.2.1 but sender was rejected.\nRemote host said: 550 no\n|"}, helo + "MAIL FROM:<a@test.example>\r\nQUIT\r\n"},
		{"DATA refused for all", []string{"DATA", "550 no\r\n"}, [3]string{
			"r|D192.0.2.1 failed on DATA command.\nRemote host said: 550 no\n|",
			"r|D192.0.2.1 failed on DATA command.\nRemote host said: 550 no\n|",
			"r|D192.0.2.1 failed on DATA command.\nRemote host said: 550 no\n|"}, ""},
		{"message refused for all, taken for two", []string{".", "550 no\r\n", ".", "250 ok\r\n", ".", "450 no\r\n", ".", "250 ok\r\n"},
			[3]string{delivered, "r|Z192.0.2.1 failed after I sent the message.\nRemote host said: 450 no\n|", delivered},
			helo + transcript("a@test.example", "1@x", "2@x", "3@x") + transcript("a@test.example", "1@x") +
				transcript("a@test.example", "2@x") + transcript("a@test.example", "3@x")},
		{"message refused for the one that was accepted", append(rcpts("550 no", "250 ok", "550 no"), ".", "550 no\r\n"),
			[3]string{"h" + no("550 no"), "r|D192.0.2.1 failed after I sent the message.\nRemote host said: 550 no\n|", "h" + no("550 no")}, ""},
		{"dies after the message", []string{".", "{close}"}, [3]string{
			"r|ZConnected to 192.0.2.1 but connection died. Possible duplicate! (#4.4.2)\n|",
			"r|ZConnected to 192.0.2.1 but connection died. Possible duplicate! (#4.4.2)\n|",
			"r|ZConnected to 192.0.2.1 but connection died. Possible duplicate! (#4.4.2)\n|"}, helo + transcript("a@test.example", "1@x", "2@x", "3@x")},
		{"dies at MAIL", []string{"MAIL", "{close}"}, [3]string{died, died, died}, ""},
		{"dies at the first recipient", []string{"RCPT", "{close}"}, [3]string{died, died, died}, ""},
		{"dies at the second recipient, on each connection", append(rcpts("250 ok"), "RCPT", "{close}"), [3]string{delivered, died, delivered}, ""},
		{"dies at DATA, always", []string{"DATA", "{close}"}, [3]string{"r|" + died, "r|" + died, "r|" + died}, ""},
		{"greeting", []string{"", "554 no\r\n"}, [3]string{
			"ZConnected to 192.0.2.1 but greeting failed.\nRemote host said: 554 no\n|",
			"ZConnected to 192.0.2.1 but greeting failed.\nRemote host said: 554 no\n|",
			"ZConnected to 192.0.2.1 but greeting failed.\nRemote host said: 554 no\n|"}, "QUIT\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, heard := host(tt.host...)
			n, c := reusing(t, h)
			c.Idle.Messages = 100
			got := many(t, c, settings(), "x\n", to("1@x", "2@x", "3@x")...)
			if !slices.Equal(got, tt.reports[:]) {
				t.Errorf("reports %q, want %q", got, tt.reports)
			}
			c.Idle.Close()
			n.wait()
			if all := strings.TrimSuffix(heard.String(), "QUIT\r\n"); tt.heard != "" && all != strings.TrimSuffix(tt.heard, "QUIT\r\n") {
				t.Errorf("the host hears %q, want %q", heard, tt.heard)
			}
		})
	}
}

// TestHangsUpOnMany has a host that hangs up on more than one recipient: each gets the
// message all the same.
func TestHangsUpOnMany(t *testing.T) {
	for _, last := range []string{"", "421 too many recipients\r\n"} {
		h := func(p *peer) {
			p.say("220 x\r\n")
			recipients := 0
			for {
				switch line := p.hear(); {
				case line == "":
					return
				case strings.HasPrefix(line, "RCPT") && recipients == 1:
					p.say(last)
					return
				case strings.HasPrefix(line, "RCPT"):
					recipients++
					p.say("250 ok\r\n")
				case line == "DATA\r\n":
					p.say("354 go\r\n")
					for line != ".\r\n" && line != "" {
						line = p.hear()
					}
					recipients = 0
					p.say("250 ok\r\n")
				default:
					p.say("250 ok\r\n")
				}
			}
		}
		n, c := reusing(t, h)
		got := many(t, c, settings(), "x\n", to("1@x", "2@x", "3@x")...)
		if want := []string{delivered, delivered, delivered}; !slices.Equal(got, want) {
			t.Errorf("after %q: reports %q, want %q", last, got, want)
		}
		c.Idle.Close()
		n.wait()
	}
}

// moody is a host that offers PIPELINING. Says has its reply to RCPT, from the recipients
// of the transaction so far. If that is empty it hangs up; what ends in {close} it says
// once it has heard DATA, and hangs up; with {stall} it is silent.
func moody(says func(recipients []string) string) handler {
	return func(p *peer) {
		p.say("220 x\r\n")
		var recipients []string
		for {
			line := p.hear()
			verb, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			reply := "250 ok"
			switch verb {
			case "", "QUIT":
				return
			case "EHLO":
				reply = "250-x\r\n250 PIPELINING"
			case "MAIL":
				recipients = nil
			case "RCPT":
				recipients = append(recipients, strings.TrimSuffix(strings.TrimPrefix(line, "RCPT TO:<"), ">\r\n"))
				reply = says(recipients)
			case "DATA":
				p.say("354 go\r\n")
				for line != ".\r\n" && line != "" {
					line = p.hear()
				}
			}
			reply, last, _ := strings.Cut(reply, "{")
			if last != "" || reply == "" {
				for last == "close}" && line != "DATA\r\n" || last == "stall}" && line != "" {
					line = p.hear()
				}
				if reply != "" {
					p.say(reply + "\r\n")
				}
				return
			}
			p.say(reply + "\r\n")
		}
	}
}

// TestPoison has one recipient for whom the host hangs up or is silent: nobody else has
// to suffer for it.
func TestPoison(t *testing.T) {
	const died = "ZConnected to 192.0.2.1 but connection died. (#4.4.2)\n|"
	for _, tt := range []struct {
		name   string
		says   func(recipients []string) string
		report string // on a@x
	}{
		{"hangs up", func(all []string) string {
			if all[len(all)-1] == "a@x" {
				return ""
			}
			return "250 ok"
		}, died},
		{"says no and hangs up, and hangs up on two", func(all []string) string {
			switch {
			case len(all) > 1:
				return ""
			case all[0] == "a@x":
				return "550 no{close}"
			}
			return "250 ok"
		}, "h192.0.2.1 does not like recipient.\nRemote host said: 550 no\n|DGiving up on 192.0.2.1.\n|"},
		{"is silent", func(all []string) string {
			if all[len(all)-1] == "a@x" {
				return "{stall}"
			}
			return "250 ok"
		}, died},
	} {
		for _, recipients := range [][]string{{"a@x", "b@x", "c@x"}, {"b@x", "a@x", "c@x"}, {"b@x", "c@x", "a@x"}} {
			t.Run(tt.name+" "+strings.Join(recipients, " "), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					_, c := reusing(t, nil)
					var hosts hostsInMemory
					c.Dial = func(context.Context, netip.Addr, netip.AddrPort) (net.Conn, error) {
						return hosts.connect(moody(tt.says), false), nil
					}
					got := many(t, c, settings(), "x\n", to(recipients...)...)
					for i, r := range recipients {
						want := delivered
						if r == "a@x" {
							want = tt.report
						}
						if got[i] != want {
							t.Errorf("%s: reports %q, want %q", r, got[i], want)
						}
					}
					c.Idle.Close()
					hosts.Wait()
				})
			})
		}
	}
}

// TestSilentForAll has a host that takes the sender and says nothing any more, or nothing
// after DATA: there is a report on each, and an end.
func TestSilentForAll(t *testing.T) {
	const died = "ZConnected to 192.0.2.1 but connection died. (#4.4.2)\n|"
	for verb, want := range map[string]string{"MAIL": died, "RCPT": died, "DATA": "r|" + died} {
		synctest.Test(t, func(t *testing.T) {
			_, c := reusing(t, nil)
			h, _ := host(verb, "{stall}")
			var hosts hostsInMemory
			c.Dial = func(context.Context, netip.Addr, netip.AddrPort) (net.Conn, error) {
				return hosts.connect(h, false), nil
			}
			if got := many(t, c, settings(), "x\n", to("1@x", "2@x", "3@x")...); !slices.Equal(got, []string{want, want, want}) {
				t.Errorf("silent after %s: reports %q", verb, got)
			}
			c.Idle.Close()
			hosts.Wait()
		})
	}
}

// TestSendersApart has three senders: none of their mail shares a transaction, not even with
// the same recipients, but one connection after the other may carry it.
func TestSendersApart(t *testing.T) {
	h, heard := host()
	n, c := reusing(t, h)
	c.Idle.Messages = 100
	var errands []Errand
	for i := range 30 {
		for _, sender := range []string{"list-a=x@test.example", "list-b=x@test.example", ""} {
			errands = append(errands, Errand{"[192.0.2.1]", sender, fmt.Sprintf("%d@x", i)})
		}
	}
	for i, got := range many(t, c, settings(), "x\n", errands...) {
		if got != delivered {
			t.Errorf("recipient %d: reports %q", i, got)
		}
	}
	c.Idle.Close()
	n.wait()
	for _, sender := range []string{"list-a=x@test.example", "list-b=x@test.example", ""} {
		var recipients []string
		for i := range 30 {
			recipients = append(recipients, fmt.Sprintf("%d@x", i))
		}
		if want := transcript(sender, recipients...); strings.Count(heard.String(), want) != 1 {
			t.Errorf("the host hears %q, want %q in it once", heard, want)
		}
	}
	if mails := strings.Count(heard.String(), "MAIL"); mails != 3 {
		t.Errorf("%d transactions", mails)
	}
}

// TestMost has more recipients than a transaction may have.
func TestMost(t *testing.T) {
	h, heard := host("EHLO", "250-x\r\n250 PIPELINING\r\n")
	n, c := reusing(t, h)
	var recipients []string
	for i := range 250 {
		recipients = append(recipients, fmt.Sprintf("recipient-%d@example.org", i))
	}
	for i, got := range many(t, c, settings(), "x\n", to(recipients...)...) {
		if got != delivered {
			t.Errorf("recipient %d: reports %q", i, got)
		}
	}
	c.Idle.Close()
	n.wait()
	for i, part := range strings.Split(heard.String(), "MAIL")[1:] {
		if count := strings.Count(part, "RCPT"); count > mostRecipients || count < 80 {
			t.Errorf("transaction %d has %d recipients", i, count)
		}
	}
	for _, r := range recipients {
		if strings.Count(heard.String(), "RCPT TO:<"+r+">") != 1 {
			t.Errorf("%s is not told once", r)
		}
	}
}

// TestHostsTogether has hosts some of which have their mail exchangers in common.
func TestHostsTogether(t *testing.T) {
	same := []Exchanger{{"mx1.example", 10}, {"mx2.example", 10}}
	z := &zone{
		mx:    map[string][]Exchanger{"a.example": same, "b.example": {same[1], same[0]}, "c.example": {{"mx1.example", 10}}, "d.example": {{"mx1.example", 10}, {"mx2.example", 20}}},
		addrs: map[string][]string{"mx1.example": {"192.0.2.1"}, "mx2.example": {"192.0.2.2"}},
	}
	tests := []struct {
		name, first, second string
		settings            func(*Settings)
		transactions        int
	}{
		{"the same in another order", "a.example", "b.example", nil, 1},
		{"one is missing", "a.example", "c.example", nil, 2},
		{"another preference", "a.example", "d.example", nil, 2},
		{"a route for all", "a.example", "elsewhere.example", func(s *Settings) { s.Routes = ParseRoutes([]string{":192.0.2.1"}) }, 1},
		{"a route for one", "a.example", "b.example", func(s *Settings) { s.Routes = ParseRoutes([]string{"a.example:192.0.2.1"}) }, 2},
		{"another port", "a.example", "b.example", func(s *Settings) {
			s.Routes = ParseRoutes([]string{"a.example:192.0.2.1", "b.example:192.0.2.1:26"})
		}, 2},
		{"what is required depends on the host", "a.example", "b.example", func(s *Settings) { s.Policy = byHost{} }, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, heard := host()
				_, c := reusing(t, h)
				c.Resolver, c.Now = z, time.Now
				var hosts hostsInMemory
				// Nobody has a connection before all hosts were looked up.
				c.Dial = func(context.Context, netip.Addr, netip.AddrPort) (net.Conn, error) {
					time.Sleep(time.Second)
					return hosts.connect(h, false), nil
				}
				s := settings()
				if tt.settings != nil {
					tt.settings(s)
				}
				got := many(t, c, s, "x\n", Errand{tt.first, "a@test.example", "1@" + tt.first}, Errand{tt.second, "a@test.example", "2@" + tt.second})
				for _, reports := range got {
					if !strings.HasPrefix(reports, "r|K192.0.2.") {
						t.Errorf("reports %q", got)
					}
				}
				c.Idle.Close()
				hosts.Wait()
				if transactions := strings.Count(heard.String(), "MAIL"); transactions != tt.transactions {
					t.Errorf("%d transactions, want %d: %q", transactions, tt.transactions, heard)
				}
			})
		})
	}
}

// byHost is a policy that has an opinion of each host.
type byHost struct{}

func (byHost) For(_ context.Context, host, _ string) (Requirement, error) {
	return Requirement{Level: MayTLS, Why: host}, nil
}

// TestOtherHostsCompany has a host that does not take recipients of two domains at a
// time, whatever it says then: each gets the message. Who is refused without the other
// domains, too, is not asked about again.
func TestOtherHostsCompany(t *testing.T) {
	for _, no := range []string{"451 one domain at a time", "550 one domain at a time", "554 one domain at a time"} {
		h, heard := host(rcpts("250 ok", no, "250 ok", "550 unknown", "250 ok", "550 unknown")...)
		n, c := reusing(t, h)
		s := settings()
		s.Routes = ParseRoutes([]string{":192.0.2.1"})
		got := many(t, c, s, "x\n", Errand{"x", "a@test.example", "1@x"}, Errand{"y", "a@test.example", "2@y"},
			Errand{"x", "a@test.example", "3@x"}, Errand{"y", "a@test.example", "4@y"})
		unknown := "h192.0.2.1 does not like recipient.\nRemote host said: 550 unknown\n|DGiving up on 192.0.2.1.\n|"
		if want := []string{delivered, delivered, delivered, unknown}; !slices.Equal(got, want) {
			t.Errorf("%s: reports %q, want %q", no, got, want)
		}
		c.Idle.Close()
		n.wait()
		if want := transcript("a@test.example", "2@y", "4@y"); !strings.HasSuffix(strings.TrimSuffix(heard.String(), "QUIT\r\n"), want) {
			t.Errorf("%s: the host hears %q, want %q at its end", no, heard, want)
		}
	}
}

// TestNotSent has recipients for whom nobody is asked.
func TestNotSent(t *testing.T) {
	n, c := reusing(t, nil)
	c.Resolver = &zone{errs: map[string]error{"MX broken.example": errors.New("no answer")}}
	got := many(t, c, settings(), "x\n",
		Errand{"[192.0.2.9]", "a@test.example", "1@x"},
		Errand{"none.example", "a@test.example", "2@none.example"},
		Errand{"broken.example", "a@test.example", "3@broken.example"},
		Errand{"[192.0.2.1]", "a\n@test.example", "4@x"})
	want := []string{
		"ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n|",
		"DSorry, I couldn't find any host named none.example. (#5.1.2)\n|",
		"ZSorry, I couldn't find any host by that name. (#4.1.2)\n|",
		"DSMTP cannot transfer a sender address with a line break in it. (#5.1.7)\n|",
	}
	if !slices.Equal(got, want) {
		t.Errorf("reports %q, want %q", got, want)
	}
	n.wait()
}

// TestKept has messages that are kept, which takes memory until there is a reply about
// them, and messages that are read as they are sent: of these a host hears the beginning
// though the end is none.
func TestKept(t *testing.T) {
	for _, tt := range []struct {
		size, recipients int
		kept             bool
	}{{readSize + 1, 1, false}, {readSize + 1, 2, true}, {mostKept, 3, true}, {mostKept + 1, 3, false}} {
		h, heard := host()
		n, c := reusing(t, h)
		for _, got := range many(t, c, settings(), strings.Repeat("x", tt.size), to("1@x", "2@x", "3@x")[:tt.recipients]...) {
			if !strings.HasPrefix(got, "r|DSMTP cannot transfer messages with partial") {
				t.Errorf("%d bytes to %d: reports %q", tt.size, tt.recipients, got)
			}
		}
		n.wait()
		if kept := !strings.Contains(heard.String(), "xxx"); kept != tt.kept {
			t.Errorf("%d bytes to %d: kept %v, want %v", tt.size, tt.recipients, kept, tt.kept)
		}
	}
	if mostKept > 64<<10 {
		t.Errorf("up to %d bytes are kept", mostKept)
	}
}

// TestMessages sends messages that are kept, and that are not, to two.
func TestMessages(t *testing.T) {
	for name, tt := range map[string]struct{ text, heard, report string }{
		"dots":         {".\n..\n", "..\r\n...\r\n.\r\n", "r|K"},
		"empty":        {"", "DATA\r\n.\r\n", "r|K"},
		"long":         {strings.Repeat("x\n", mostKept), strings.Repeat("x\r\n", mostKept) + ".\r\n", "r|K"},
		"in pieces":    {strings.Repeat("x\n", readSize), strings.Repeat("x\r\n", readSize) + ".\r\n", "r|K"},
		"partial line": {"x", "DATA\r\n", "r|DSMTP cannot transfer messages with partial final lines. (#5.6.2)\n|"},
	} {
		h, heard := host()
		n, c := reusing(t, h)
		for _, got := range many(t, c, settings(), tt.text, to("1@x", "2@x")...) {
			if !strings.HasPrefix(got, tt.report) {
				t.Errorf("%s: reports %q", name, got)
			}
		}
		c.Idle.Close()
		n.wait()
		if all := strings.TrimSuffix(heard.String(), "QUIT\r\n"); !strings.HasSuffix(all, tt.heard) {
			t.Errorf("%s: the host hears %.200q", name, all)
		}
	}
}

// TestDataAhead has hosts that offer PIPELINING and refuse all recipients: none gets a
// message to nobody.
func TestDataAhead(t *testing.T) {
	for _, data := range []string{"554 no valid recipients\r\n", "354 go\r\n", "{close}"} {
		h, heard := host("EHLO", "250-x\r\n250 PIPELINING\r\n", "RCPT", "550 no\r\n", "DATA", data)
		n, c := reusing(t, h)
		got := many(t, c, settings(), "x\n", to("1@x", "2@x")...)
		want := "h192.0.2.1 does not like recipient.\nRemote host said: 550 no\n|DGiving up on 192.0.2.1.\n|"
		if !slices.Equal(got, []string{want, want}) {
			t.Errorf("%q: reports %q", data, got)
		}
		c.Idle.Close()
		n.wait()
		if strings.Contains(heard.String(), ".\r\n") && !strings.HasPrefix(data, "554") || strings.Contains(heard.String(), "x\r\n.") {
			t.Errorf("%q: the host hears %q", data, heard)
		}
	}
}

// TestQMTPTogether has recipients of one package, each with an answer of its own.
func TestQMTPTogether(t *testing.T) {
	serve, q := qmtpServer(t, map[string]string{"rcpthosts": "example.org"})
	n := &network{t: t, hosts: map[string]handler{"192.0.2.1:209": serve}}
	s := settings()
	s.QMTPRoutes = ParseRoutes([]string{":192.0.2.1"})
	got := many(t, n.client(noDNS{t}), s, "x\n", Errand{"example.org", "a@test.example", "1@example.org"},
		Errand{"elsewhere.example", "a@test.example", "2@elsewhere.example"}, Errand{"example.org", "a@test.example", "3@example.org"})
	n.wait()
	accepted := "r|K192.0.2.1 accepted message.\nRemote host said: ok 1795284247 qp 4321\n|"
	want := []string{accepted,
		"h192.0.2.1 does not like recipient.\nRemote host said: sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)\n|DGiving up on 192.0.2.1.\n|", accepted}
	if !slices.Equal(got, want) || len(q.Messages) != 1 {
		t.Errorf("%d messages; reports %q, want %q", len(q.Messages), got, want)
	}
}

func TestEvenly(t *testing.T) {
	for _, tt := range []struct{ count, want int }{{1, 1}, {99, 99}, {100, 100}, {101, 51}, {120, 60}, {250, 84}, {0, 1}} {
		if got := evenly(tt.count, 100); got != tt.want {
			t.Errorf("evenly(%d) = %d, want %d", tt.count, got, tt.want)
		}
	}
}
