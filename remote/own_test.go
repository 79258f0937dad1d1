package remote

import (
	"net/netip"
	"testing"
)

func prefixes(t *testing.T, lines ...string) []netip.Prefix {
	t.Helper()
	all, err := parseNetworks("test", lines)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestOwn(t *testing.T) {
	interfaces := []netip.Addr{netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("2001:db8::1")}
	usual := OwnRules{}
	more := OwnRules{More: prefixes(t, "192.0.2.1", "198.51.100.7/255.255.255.0", "2001:db8:1::/48", "10.0.0.0/8")}
	less := OwnRules{Less: prefixes(t, "203.0.113.1", "127.0.0.2", "2001:db8::/32")}
	both := OwnRules{
		More: prefixes(t, "192.0.2.1", "198.51.100.0/24"),
		Less: prefixes(t, "192.0.2.0/24", "198.51.100.0/24", "127.0.0.0/8", "0.0.0.0"),
	}
	tests := []struct {
		name  string
		rules OwnRules
		addr  string
		want  bool
	}{
		{"interface", usual, "203.0.113.1", true},
		{"interface, IPv6", usual, "2001:db8::1", true},
		{"interface, mapped", usual, "::ffff:203.0.113.1", true},
		{"loopback", usual, "127.1.2.3", true},
		{"loopback, IPv6", usual, "::1", true},
		{"unspecified", usual, "0.0.0.0", true},
		{"unspecified, IPv6", usual, "::", true},
		{"stranger", usual, "192.0.2.1", false},
		{"more", more, "192.0.2.1", true},
		{"more, mapped", more, "::ffff:192.0.2.1", true},
		{"more, network by mask", more, "198.51.100.200", true},
		{"more, network by bits", more, "10.1.2.3", true},
		{"more, IPv6 network", more, "2001:db8:1:2::3", true},
		{"not more", more, "198.51.101.1", false},
		{"notipme, interface", less, "203.0.113.1", false},
		{"notipme, one of the implicit ones", less, "127.0.0.2", false},
		{"notipme, another of them", less, "127.0.0.3", true},
		{"notipme, network above interface", less, "2001:db8::1", true},
		{"more beats larger notipme", both, "192.0.2.1", true},
		{"notipme beats equal more", both, "198.51.100.1", false},
		{"notipme beats equal implicit", both, "127.0.0.1", false},
		{"notipme, unspecified", both, "0.0.0.0", false},
	}
	for _, tt := range tests {
		if got := tt.rules.own(netip.MustParseAddr(tt.addr), interfaces); got != tt.want {
			t.Errorf("%s: %s is own: %v, want %v", tt.name, tt.addr, got, tt.want)
		}
	}
}

func TestParseNetworkInvalid(t *testing.T) {
	for _, line := range []string{"", "x", "192.0.2", "192.0.2.1/", "192.0.2.1/x", "192.0.2.1/33", "192.0.2.1/255.0.255.0",
		"2001:db8::/129", "2001:db8::/255.0.0.0", "fe80::1%eth0", "/8", "192.0.2.1:25"} {
		if _, err := parseNetworks("moreipme", []string{line}); err == nil {
			t.Errorf("%q is taken for a network", line)
		}
	}
}

// TestMoreIPMe: what moreipme has is not delivered to, and what notipme has is,
// but for routes, which say what the administrator wants.
func TestMoreIPMe(t *testing.T) {
	z := &zone{
		mx: map[string][]Exchanger{
			"nat.example":  {{"nat-a.example", 10}, {"a.example", 20}},
			"vm.example":   {{"me.example", 10}},
			"back.example": {{"a.example", 10}, {"nat-a.example", 20}, {"b.example", 20}},
		},
		addrs: map[string][]string{
			"nat-a.example": {"192.0.2.1", "192.0.2.2"}, "a.example": {"192.0.2.100"}, "b.example": {"192.0.2.101"}, "me.example": {"203.0.113.1"},
		},
	}
	s := settings()
	s.Own = OwnRules{More: prefixes(t, "192.0.2.2"), Less: prefixes(t, "203.0.113.1")}
	s.Routes = ParseRoutes([]string{"routed.example:192.0.2.2"})
	c := (&network{t: t}).client(z)
	for host, want := range map[string]string{
		"nat.example":    verdictOf(errOwnAddress).report(),
		"vm.example":     "203.0.113.1:25",
		"back.example":   "192.0.2.100:25",
		"[192.0.2.2]":    verdictOf(errOwnAddress).report(),
		"routed.example": "192.0.2.2:25",
	} {
		targets, err := c.targets(t.Context(), s, "", host)
		if got := show(targets, err); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}

// A network that is understood is one, and is understood the same when it is written
// as it usually is.
func FuzzNetwork(f *testing.F) {
	for _, line := range []string{"192.0.2.1", "198.51.100.7/255.255.255.0", "2001:db8:1::/48", "::ffff:10.0.0.1/8", "10.0.0.0/33", "1.2.3.4/0.255.0.255"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		p, ok := parseNetwork(line)
		if !ok {
			return
		}
		if again, ok := parseNetwork(p.String()); !p.IsValid() || !ok || again != p {
			t.Errorf("%q is %v, and that is %v", line, p, again)
		}
	})
}
