package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// dnsServer answers over UDP and TCP at a loopback port. What handle returns is
// sent; nil for silence.
type dnsServer struct {
	handle func(query *dns.Msg, network string) *dns.Msg

	mu    sync.Mutex
	asked []string // network and type of each query
}

func (s *dnsServer) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	network := w.LocalAddr().Network()
	s.mu.Lock()
	s.asked = append(s.asked, network+" "+dns.TypeToString[query.Question[0].Qtype])
	s.mu.Unlock()
	if reply := s.handle(query, network); reply != nil {
		w.WriteMsg(reply)
	}
}

// startDNS returns a resolver that asks these servers, in this order.
func startDNS(t *testing.T, servers ...*dnsServer) *DNS {
	t.Helper()
	d := &DNS{conf: resolvConf{timeout: time.Second, attempts: 2}}
	for _, s := range servers {
		var packets net.PacketConn
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err == nil {
			packets, err = net.ListenPacket("udp", listener.Addr().String())
		}
		if err != nil {
			t.Skip("no port for a DNS server: ", err)
		}
		for _, server := range []*dns.Server{{PacketConn: packets, Handler: s}, {Listener: listener, Handler: s}} {
			ready := make(chan struct{})
			server.NotifyStartedFunc = func() { close(ready) }
			go server.ActivateAndServe()
			<-ready
			t.Cleanup(func() { server.Shutdown() })
		}
		d.conf.servers = append(d.conf.servers, listener.Addr().String())
	}
	return d
}

// respond replies with records, for those whose type is asked for.
func respond(query *dns.Msg, records ...string) *dns.Msg {
	reply := new(dns.Msg).SetReply(query)
	reply.RecursionAvailable = true
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		if qtype := query.Question[0].Qtype; rr.Header().Rrtype == qtype || rr.Header().Rrtype == dns.TypeCNAME {
			reply.Answer = append(reply.Answer, rr)
		}
	}
	return reply
}

func rcode(query *dns.Msg, code int) *dns.Msg { return new(dns.Msg).SetRcode(query, code) }

func TestDNS(t *testing.T) {
	ctx := context.Background()
	s := &dnsServer{}
	s.handle = func(q *dns.Msg, _ string) *dns.Msg {
		if q.IsEdns0() == nil || q.IsEdns0().UDPSize() != udpSize {
			return rcode(q, dns.RcodeRefused)
		}
		switch strings.ToLower(q.Question[0].Name) {
		case "example.org.":
			return respond(q, "example.org. 1 IN MX 10 a.example.org.", "example.org. 1 IN MX 5 b.example.org.",
				"example.org. 1 IN A 192.0.2.1", "example.org. 1 IN A 192.0.2.2", "example.org. 1 IN AAAA 2001:db8::1")
		case "alias.example.":
			return respond(q, "alias.example. 1 IN CNAME example.org.", "example.org. 1 IN MX 7 c.example.org.", "example.org. 1 IN A 192.0.2.3")
		case "null.example.":
			return respond(q, "null.example. 1 IN MX 0 .")
		case "half.example.": // a server that does not know AAAA
			if q.Question[0].Qtype == dns.TypeAAAA {
				return rcode(q, dns.RcodeServerFailure)
			}
			return respond(q, "half.example. 1 IN A 192.0.2.4")
		case "bad.example.":
			return rcode(q, dns.RcodeServerFailure)
		case "nothing.example.":
			return respond(q)
		}
		return rcode(q, dns.RcodeNameError)
	}
	d := startDNS(t, s)
	tests := []struct {
		host, mx, addrs string // addresses, "none" for ErrNoHost, "trouble" for another error
	}{
		{"example.org", "[{a.example.org. 10} {b.example.org. 5}]", "[192.0.2.1 192.0.2.2 2001:db8::1]"},
		{"EXAMPLE.org.", "[{a.example.org. 10} {b.example.org. 5}]", "[192.0.2.1 192.0.2.2 2001:db8::1]"},
		{"alias.example", "[{c.example.org. 7}]", "[192.0.2.3]"},
		{"null.example", "[{. 0}]", "[]"},
		{"half.example", "[]", "[192.0.2.4]"},
		{"nothing.example", "[]", "[]"},
		{"bad.example", "trouble", "trouble"},
		{"none.example", "none", "none"},
		{"", "none", "none"},
		{".", "none", "none"},
		{"a..example", "none", "none"},
		{"a b.example", "none", "none"},
		{`a\.b.example`, "none", "none"},
		{"\xe4.example", "none", "none"},
		{strings.Repeat("a", 64) + ".example", "none", "none"},
		{strings.Repeat("a.", 127) + "example", "none", "none"},
	}
	show := func(v any, err error) string {
		switch {
		case err == nil:
			return fmt.Sprint(v)
		case errors.Is(err, ErrNoHost):
			return "none"
		}
		return "trouble"
	}
	for _, tt := range tests {
		mx, err := d.MX(ctx, tt.host)
		if got := show(mx, err); got != tt.mx {
			t.Errorf("MX of %.50q: %s (%v), want %s", tt.host, got, err, tt.mx)
		}
		addrs, err := d.Addrs(ctx, tt.host)
		if got := show(addrs, err); got != tt.addrs {
			t.Errorf("addresses of %.50q: %s (%v), want %s", tt.host, got, err, tt.addrs)
		}
	}
}

