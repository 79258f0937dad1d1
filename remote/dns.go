package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// DNS is a [Resolver] that asks the servers of a resolv.conf(5). Those must be
// full resolvers; of the file's search list and of /etc/hosts nothing is used,
// as mail knows only full names. The file is read again when it has changed.
type DNS struct {
	path string // empty if there is nothing to be read

	mu   sync.Mutex
	seen fs.FileInfo // of the file that conf is from; nil if there was none
	conf resolvConf
}

// resolvConf is what a resolv.conf says.
type resolvConf struct {
	servers  []string // host:port
	timeout  time.Duration
	attempts int
	err      error // why there are no servers to ask
}

// Bounds on what resolv.conf can ask for; with them one lookup takes two minutes
// at worst, twice that if servers do not know EDNS0.
const (
	mostServers  = 3
	mostTimeout  = 10 * time.Second
	mostAttempts = 4
)

// udpSize is the size of answers over UDP that is asked for: large enough for
// most, small enough not to come in fragments (RFC 9715).
const udpSize = 1232

// NewDNS reads resolv.conf. Without the file, a server on this host is asked; if
// it cannot be read, every lookup fails, which is early enough for mail that
// needs none.
func NewDNS(path string) *DNS {
	d := &DNS{path: path}
	d.seen, _ = os.Stat(path)
	d.conf = readResolvConf(path)
	return d
}

// current returns what resolv.conf says now, or what it said last if it cannot be
// read any more.
func (d *DNS) current() resolvConf {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.path == "" {
		return d.conf
	}
	now, err := os.Stat(d.path)
	if err != nil || d.seen != nil && os.SameFile(now, d.seen) && now.ModTime().Equal(d.seen.ModTime()) && now.Size() == d.seen.Size() {
		return d.conf
	}
	if conf := readResolvConf(d.path); conf.err == nil || d.conf.err != nil {
		d.conf = conf
	}
	d.seen = now
	return d.conf
}

func readResolvConf(path string) resolvConf {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return within(&dns.ClientConfig{Port: "53", Timeout: 5, Attempts: 2})
	}
	if err != nil {
		return resolvConf{err: err}
	}
	defer file.Close()
	config, err := dns.ClientConfigFromReader(file)
	if err != nil {
		return resolvConf{err: fmt.Errorf("read %s: %w", path, err)}
	}
	return within(config)
}

// within keeps a resolv.conf within bounds.
func within(config *dns.ClientConfig) resolvConf {
	c := resolvConf{
		timeout:  min(time.Duration(config.Timeout)*time.Second, mostTimeout),
		attempts: min(config.Attempts, mostAttempts),
	}
	for _, server := range config.Servers[:min(len(config.Servers), mostServers)] {
		c.servers = append(c.servers, net.JoinHostPort(server, config.Port))
	}
	if len(c.servers) == 0 {
		c.servers = []string{net.JoinHostPort("127.0.0.1", config.Port)}
	}
	return c
}

// MX returns the mail exchangers of a host.
func (d *DNS) MX(ctx context.Context, host string) ([]Exchanger, error) {
	answer, err := d.ask(ctx, host, dns.TypeMX)
	if err != nil {
		return nil, err
	}
	var all []Exchanger
	for _, rr := range answer {
		if mx, ok := rr.(*dns.MX); ok {
			all = append(all, Exchanger{Host: mx.Mx, Pref: mx.Preference})
		}
	}
	return all, nil
}

