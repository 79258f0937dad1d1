package remote

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// wire is a connection in memory that holds all that is written to it, as a socket
// with large buffers does, unless narrow is set: then a writer waits for the reader.
// All time on it is that of the bubble of a test.
type wire struct {
	net.Conn
	narrow bool

	mu      sync.Mutex
	more    *sync.Cond
	pending []byte
	err     error // what Read ends with
}

// hostsInMemory are hosts at the other ends of wires.
type hostsInMemory struct{ sync.WaitGroup }

// connect returns a connection to a host.
func (all *hostsInMemory) connect(h handler, narrow bool) net.Conn {
	client, server := net.Pipe()
	w := &wire{Conn: server, narrow: narrow}
	w.more = sync.NewCond(&w.mu)
	if !narrow {
		all.Go(w.pump)
	}
	all.Go(func() {
		defer w.Close()
		h(newPeer(w))
	})
	return client
}

// pump takes what the client says, whether the host wants to know or not.
func (w *wire) pump() {
	buf := make([]byte, 64<<10)
	for {
		n, err := w.Conn.Read(buf)
		w.mu.Lock()
		w.pending = append(w.pending, buf[:n]...)
		w.err = err
		w.mu.Unlock()
		w.more.Broadcast()
		if err != nil {
			return
		}
	}
}

func (w *wire) Read(p []byte) (int, error) {
	if w.narrow {
		return w.Conn.Read(p)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.pending) == 0 && w.err == nil {
		w.more.Wait()
	}
	n := copy(p, w.pending)
	if w.pending = w.pending[n:]; n == 0 {
		return 0, w.err
	}
	return n, nil
}

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

// reads is a host that takes a message, a piece at a time, and waits in between.
func reads(piece int, wait time.Duration) handler {
	return func(p *peer) {
		for _, reply := range []string{"220 x\r\n", "250 x\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"} {
			p.say(reply)
			if !strings.HasPrefix(reply, "354") {
				p.hear()
			}
		}
		for {
			time.Sleep(wait)
			if _, err := io.CopyN(io.Discard, p.in, int64(piece)); err != nil {
				return
			}
		}
	}
}

// TestSlowReaders are hosts that take the message too slowly, or not at all: each
// piece has its time, and the delivery as a whole too.
func TestSlowReaders(t *testing.T) {
	const died = "r|ZConnected to 192.0.2.1 but connection died. (#4.4.2)\n|"
	tests := []struct {
		name  string
		host  handler
		least time.Duration
		most  time.Duration
	}{
		{"not at all", reads(1, 100*time.Hour), 20 * time.Minute, 21 * time.Minute},
		{"a byte a second", reads(1, time.Second), 20 * time.Minute, mostTime},
		{"just fast enough for each piece", reads(outSize, 15*time.Minute), mostTime, mostTime},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reports, took := scripted(t, tt.host, true, io.LimitReader(lines{}, 64<<20))
				if reports != died || took < tt.least || took > tt.most {
					t.Errorf("reports %q after %v", reports, took)
				}
			})
		})
	}
}

// TestLongest: every reply comes just in time, for more recipients than there is
// time for, and the delivery ends when its time is over.
func TestLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(p *peer) {
			p.say("220 x\r\n")
			for p.hear() != "" {
				time.Sleep(19 * time.Minute)
				p.say("250 ok\r\n")
			}
		}
		c := (&network{t: t}).client(noDNS{t})
		c.Now = time.Now
		var hosts hostsInMemory
		defer hosts.Wait()
		c.Dial = func(context.Context, netip.Addr, netip.AddrPort) (net.Conn, error) {
			return hosts.connect(slow, false), nil
		}
		m := literalMail("x\n")
		m.Recipients = strings.Split(strings.Repeat("b@example.org ", 100)+"c@example.org", " ")
		s := settings()
		s.Timeout = 20 * time.Minute
		start := time.Now()
		got := send(t, c, s, m)
		if took := time.Since(start); took != mostTime || !strings.HasSuffix(got, "|ZConnected to 192.0.2.1 but connection died. (#4.4.2)\n|") {
			t.Errorf("reports %q after %v", got, took)
		}
	})
}

// TestManyHosts: the search for a host that says hello ends, even if each of many
// takes all the time it is given.
func TestManyHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{mx: map[string][]Exchanger{}, addrs: map[string][]string{}}
		for i := range 5000 {
			name := fmt.Sprintf("mx%d.example", i)
			z.mx["example.org"] = append(z.mx["example.org"], Exchanger{name, uint16(i)})
			z.addrs[name] = []string{fmt.Sprintf("192.0.%d.%d", 2+i/250, i%250), fmt.Sprintf("198.51.%d.%d", i/250, i%250)}
		}
		c := (&network{t: t}).client(z)
		c.Now = time.Now
		dialed := 0
		var hosts hostsInMemory
		defer hosts.Wait()
		c.Dial = func(ctx context.Context, _ netip.Addr, _ netip.AddrPort) (net.Conn, error) {
			if dialed++; dialed%2 == 0 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return hosts.connect(stall, false), nil
		}
		m := literalMail("x\n")
		m.Host = "example.org"
		s := settings()
		s.ConnectTimeout, s.Timeout = time.Minute, 20*time.Minute
		start := time.Now()
		got := send(t, c, s, m)
		if took := time.Since(start); took > searchTime+3*s.Timeout || dialed > mostAddresses || !strings.HasPrefix(got, "ZConnected to ") {
			t.Errorf("reports %q after %v and %d connections", got, took, dialed)
		}
	})
}

// TestHostileQMTP has a QMTP server that does not do its part.
func TestHostileQMTP(t *testing.T) {
	const died = "ZConnected to 192.0.2.1 but connection died. Possible duplicate! (#4.4.2)\n|"
	slowly := func(p *peer) {
		takePackage(p.in)
		bySeconds("99999:K"+strings.Repeat("x", 99998), 1)(p, "")
	}
	quickly := func(p *peer) {
		takePackage(p.in)
		p.say("31000000:K")
		atOnce("x", 30999999, ",")(p, "")
	}
	tests := []struct {
		name   string
		host   handler
		narrow bool
		want   string
	}{
		{"stalls", func(p *peer) { takePackage(p.in); stall(p) }, false, died},
		{"does not read", func(*peer) { time.Sleep(time.Hour) }, true, strings.Replace(died, " Possible duplicate!", "", 1)},
		{"a byte a second", slowly, false, died},
		{"31 MB", quickly, false, "r|K192.0.2.1 accepted message.\n|"},
		{"hangs up", func(p *peer) { p.Close() }, true, strings.Replace(died, " Possible duplicate!", "", 1)},
		{"hangs up after the message", func(p *peer) { takePackage(p.in) }, false, died},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := (&network{t: t}).client(noDNS{t})
				c.Now = time.Now
				var hosts hostsInMemory
				defer hosts.Wait()
				c.Dial = func(context.Context, netip.Addr, netip.AddrPort) (net.Conn, error) {
					return hosts.connect(tt.host, tt.narrow), nil
				}
				s := settings()
				s.Timeout = 20 * time.Minute
				s.QMTPRoutes = ParseRoutes([]string{":192.0.2.1"})
				start := time.Now()
				m := literalMail(strings.Repeat("x\n", 100_000))
				got := withoutReplies(send(t, c, s, m))
				if took := time.Since(start); got != tt.want || took > 21*time.Minute {
					t.Errorf("reports %.300q after %v, want %q", got, took, tt.want)
				}
			})
		})
	}
}
