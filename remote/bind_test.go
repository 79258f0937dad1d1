package remote

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// bindings reads control files with these contents.
func bindings(t *testing.T, files map[string]string) (*Settings, error) {
	t.Helper()
	dir := t.TempDir()
	files["me"] = "me.test.example"
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return ReadSettings(dir)
}

func TestBindings(t *testing.T) {
	s, err := bindings(t, map[string]string{
		"outgoingip": "192.0.2.1\n192.0.2.2\n2001:db8::1\n",
		"domainbindings": "example.org:192.0.2.10\n.example.org:192.0.2.11\nList@Example.ORG:192.0.2.12\n" +
			"free.example:\nzero.example:0.0.0.0\nboth.example:192.0.2.13\nboth.example:2001:db8::13\nno colon\n",
		"domainips":  "named.example:192.0.2.20|mail.named.example\nlocal.example:fe80::1%eth0\n",
		"bindroutes": "10.:192.0.2.30\n10.1.:192.0.2.31\n10.1.2.3:192.0.2.32\n[2001:db8:9::/48]:2001:db8::30\n172.16.0.0/12:\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, sender, to, want string }{
		{"null sender", "", "203.0.113.9", "[192.0.2.1 192.0.2.2]"},
		{"no host", "x", "203.0.113.9", "[192.0.2.1 192.0.2.2]"},
		{"IPv6", "", "2001:db8:1::1", "[2001:db8::1]"},
		{"sender's host", "a@example.org", "203.0.113.9", "[192.0.2.10]"},
		{"upper case", "A@EXAMPLE.ORG", "203.0.113.9", "[192.0.2.10]"},
		{"below", "a@x.y.example.org", "203.0.113.9", "[192.0.2.11]"},
		{"address", "list@example.org", "203.0.113.9", "[192.0.2.12]"},
		{"at in the local part", "a@example.org@other.example", "203.0.113.9", "[192.0.2.1 192.0.2.2]"},
		{"free", "a@free.example", "203.0.113.9", "[]"},
		{"zero", "a@zero.example", "203.0.113.9", "[]"},
		{"other family", "a@example.org", "2001:db8:1::1", "[]"},
		{"both families", "a@both.example", "2001:db8:1::1", "[2001:db8::13]"},
		{"name", "a@named.example", "203.0.113.9", "[192.0.2.20]mail.named.example"},
		{"link-local", "a@local.example", "fe80::2", "[fe80::1%eth0]"},
		{"route", "a@named.example", "10.9.9.9", "[192.0.2.30]mail.named.example"},
		{"longer route", "", "10.1.9.9", "[192.0.2.31]"},
		{"longest route", "", "10.1.2.3", "[192.0.2.32]"},
		{"IPv6 route", "", "2001:db8:9::9", "[2001:db8::30]"},
		{"empty route", "", "172.17.0.1", "[invalid IP]"},
	}
	for _, tt := range tests {
		from, helo := s.Bindings.find(tt.sender, netip.MustParseAddr(tt.to))
		if got := fmt.Sprint(from) + helo; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestBindingsDefaults(t *testing.T) {
	s, err := bindings(t, map[string]string{
		"outgoingip": "192.0.2.1", "domainips": "*:192.0.2.2|all.example\n", "bindroutes": ":2001:db8::3\n[2001:db8::/32]:\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]string{
		"203.0.113.9": "[192.0.2.2]all.example", "2001:db9::9": "[2001:db8::3]all.example", "2001:db8::9": "[invalid IP]all.example",
	} {
		if from, helo := s.Bindings.find("a@example.org", netip.MustParseAddr(to)); fmt.Sprint(from)+helo != want {
			t.Errorf("%s: %v%s, want %s", to, from, helo, want)
		}
	}
}

func TestBindingsInvalid(t *testing.T) {
	for _, files := range []map[string]string{
		{"outgoingip": "301.32.1.1"}, {"outgoingip": "192.0.2.1 "}, {"outgoingip": "eth0"},
		{"domainbindings": "example.org:mail.example.org"}, {"domainips": "example.org:|x\nx:y"},
		{"bindroutes": "10.:x"}, {"bindroutes": "10.0:192.0.2.1"}, {"bindroutes": "example.org:192.0.2.1"},
		{"bindroutes": "10.:2001:db8::1"}, {"bindroutes": "1.2.3.4.5.:192.0.2.1"},
	} {
		s, err := bindings(t, files)
		if text := files["outgoingip"]; text == "192.0.2.1 " {
			if err != nil {
				t.Errorf("a blank at the end: %v", err)
			}
		} else if err == nil {
			t.Errorf("%v are taken: %+v", files, s.Bindings)
		}
	}
}

// TestBound: the address reaches Dial, the name EHLO, and an address that is not
// this host's is told.
func TestBound(t *testing.T) {
	s, err := bindings(t, map[string]string{"domainips": "test.example:192.0.2.200|bound.test.example"})
	if err != nil {
		t.Fatal(err)
	}
	play, heard := host()
	n := &network{t: t, hosts: map[string]handler{"192.0.2.1:25": play}}
	c := n.client(noDNS{t})
	var froms []netip.Addr
	c.Dial = func(ctx context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error) {
		froms = append(froms, from)
		return n.dial(ctx, from, to)
	}
	reports := send(t, c, s, literalMail("x\n"))
	n.wait()
	if fmt.Sprint(froms) != "[192.0.2.200]" || !strings.HasPrefix(heard.String(), "EHLO bound.test.example\r\n") {
		t.Errorf("connected from %v and said %q: %q", froms, heard, reports)
	}
	c.Dial = func(context.Context, netip.Addr, netip.AddrPort) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)}
	}
	if got, want := send(t, c, s, literalMail("x\n")), "ZCan't bind to local ip address: 192.0.2.200. (#4.3.0)\n|"; got != want {
		t.Errorf("reports %q, want %q", got, want)
	}
}

// TestDialFrom connects from one loopback address to another.
func TestDialFrom(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	to := netip.MustParseAddrPort(listener.Addr().String())
	conn, err := DialTCP(t.Context(), netip.MustParseAddr("127.0.0.9"), to)
	if err != nil {
		t.Skip("connect from 127.0.0.9: ", err)
	}
	defer conn.Close()
	if from := conn.LocalAddr().(*net.TCPAddr).IP.String(); from != "127.0.0.9" {
		t.Errorf("connected from %s", from)
	}
	if _, err := DialTCP(t.Context(), netip.MustParseAddr("192.0.2.1"), to); err == nil {
		t.Error("connected from an address that this host has not")
	}
}

// FuzzBindings: no line does harm, and what is bound to is of the right family.
func FuzzBindings(f *testing.F) {
	for _, seed := range []string{"10.:192.0.2.1", ":2001:db8::1", "[2001:db8::/32]:::1", "x@y:0.0.0.0|z", "*:127.0.0.1", "1.2.3.4/255.0.0.0:10.0.0.1"} {
		f.Add(seed, "a@b.example")
	}
	f.Fuzz(func(t *testing.T, line, sender string) {
		b := Bindings{senders: map[string]*binding{}}
		_ = b.addNetworks("x", []string{line})
		_ = b.addSenders("x", []string{line})
		_ = b.addOthers("x", []string{line})
		for _, to := range []string{"192.0.2.1", "2001:db8::1"} {
			addr := netip.MustParseAddr(to)
			from, _ := b.find(sender, addr)
			for _, a := range from {
				if a.IsValid() && (a.Is4() != addr.Is4() || a.IsUnspecified()) {
					t.Errorf("%q: %v for %s", line, from, to)
				}
			}
		}
	})
}