// TestDNSServers is about what makes the client ask again, and whom.
func TestDNSServers(t *testing.T) {
	const record = "x.example. 1 IN MX 10 a.example."
	good := func(q *dns.Msg, _ string) *dns.Msg { return respond(q, record) }
	code := func(n int) func(*dns.Msg, string) *dns.Msg {
		return func(q *dns.Msg, _ string) *dns.Msg { return rcode(q, n) }
	}
	silent := func(*dns.Msg, string) *dns.Msg { return nil }
	truncated := func(q *dns.Msg, network string) *dns.Msg {
		reply := respond(q, record)
		if network == "udp" {
			reply.Truncated = true
			reply.Answer = nil
		}
		return reply
	}
	long := func(q *dns.Msg, network string) *dns.Msg {
		reply := respond(q, record)
		for i := range 300 {
			rr, _ := dns.NewRR(fmt.Sprintf("x.example. 1 IN MX 20 some-long-name-%d.example.", i))
			reply.Answer = append(reply.Answer, rr)
		}
		if network == "udp" {
			reply.Truncate(512)
		}
		return reply
	}
	tooLong := func(q *dns.Msg, _ string) *dns.Msg {
		reply := respond(q)
		reply.Truncated = true
		return reply
	}
	noEDNS := func(q *dns.Msg, _ string) *dns.Msg {
		if q.IsEdns0() != nil {
			return rcode(q, dns.RcodeFormatError)
		}
		return respond(q, record)
	}
	otherQuestion := func(q *dns.Msg, _ string) *dns.Msg {
		reply := respond(q, "y.example. 1 IN MX 10 evil.example.")
		reply.Question[0].Name = "y.example."
		return reply
	}
	otherID := func(q *dns.Msg, _ string) *dns.Msg {
		reply := respond(q, "x.example. 1 IN MX 10 evil.example.")
		reply.Id++
		return reply
	}
	referral := func(q *dns.Msg, _ string) *dns.Msg {
		reply := respond(q)
		reply.RecursionAvailable = false
		reply.Ns = append(reply.Ns, &dns.NS{Hdr: dns.RR_Header{Name: "example.", Rrtype: dns.TypeNS, Class: dns.ClassINET}, Ns: "ns.example."})
		return reply
	}
	strange := func(q *dns.Msg, _ string) *dns.Msg {
		return respond(q, "y.example. 1 IN MX 10 evil.example.", "x.example. 1 CH MX 10 evil.example.", "z.example. 1 IN CNAME y.example.")
	}
	aliases := func(n int) func(*dns.Msg, string) *dns.Msg {
		return func(q *dns.Msg, _ string) *dns.Msg {
			records := []string{fmt.Sprintf("a%d.example. 1 IN MX 10 a.example.", n), "x.example. 1 IN CNAME A1.example."}
			for i := range n {
				records = append(records, fmt.Sprintf("a%d.example. 1 IN CNAME a%d.example.", i, i+1))
			}
			return respond(q, records...)
		}
	}
	loop := func(q *dns.Msg, _ string) *dns.Msg { return respond(q, "x.example. 1 IN CNAME X.example.") }
	type handle = func(*dns.Msg, string) *dns.Msg
	tests := []struct {
		name    string
		handles []handle
		want    int // records; -1 for an error
		asked   string
	}{
		{"first", []handle{good, code(dns.RcodeRefused)}, 1, "udp MX/"},
		{"truncated", []handle{truncated}, 1, "udp MX,tcp MX"},
		{"long", []handle{long}, 301, "udp MX,tcp MX"},
		{"too long for TCP", []handle{tooLong, good}, 1, "udp MX,tcp MX/udp MX"},
		{"no EDNS0", []handle{noEDNS}, 1, "udp MX,udp MX"},
		{"fails", []handle{code(dns.RcodeServerFailure), good}, 1, "udp MX/udp MX"},
		{"refuses", []handle{code(dns.RcodeRefused), good}, 1, "udp MX/udp MX"},
		{"silent", []handle{silent, good}, 1, "udp MX/udp MX"},
		{"other question", []handle{otherQuestion, good}, 1, "udp MX/udp MX"},
		{"other query", []handle{otherID, good}, 1, "udp MX/udp MX"},
		{"referral", []handle{referral, good}, 1, "udp MX/udp MX"},
		{"other names", []handle{strange}, 0, "udp MX"},
		{"aliases", []handle{aliases(mostAliases - 1)}, 1, "udp MX"},
		{"too many aliases", []handle{aliases(mostAliases)}, -1, "udp MX,udp MX"},
		{"alias of itself", []handle{loop, good}, 1, "udp MX/udp MX"},
		{"all fail", []handle{silent, code(dns.RcodeServerFailure)}, -1, "udp MX,udp MX/udp MX,udp MX"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var servers []*dnsServer
			for _, h := range tt.handles {
				servers = append(servers, &dnsServer{handle: h})
			}
			mx, err := startDNS(t, servers...).MX(context.Background(), "x.example")
			if tt.want < 0 != (err != nil) || errors.Is(err, ErrNoHost) || tt.want >= 0 && len(mx) != tt.want {
				t.Errorf("%d records, %v, want %d", len(mx), err, tt.want)
			}
			var asked []string
			for _, s := range servers {
				s.mu.Lock()
				asked = append(asked, strings.Join(s.asked, ","))
				s.mu.Unlock()
			}
			if got := strings.Join(asked, "/"); got != tt.asked {
				t.Errorf("asked %s, want %s", got, tt.asked)
			}
			for _, x := range mx {
				if x.Host == "evil.example." {
					t.Error("took the answer to another question")
				}
			}
		})
	}
}