// Addrs returns the addresses of a host, those of IPv4 first: every mail host
// can be reached by them, and many hosts have IPv6 only by name.
func (d *DNS) Addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	types := []uint16{dns.TypeA, dns.TypeAAAA}
	answers := make([][]dns.RR, len(types))
	errs := make([]error, len(types))
	var wg sync.WaitGroup
	for i, qtype := range types {
		wg.Go(func() { answers[i], errs[i] = d.ask(ctx, host, qtype) })
	}
	wg.Wait()
	var all []netip.Addr
	for _, answer := range answers {
		for _, rr := range answer {
			if addr, ok := addressIn(rr); ok {
				all = append(all, addr)
			}
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	for _, err := range errs {
		if err != nil && !errors.Is(err, ErrNoHost) {
			return nil, err
		}
	}
	return nil, errors.Join(errs...)
}

func addressIn(rr dns.RR) (netip.Addr, bool) {
	switch rr := rr.(type) {
	case *dns.A:
		return netip.AddrFromSlice(rr.A.To4())
	case *dns.AAAA:
		return netip.AddrFromSlice(rr.AAAA.To16())
	}
	return netip.Addr{}, false
}

// ask returns the answer to one question. A server that fails, refuses or says
// nothing gives way to the next one.
func (d *DNS) ask(ctx context.Context, host string, qtype uint16) ([]dns.RR, error) {
	conf := d.current()
	if conf.err != nil {
		return nil, conf.err
	}
	if !isName(host) {
		return nil, fmt.Errorf("look up %q: %w", host, ErrNoHost)
	}
	query := new(dns.Msg).SetQuestion(dns.Fqdn(host), qtype)
	query.SetEdns0(udpSize, false)
	err := errors.New("no server")
	for range conf.attempts {
		for _, server := range conf.servers {
			var reply *dns.Msg
			if reply, err = askOne(ctx, server, query, conf.timeout); err != nil {
				continue
			}
			var answer []dns.RR
			if answer, err = verdictIn(reply, query.Question[0]); err == nil || errors.Is(err, ErrNoHost) {
				return answer, wrap(host, err)
			}
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, wrap(host, err)
}

func wrap(host string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("look up %s: %w", host, err)
}

// verdictIn returns the records that a reply has in answer to a question. Errors
// other than ErrNoHost are the server's.
func verdictIn(reply *dns.Msg, question dns.Question) ([]dns.RR, error) {
	switch {
	case reply.Rcode == dns.RcodeNameError:
		return nil, ErrNoHost
	case reply.Rcode != dns.RcodeSuccess:
		return nil, fmt.Errorf("the server says %s", dns.RcodeToString[reply.Rcode])
	case len(reply.Answer) == 0 && !reply.RecursionAvailable && !reply.Authoritative:
		return nil, errors.New("the server is no resolver") // it knows whom else to ask
	}
	found, err := follow(reply.Answer, question)
	if err == nil && len(found) == 0 && reply.Truncated {
		return nil, errors.New("the answer is too long, even for TCP")
	}
	return found, err
}

// mostAliases is how many CNAME records may lead to an answer.
const mostAliases = 16

// follow returns the records of the type and name in question, or of the name that
// this one is an alias of. Others, which nobody asked for, do not count.
func follow(records []dns.RR, question dns.Question) ([]dns.RR, error) {
	name := question.Name
	for range mostAliases {
		var found []dns.RR
		alias := ""
		for _, rr := range records {
			h := rr.Header()
			if h.Class != dns.ClassINET || !strings.EqualFold(h.Name, name) {
				continue
			}
			if cname, ok := rr.(*dns.CNAME); ok {
				alias = cname.Target
			}
			if h.Rrtype == question.Qtype {
				found = append(found, rr)
			}
		}
		if len(found) > 0 || alias == "" {
			return found, nil
		}
		name = alias
	}
	return nil, errors.New("too many aliases")
}

// askOne asks one server: over UDP, without EDNS0 if the server does not know
// it, and over TCP if the answer is too long.
func askOne(ctx context.Context, server string, query *dns.Msg, timeout time.Duration) (*dns.Msg, error) {
	reply, err := once(ctx, "udp", server, query, timeout)
	if err == nil && (reply.Rcode == dns.RcodeFormatError || reply.Rcode == dns.RcodeNotImplemented) {
		plain := query.Copy()
		plain.Extra = nil
		query = plain
		reply, err = once(ctx, "udp", server, query, timeout)
	}
	if reply != nil && reply.Truncated {
		reply, err = once(ctx, "tcp", server, query, timeout)
	}
	return reply, err
}

// once sends one query. A reply to another question is an error.
func once(ctx context.Context, network, server string, query *dns.Msg, timeout time.Duration) (*dns.Msg, error) {
	query = query.Copy()
	query.Id = dns.Id()
	client := &dns.Client{Net: network, Timeout: timeout}
	reply, _, err := client.ExchangeContext(ctx, query, server)
	if reply != nil && reply.Truncated && network == "udp" && reply.Id == query.Id {
		return reply, nil // what could be read of it does not matter
	}
	if err != nil {
		return nil, err
	}
	if !reply.Response || len(reply.Question) != 1 || !sameQuestion(reply.Question[0], query.Question[0]) {
		return nil, errors.New("reply to another question")
	}
	return reply, nil
}

func sameQuestion(a, b dns.Question) bool {
	return a.Qtype == b.Qtype && a.Qclass == b.Qclass && strings.EqualFold(a.Name, b.Name)
}

// isName reports whether host can be a name in the DNS, RFC 1035 section 2.3.4,
// that means itself when written out. Envelope addresses hold any bytes.
func isName(host string) bool {
	host = strings.TrimSuffix(host, ".")
	if len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range []byte(label) {
			if c <= ' ' || c > '~' || strings.IndexByte(`\"();@$`, c) >= 0 {
				return false
			}
		}
	}
	return true
}
