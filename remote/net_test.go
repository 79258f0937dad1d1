package remote

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/tcpto"
)

// peer is the server's side of a connection.
type peer struct {
	net.Conn
	in *bufio.Reader
}

func newPeer(conn net.Conn) *peer { return &peer{conn, bufio.NewReader(conn)} }

func (p *peer) say(text string) { io.WriteString(p, text) }

// hear reads a line; an empty one at the end.
func (p *peer) hear() string {
	line, _ := p.in.ReadString('\n')
	return line
}

// handler plays a host.
type handler func(p *peer)

// network is what a client of a test can reach: hosts by address. A host that is
// nil does not answer in time; one that is not there refuses the connection.
type network struct {
	t     *testing.T
	hosts map[string]handler

	mu     sync.Mutex
	dialed []string
	served sync.WaitGroup
}

// wait returns when all hosts are done with their connections.
func (n *network) wait() { n.served.Wait() }

// waitingDialer waits for its context to end.
func waitingDialer(ctx context.Context, _ netip.Addr, _ netip.AddrPort) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// dial connects to a host of the network over TCP on the loopback interface.
func (n *network) dial(ctx context.Context, _ netip.Addr, to netip.AddrPort) (net.Conn, error) {
	n.mu.Lock()
	n.dialed = append(n.dialed, to.String())
	n.mu.Unlock()
	h, ok := n.hosts[to.String()]
	if !ok {
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	if h == nil {
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ETIMEDOUT)}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		n.t.Fatal(err)
	}
	n.served.Go(func() {
		defer listener.Close()
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		h(newPeer(conn))
	})
	return net.Dial("tcp", listener.Addr().String())
}

// zone is a DNS for tests. Names with an error in errs fail so.
type zone struct {
	mx    map[string][]Exchanger
	addrs map[string][]string
	errs  map[string]error
}

func (z *zone) MX(_ context.Context, host string) ([]Exchanger, error) {
	if err := z.errs["MX "+host]; err != nil {
		return nil, err
	}
	if mx, ok := z.mx[host]; ok {
		return mx, nil
	}
	if _, ok := z.addrs[host]; ok {
		return nil, nil
	}
	return nil, fmt.Errorf("%s: %w", host, ErrNoHost)
}

func (z *zone) Addrs(_ context.Context, host string) ([]netip.Addr, error) {
	if err := z.errs[host]; err != nil {
		return nil, err
	}
	texts, ok := z.addrs[host]
	if !ok {
		return nil, fmt.Errorf("%s: %w", host, ErrNoHost)
	}
	var all []netip.Addr
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all, nil
}

// noDNS fails a test that asks it.
type noDNS struct{ t *testing.T }

func (d noDNS) MX(_ context.Context, host string) ([]Exchanger, error) {
	d.t.Errorf("looked up MX of %s", host)
	return nil, ErrNoHost
}

func (d noDNS) Addrs(_ context.Context, host string) ([]netip.Addr, error) {
	d.t.Errorf("looked up %s", host)
	return nil, ErrNoHost
}

var testTime = time.Unix(1000000000, 0)

// client returns a client in a network, with an empty table of timeouts, on a
// host that has the address 203.0.113.1.
func (n *network) client(resolver Resolver) *Client {
	n.t.Helper()
	path := filepath.Join(n.t.TempDir(), "tcpto")
	if err := os.WriteFile(path, make([]byte, 1024), 0o600); err != nil {
		n.t.Fatal(err)
	}
	return &Client{
		Dial:     n.dial,
		Resolver: resolver,
		Timeouts: tcpto.File{Path: path},
		Own:      func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("203.0.113.1")}, nil },
		Now:      func() time.Time { return testTime },
		Shuffle:  func(int, func(i, j int)) {},
	}
}

func settings() *Settings {
	return &Settings{Helo: "me.test.example", Timeout: 20 * time.Second, ConnectTimeout: 20 * time.Second}
}

// send sends a message and returns the reports, | for each zero byte.
func send(t *testing.T, c *Client, s *Settings, m *Mail) string {
	t.Helper()
	var out bytes.Buffer
	if err := c.Send(context.Background(), s, m, &out); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(out.String(), "\x00", "|")
}

// literalMail is a message to one recipient at an address, which needs no DNS.
func literalMail(text string) *Mail {
	return &Mail{
		Host:       "[192.0.2.1]",
		Sender:     "a@test.example",
		Recipients: []string{"b@example.org"},
		Message:    strings.NewReader(text),
	}
}

// script plays a host by its replies: to the greeting ("") and to commands by
// verb, in turn, the last one for good; "." answers the end of data. Commands not
// in it succeed; EHLO is not known unless it is there. A reply that ends in
// {close} closes the connection, after {stall} the host is silent. What it hears
// goes to heard when the connection ends.
type script struct {
	replies map[string][]string
	mu      *sync.Mutex
	heard   *strings.Builder
}

func (s script) play(p *peer) {
	var heard strings.Builder
	defer func() {
		s.mu.Lock()
		s.heard.WriteString(heard.String())
		s.mu.Unlock()
	}()
	usual := map[string]string{"": "220 x\r\n", "EHLO": "502 unknown\r\n", "DATA": "354 go\r\n"}
	turn := map[string]int{}
	say := func(verb string) bool {
		text, ok := usual[verb]
		if !ok {
			text = "250 ok\r\n"
		}
		if given := s.replies[verb]; len(given) > 0 {
			text = given[min(turn[verb], len(given)-1)]
			turn[verb]++
		}
		text, closing := strings.CutSuffix(text, "{close}")
		text, silent := strings.CutSuffix(text, "{stall}")
		p.say(text)
		if silent {
			io.Copy(io.Discard, p.in)
		}
		return !closing && !silent
	}
	for verb := ""; say(verb); {
		if verb == "DATA" && turn["DATA"] == 0 {
			for line := p.hear(); line != ""; line = p.hear() {
				heard.WriteString(line)
				if line == ".\r\n" {
					break
				}
			}
			verb = "."
			continue
		}
		line := p.hear()
		heard.WriteString(line)
		verb, _, _ = strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		if verb == "QUIT" || line == "" {
			return
		}
	}
}

// host returns a scripted host, from pairs of verb and reply, and what it hears.
func host(replies ...string) (handler, *strings.Builder) {
	s := script{map[string][]string{}, &sync.Mutex{}, &strings.Builder{}}
	for i := 0; i < len(replies); i += 2 {
		s.replies[replies[i]] = append(s.replies[replies[i]], replies[i+1])
	}
	return s.play, s.heard
}