func TestDNSCancelled(t *testing.T) {
	d := startDNS(t, &dnsServer{handle: func(*dns.Msg, string) *dns.Msg { return nil }})
	d.conf.timeout = time.Hour
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := d.MX(ctx, "x.example"); err == nil {
		t.Error("a lookup that was given up has no error")
	}
}

func TestResolvConf(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name, text string
		servers    string
		timeout    time.Duration
		attempts   int
	}{
		{"usual", "# x\nsearch example.org\nnameserver 192.0.2.53\nnameserver 2001:db8::53\noptions edns0 timeout:3 attempts:1\n",
			"192.0.2.53:53 [2001:db8::53]:53", 3 * time.Second, 1},
		{"empty", "", "127.0.0.1:53", 5 * time.Second, 2},
		{"too much", "nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4\noptions timeout:9999 attempts:9999\n",
			"1.1.1.1:53 1.1.1.2:53 1.1.1.3:53", 10 * time.Second, 4},
		{"nonsense", "options timeout:x attempts:-1\n", "127.0.0.1:53", time.Second, 1},
	}
	for _, tt := range tests {
		path := filepath.Join(dir, tt.name)
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		d := NewDNS(path).conf
		if got := strings.Join(d.servers, " "); got != tt.servers || d.timeout != tt.timeout || d.attempts != tt.attempts {
			t.Errorf("%s: servers %s, timeout %v, attempts %d", tt.name, got, d.timeout, d.attempts)
		}
	}
	if d := NewDNS(filepath.Join(dir, "missing")).conf; len(d.servers) != 1 || d.servers[0] != "127.0.0.1:53" {
		t.Errorf("without the file, servers are %v", d.servers)
	}
	if _, err := NewDNS(dir).MX(context.Background(), "x.example"); err == nil || errors.Is(err, ErrNoHost) {
		t.Errorf("with a folder in its place, the error is %v, want another", err)
	}
}

