package remote

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Hosts of the scripted network: what stands in the way of the message is at
// 192.0.2.1, and a good host at 192.0.2.2, the exchanger after it.
const (
	badAddr  = "192.0.2.1"
	goodAddr = "192.0.2.2"
)

// scripted runs a delivery to a domain with these two exchangers, in a bubble. It
// returns the reports, and how long it took there.
func scripted(t *testing.T, bad handler, narrow bool, message io.Reader) (reports string, took time.Duration) {
	t.Helper()
	return scriptedBy(t, nil, bad, narrow, message)
}

func scriptedBy(t *testing.T, policy TLSPolicy, bad handler, narrow bool, message io.Reader) (reports string, took time.Duration) {
	t.Helper()
	good, _ := host()
	c := (&network{t: t}).client(&zone{
		mx:    map[string][]Exchanger{"example.org": {{"bad.example", 10}, {"good.example", 20}}},
		addrs: map[string][]string{"bad.example": {badAddr}, "good.example": {goodAddr}},
	})
	c.Now = time.Now
	var hosts hostsInMemory
	c.Dial = func(ctx context.Context, _ netip.Addr, to netip.AddrPort) (net.Conn, error) {
		h, narrow := bad, narrow
		if to.Addr().String() == goodAddr {
			h, narrow = good, false
		}
		if h == nil {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return hosts.connect(h, narrow), nil
	}
	m := literalMail("")
	m.Host = "example.org"
	m.Message = message
	s := settings()
	s.ConnectTimeout, s.Timeout, s.Policy = time.Minute, 20*time.Minute, policy
	start := time.Now()
	reports = send(t, c, s, m)
	took = time.Since(start)
	hosts.Wait()
	return reports, took
}

// What hosts may do instead of answering, and what that means: a code, or that the
// connection is as good as lost.
const (
	lost      = 0
	yes       = -1 // the code that is waited for
	malformed = badCode
)

// misbehaviour is what a host does where a reply is due. In says, {ok} stands for
// the code that is waited for.
type misbehaviour struct {
	name  string
	says  string
	then  func(p *peer, code string) // after it: nil to go on
	means int
}

// stall is silent until the client hangs up.
func stall(p *peer) { io.Copy(io.Discard, p.in) }

func hangUp(p *peer, _ string)  { p.Close() }
func silence(p *peer, _ string) { stall(p) }

// bySeconds says something, a byte a second, over and over again.
func bySeconds(text string, times int) func(*peer, string) {
	return func(p *peer, code string) {
		text := strings.ReplaceAll(text, "{ok}", code)
		for range times {
			for i := range text {
				time.Sleep(time.Second)
				if _, err := io.WriteString(p, text[i:i+1]); err != nil {
					return
				}
			}
		}
	}
}

// atOnce says something over and over again, as fast as the client takes it.
func atOnce(text string, times int, end string) func(*peer, string) {
	return func(p *peer, code string) {
		text, end := strings.ReplaceAll(text, "{ok}", code), strings.ReplaceAll(end, "{ok}", code)
		piece := []byte(strings.Repeat(text, 1+(16<<10)/len(text)))
		for left := times * len(text); left > 0; left -= len(piece) {
			if _, err := p.Write(piece[:min(left, len(piece))]); err != nil {
				return
			}
		}
		p.say(end)
	}
}

const tenMB = 10 << 20

var misbehaviours = []misbehaviour{
	{"refuses for good", "554 go away\r\n", nil, 554},
	{"refuses for now", "450 not now\r\n", nil, 450},
	{"is about to hang up", "421 busy\r\n", hangUp, 421},
	{"stalls", "", silence, lost},
	{"hangs up", "", hangUp, lost},
	{"stalls in a code", "2", silence, lost},
	{"hangs up in a code", "2", hangUp, lost},
	{"stalls in a line", "{ok} o", silence, lost},
	{"hangs up in a line", "{ok} o", hangUp, lost},
	{"stalls between CR and LF", "{ok} ok\r", silence, lost},
	{"stalls between lines", "{ok}-one\r\n", silence, lost},
	{"hangs up between lines", "{ok}-one\r\n", hangUp, lost},
	{"a byte a second", "", bySeconds("{ok} ok\r\n", 1), yes},
	{"a byte a second, for ever", "", bySeconds("{ok}-ok\r\n", 1<<20), lost},
	{"a line for ever", "{ok} ", atOnce("x", 1<<30, ""), lost},
	{"lines for ever", "", atOnce("{ok}-x\r\n", 1<<28, ""), lost},
	{"a line of 10 MB", "{ok} ", atOnce("x", tenMB, "\r\n"), yes},
	{"lines of 10 MB", "", atOnce("{ok}-abc\r\n", tenMB/10, "{ok} ok\r\n"), yes},
	{"refuses with 10 MB", "", atOnce("554-abc\r\n", tenMB/9, "554 no\r\n"), 554},
	{"another code at the end", "{ok}-yes\r\n554 no\r\n", nil, yes},
	{"another code at the beginning", "554-no\r\n{ok} yes\r\n", nil, 554},
	{"another code for now", "{ok}-yes\r\n450-no\r\n{ok} yes\r\n", nil, yes},
	{"text between the lines", "{ok}-yes\r\nand then\r\n", nil, yes},
	{"code 600", "600 what\r\n", nil, 600},
	{"code 999", "999 what\r\n", nil, 999},
	{"no code", "hello\r\n", nil, malformed},
	{"an empty line", "\r\n", nil, malformed},
	{"only LF", "\n", nil, malformed},
	{"a blank before the code", " {ok} ok\r\n", nil, malformed},
	{"two digits", "25 ok\r\n", nil, malformed},
	{"four digits", "{ok}0 ok\r\n", nil, yes}, // Compat: three digits are looked at
	{"no text", "{ok}\r\n", nil, yes},
	{"a sign", "-50 ok\r\n", nil, malformed},
	{"NULs in the text", "{ok} o\x00k\x00\r\n", nil, yes},
	{"a NUL in the code", "2\x0050 ok\r\n", nil, malformed},
	{"LF alone", "{ok}-a\n{ok} ok\n", nil, yes},
	{"a bare CR", "{ok} a\rb\r\r\n", nil, yes},
	{"a CR in the code", "2\r50 ok\r\n", nil, malformed},
}

// stages are where in a session a reply is due, by the command before it, and the
// code that is waited for.
var stages = []struct{ verb, code string }{
	{"", "220"}, {"EHLO", "250"}, {"HELO", "250"}, {"MAIL", "250"}, {"RCPT", "250"}, {"DATA", "354"}, {".", "250"},
}

// plays returns a host that misbehaves at a stage, and goes on if it can.
func (b misbehaviour) plays(verb, code string) handler {
	return func(p *peer) {
		for _, stage := range stages {
			if stage.verb == "HELO" && verb != "HELO" {
				continue
			}
			switch stage.verb {
			case "":
			case ".":
				for line := p.hear(); line != ".\r\n" && line != ""; {
					line = p.hear()
				}
			default:
				p.hear()
			}
			switch {
			case stage.verb == verb:
				b.at(p, code)
			case stage.verb == "EHLO" && verb == "HELO":
				p.say("502 what\r\n")
			default:
				p.say(stage.code + " ok\r\n")
			}
		}
		stall(p)
	}
}

// at misbehaves where a code is due.
func (b misbehaviour) at(p *peer, code string) {
	p.say(strings.ReplaceAll(b.says, "{ok}", code))
	if b.then != nil {
		b.then(p, code)
	}
}

// want is the reports, without what the host said.
func (b misbehaviour) want(verb, code string) string {
	n := b.means
	if n == yes {
		fmt.Sscan(code, &n)
	}
	died := "ZConnected to " + badAddr + " but connection died. (#4.4.2)\n|"
	good := "r|K" + goodAddr + " accepted message.\n|"
	refused := string(letter('D', 'Z', n))
	switch {
	case b.means == yes:
		return "r|K" + badAddr + " accepted message.\n|"
	case verb == "EHLO" && b.means != lost && b.means != 421:
		return "next command" // HELO, which the script answers as MAIL
	case verb == "" || verb == "EHLO" || verb == "HELO":
		return good
	case verb == "." && b.means == lost:
		return "r|" + strings.Replace(died, "(#", "Possible duplicate! (#", 1)
	case b.means == lost && verb == "DATA":
		return "r|" + died
	case b.means == lost:
		return died
	case verb == "MAIL":
		return refused + "Connected to " + badAddr + " but sender was rejected.\n|"
	case verb == "RCPT":
		return string(letter('h', 's', n)) + badAddr + " does not like recipient.\n|DGiving up on " + badAddr + ".\n|"
	case verb == "DATA":
		return "r|" + refused + badAddr + " failed on DATA command.\n|"
	}
	return "r|" + refused + badAddr + " failed after I sent the message.\n|"
}

// TestHostile has a host misbehave in every way at every stage: the right report
// comes, or the next exchanger takes the message, in bounded time and memory.
func TestHostile(t *testing.T) {
	for _, stage := range stages {
		for _, b := range misbehaviours {
			want := b.want(stage.verb, stage.code)
			if want == "next command" {
				continue // TestHELO
			}
			if strings.HasPrefix(b.name, "lines") && stage.verb != "" && stage.verb != "." {
				continue // reading so much takes its time, and is the same everywhere
			}
			t.Run(stage.verb+"/"+b.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					reports, took := scripted(t, b.plays(stage.verb, stage.code), false, strings.NewReader("x\n"))
					runtime.ReadMemStats(&after)
					if got := withoutReplies(reports); got != want {
						t.Errorf("reports %.300q, want %q", reports, want)
					}
					if took > 21*time.Minute {
						t.Errorf("it took %v", took)
					}
					if len(reports) > mostText+300 {
						t.Errorf("reports of %d bytes", len(reports))
					}
					if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 {
						t.Errorf("it took %d bytes of memory", used)
					}
				})
			})
		}
	}
}

