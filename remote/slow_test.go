package remote

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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
		{"just fast enough for each piece", reads(readSize, 15*time.Minute), mostTime, mostTime},
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