// TestResolvConfChanges: a resolv.conf that changes counts from then on, in place or
// by another file, but not one that is gone or broken.
func TestResolvConfChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	d := NewDNS(path)
	when := time.Unix(1000000000, 0)
	steps := []struct{ name, text, want string }{
		{"none yet", "", "127.0.0.1:53"},
		{"made", "nameserver 192.0.2.1\n", "192.0.2.1:53"},
		{"the same", "nameserver 192.0.2.1\n", "192.0.2.1:53"},
		{"written to", "nameserver 192.0.2.2\n", "192.0.2.2:53"},
		{"gone", "", "192.0.2.2:53"},
		{"back", "nameserver 192.0.2.3\n", "192.0.2.3:53"},
	}
	for _, step := range steps {
		when = when.Add(time.Minute)
		var err error
		if step.text == "" {
			os.Remove(path)
		} else if err = os.WriteFile(path, []byte(step.text), 0o600); err == nil {
			err = os.Chtimes(path, when, when)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(d.current().servers, " "); got != step.want {
			t.Errorf("%s: servers %s, want %s", step.name, got, step.want)
		}
	}
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	if c := d.current(); c.err != nil || len(c.servers) != 1 {
		t.Errorf("with a folder in its place, servers are %v, %v", c.servers, c.err)
	}
}

// FuzzDNS has a server answer anything, in a packet or over TCP: it is no answer,
// or what is taken from it was asked for. Nothing breaks, and no address is
// without its bytes.
func FuzzDNS(f *testing.F) {
	query := new(dns.Msg).SetQuestion("x.example.", dns.TypeMX)
	for _, records := range [][]string{
		{"x.example. 1 IN MX 10 a.example."}, {"x.example. 1 IN CNAME y.example.", "y.example. 1 IN MX 0 ."}, {"x.example. 1 IN CNAME x.example."}, nil,
	} {
		packed, err := respond(query, records...).Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	for _, name := range []string{"A", "AAAA"} {
		question := new(dns.Msg).SetQuestion("x.example.", dns.StringToType[name])
		packed, err := respond(question, "x.example. 1 IN A 192.0.2.1", "x.example. 1 IN AAAA 2001:db8::1").Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		reply := new(dns.Msg)
		if reply.Unpack(packed) != nil {
			return
		}
		for _, qtype := range []uint16{dns.TypeMX, dns.TypeA, dns.TypeAAAA} {
			records, err := verdictIn(reply, dns.Question{Name: "x.example.", Qtype: qtype, Qclass: dns.ClassINET})
			if err != nil && len(records) > 0 {
				t.Errorf("records and an error: %v", err)
			}
			for _, rr := range records {
				if rr.Header().Rrtype != qtype {
					t.Errorf("%v in answer to another question", rr)
				}
				if addr, ok := addressIn(rr); ok != addr.IsValid() {
					t.Errorf("%v has the address %v", rr, addr)
				}
			}
		}
	})
}