// withoutReplies drops what hosts said from reports.
func withoutReplies(reports string) string {
	var all strings.Builder
	for report := range strings.SplitSeq(reports, "|") {
		text, _, _ := strings.Cut(report, "Remote host said: ")
		all.WriteString(text + "|")
	}
	return strings.TrimSuffix(all.String(), "|")
}

// TestHELO: a host that answers EHLO in any odd way but losing the connection is
// told HELO.
func TestHELO(t *testing.T) {
	for _, b := range misbehaviours {
		if b.want("EHLO", "250") != "next command" {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := func(p *peer) {
					p.say("220 x\r\n")
					p.hear()
					b.at(p, "250")
					for _, reply := range []string{"250 helo\r\n", "250 mail\r\n", "250 rcpt\r\n", "354 data\r\n"} {
						p.hear()
						p.say(reply)
					}
					for line := p.hear(); line != ".\r\n" && line != ""; {
						line = p.hear()
					}
					p.say("250 taken\r\n")
					stall(p)
				}
				if got, _ := scripted(t, h, false, strings.NewReader("x\n")); got != "r|K192.0.2.1 accepted message.\nRemote host said: 250 taken\n|" {
					t.Errorf("reports %.300q", got)
				}
			})
		})
	}
}

// TestHostileSTARTTLS has a host offer STARTTLS and misbehave when that is taken, in
// its reply or in what should be TLS: the message goes in the clear, if it may,
// over another connection if need be, and to the next exchanger if it must not.
func TestHostileSTARTTLS(t *testing.T) {
	handshakes := []misbehaviour{
		{"hangs up instead of TLS", "{ok} go\r\n", hangUp, lost},
		{"stalls instead of TLS", "{ok} go\r\n", silence, lost},
		{"text instead of TLS", "{ok} go\r\n250 ok\r\n", silence, lost},
		{"NULs instead of TLS", "{ok} go\r\n", atOnce("\x00", tenMB, ""), lost},
		{"a byte a second instead of TLS", "{ok} go\r\n", bySeconds("\x16\x03\x03\x40\x00", 1<<20), lost},
	}
	for _, b := range append(handshakes, misbehaviours...) {
		for _, must := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, must: %v", b.name, must), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { hostileSTARTTLS(t, b, must) })
			})
		}
	}
}

func hostileSTARTTLS(t *testing.T, b misbehaviour, must bool) {
	bad := func(p *peer) {
		for reply := "220 x\r\n"; ; {
			p.say(reply)
			line := p.hear()
			switch {
			case line == "":
				return
			case strings.HasPrefix(line, "EHLO"):
				reply = "250-x\r\n250 STARTTLS\r\n"
			case strings.HasPrefix(line, "STARTTLS"):
				b.at(p, "220")
				if b.means == yes || b.means == lost {
					return // no TLS, in any case
				}
				reply = ""
			case strings.HasPrefix(line, "DATA"):
				reply = "354 go\r\n"
			case strings.HasPrefix(line, "x"):
				reply = ""
			default:
				reply = "250 ok\r\n"
			}
		}
	}
	var policy TLSPolicy
	want, addr := "r|K", badAddr
	if must {
		policy, addr = demands{"bad.example": true}, goodAddr
	}
	reports, took := scriptedBy(t, policy, bad, false, strings.NewReader("x\n"))
	if !strings.HasPrefix(reports, want+addr+" accepted message.\n") {
		t.Errorf("reports %.300q, want %s%s", reports, want, addr)
	}
	if took > 41*time.Minute || len(reports) > mostText+300 {
		t.Errorf("it took %v, reports of %d bytes", took, len(reports))
	}
}

// TestNoConnection: the second exchanger takes the message if the first does not
// answer, and the reports tell if none does.
func TestNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reports, took := scripted(t, nil, false, strings.NewReader("x\n"))
		if got := withoutReplies(reports); got != "r|K192.0.2.2 accepted message.\n|" || took != time.Minute {
			t.Errorf("reports %q after %v", reports, took)
		}
	})
}

// TestReset has hosts that reset a connection of TCP, at each stage.
func TestReset(t *testing.T) {
	b := misbehaviour{"resets", "", func(p *peer, _ string) {
		p.Conn.(*net.TCPConn).SetLinger(0)
		p.Close()
	}, lost}
	for _, stage := range stages {
		good, _ := host()
		n := &network{t: t, hosts: map[string]handler{badAddr + ":25": b.plays(stage.verb, stage.code), goodAddr + ":25": good}}
		m := literalMail("x\n")
		m.Host = "example.org"
		got := send(t, n.client(&zone{
			mx:    map[string][]Exchanger{"example.org": {{"bad.example", 10}, {"good.example", 20}}},
			addrs: map[string][]string{"bad.example": {badAddr}, "good.example": {goodAddr}},
		}), settings(), m)
		n.wait()
		if want := b.want(stage.verb, stage.code); withoutReplies(got) != want {
			t.Errorf("at %q: reports %q, want %q", stage.verb, got, want)
		}
	}
}

// TestExtraReplies: a host that answers a command twice is out of step from then on.
// Whatever that leads to, what was said before the message was there is not taken for
// a yes to it.
func TestExtraReplies(t *testing.T) {
	want := map[string]string{
		"EHLO": "r|Z192.0.2.1 failed on DATA command.\n|",
		"HELO": "r|Z192.0.2.1 failed on DATA command.\n|",
		"MAIL": "r|Z192.0.2.1 failed on DATA command.\n|",
		"RCPT": "r|Z192.0.2.1 failed on DATA command.\n|",
		"DATA": "r|Z192.0.2.1 failed after I sent the message.\n|",
		".":    "r|K192.0.2.1 accepted message.\n|",
	}
	for _, stage := range stages[1:] { // after two greetings EHLO fails, and HELO is in step again
		synctest.Test(t, func(t *testing.T) {
			twice := misbehaviour{"twice", "{ok} one\r\n{ok} two\r\n", nil, yes}
			got, _ := scripted(t, twice.plays(stage.verb, stage.code), false, strings.NewReader("x\n"))
			if withoutReplies(got) != want[stage.verb] {
				t.Errorf("twice at %q: reports %q, want %q", stage.verb, got, want[stage.verb])
			}
		})
	}
}
