package remote

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	trouble := errors.New("timeout")
	z := &zone{
		mx: map[string][]Exchanger{
			"two.example":     {{"b.example", 20}, {"a.example", 10}},
			"both.example":    {{"ab.example", 5}},
			"gone.example":    {{"none.example", 10}},
			"half.example":    {{"none.example", 10}, {"a.example", 20}},
			"soft.example":    {{"soft-a.example", 10}, {"none.example", 20}},
			"some.example":    {{"soft-a.example", 10}, {"a.example", 20}},
			"null.example":    {{".", 0}},
			"empty.example":   {{"", 0}},
			"notnull.example": {{".", 0}, {"a.example", 10}},
			"literal.example": {{"192.0.2.77", 10}},
			"self.example":    {{"me.example", 10}, {"a.example", 20}},
			"second.example":  {{"a.example", 10}, {"me.example", 20}, {"b.example", 20}, {"c.example", 30}},
			"local.example":   {{"localhost.example", 10}},
			"zero.example":    {{"zero.example", 10}},
			"mapped.example":  {{"mapped.example", 10}},
		},
		addrs: map[string][]string{
			"a.example":         {"192.0.2.1"},
			"b.example":         {"192.0.2.2"},
			"c.example":         {"192.0.2.3"},
			"ab.example":        {"192.0.2.1", "192.0.2.2", "2001:db8::1"},
			"me.example":        {"203.0.113.1"},
			"localhost.example": {"127.0.0.2"},
			"zero.example":      {"0.0.0.0"},
			"mapped.example":    {"::ffff:203.0.113.1"},
			"nothing.example":   {},
		},
		errs: map[string]error{"soft-a.example": trouble, "MX soft-mx.example": trouble, "soft-both.example": trouble},
	}
	unknown := "DSorry, I couldn't find any host named "
	tests := []struct {
		host string
		want string // addresses, or the report
	}{
		{"two.example", "192.0.2.1:25 192.0.2.2:25"},
		{"both.example", "192.0.2.1:25 192.0.2.2:25 [2001:db8::1]:25"},
		{"a.example", "192.0.2.1:25"},
		{"gone.example", "DSorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n"},
		{"half.example", "192.0.2.1:25"},
		{"soft.example", "ZSorry, I couldn't find any host by that name. (#4.1.2)\n"},
		{"some.example", "192.0.2.1:25"},
		{"soft-mx.example", "ZSorry, I couldn't find any host by that name. (#4.1.2)\n"},
		{"soft-both.example", "ZSorry, I couldn't find any host by that name. (#4.1.2)\n"},
		{"none.example", unknown + "none.example. (#5.1.2)\n"},
		{"nothing.example", unknown + "nothing.example. (#5.1.2)\n"},
		{"odd \xe4\nhost", unknown + "odd???host. (#5.1.2)\n"},
		{"null.example", "DSorry, that host does not accept mail. (#5.1.10)\n"},
		{"empty.example", "DSorry, that host does not accept mail. (#5.1.10)\n"},
		{"notnull.example", "192.0.2.1:25"},
		{"literal.example", "192.0.2.77:25"},
		{"self.example", verdictOf(errOwnAddress).report()},
		{"second.example", "192.0.2.1:25"},
		{"local.example", verdictOf(errOwnAddress).report()},
		{"zero.example", verdictOf(errOwnAddress).report()},
		{"mapped.example", verdictOf(errOwnAddress).report()},
		{"192.0.2.9", "192.0.2.9:25"},
		{"[192.0.2.9]", "192.0.2.9:25"},
		{"[IPv6:2001:db8::9]", "[2001:db8::9]:25"},
		{"[ipv6:2001:DB8:0::9]", "[2001:db8::9]:25"},
		{"[2001:db8::9]", "[2001:db8::9]:25"},
		{"[IPv6:::ffff:192.0.2.9]", "192.0.2.9:25"},
		{"[203.0.113.1]", verdictOf(errOwnAddress).report()},
		{"[IPv6:::1]", verdictOf(errOwnAddress).report()},
		{"::", verdictOf(errOwnAddress).report()},
		{"[192.0.2.999]", unknown + "[192.0.2.999]. (#5.1.2)\n"},
		{"[fe80::1%eth0]", unknown + "[fe80::1%eth0]. (#5.1.2)\n"},
		{"[]", unknown + "[]. (#5.1.2)\n"},
		{"routed.example", "192.0.2.1:26 192.0.2.2:26 [2001:db8::1]:26"},
		{"own.example", "203.0.113.1:25"},
		{"bad.example", "ZUnable to read control files. (#4.3.0)\n"},
		{"norelay.example", "ZSorry, I couldn't find any host by that name. (#4.1.2)\n"},
		{"direct.example", unknown + "direct.example. (#5.1.2)\n"},
	}
	routes := ParseRoutes([]string{"routed.example:ab.example:26", "own.example:me.example", "bad.example:x:y", "norelay.example:none.example", "direct.example:"})
	c := (&network{t: t}).client(z)
	for _, tt := range tests {
		got, err := c.targets(context.Background(), &Settings{Routes: routes}, "", tt.host)
		if text := show(got, err); text != tt.want {
			t.Errorf("%s: %q, want %q", tt.host, text, tt.want)
		}
	}
}

// show returns the targets, or the report on why there are none.
func show(targets []target, err error) string {
	if err != nil {
		return verdictOf(err).report()
	}
	var all []string
	for _, to := range targets {
		all = append(all, to.addr.String())
	}
	return strings.Join(all, " ")
}

func (v verdict) report() string { return string(v.letter) + v.text }

func TestOwnUnknown(t *testing.T) {
	c := (&network{t: t}).client(noDNS{t})
	c.Own = func() ([]netip.Addr, error) { return nil, errors.New("no sockets") }
	_, err := c.targets(context.Background(), settings(), "", "192.0.2.1")
	if got := verdictOf(err).report(); got != "ZSystem resources temporarily unavailable. (#4.3.0)\n" {
		t.Errorf("report %q", got)
	}
}

// TestShuffle wants equals in every order, and nobody before its better.
func TestShuffle(t *testing.T) {
	z := &zone{mx: map[string][]Exchanger{}, addrs: map[string][]string{}}
	for i, pref := range []uint16{20, 10, 10, 10, 30} {
		name := fmt.Sprintf("mx%d", i)
		z.mx["x.example"] = append(z.mx["x.example"], Exchanger{name, pref})
		z.addrs[name] = []string{fmt.Sprintf("192.0.2.%d", i)}
	}
	c := (&network{t: t}).client(z)
	c.Shuffle = nil
	orders := map[string]bool{}
	for range 1000 {
		got, err := c.targets(context.Background(), settings(), "", "x.example")
		if err != nil || len(got) != 5 || got[3].addr.Addr().String() != "192.0.2.0" || got[4].addr.Addr().String() != "192.0.2.4" {
			t.Fatalf("addresses are %v, %v", got, err)
		}
		orders[fmt.Sprint(got[:3])] = true
	}
	if len(orders) != 6 {
		t.Errorf("%d orders of three equals, want 6", len(orders))
	}
}

// TestManyExchangers is a domain that wants to keep this host busy.
func TestManyExchangers(t *testing.T) {
	z := &zone{mx: map[string][]Exchanger{}, addrs: map[string][]string{}}
	for i := range 1000 {
		name := fmt.Sprintf("mx%d", i)
		z.mx["x.example"] = append(z.mx["x.example"], Exchanger{name, uint16(1000 - i)})
		for j := range 100 {
			z.addrs[name] = append(z.addrs[name], fmt.Sprintf("192.%d.%d.%d", i/256, i%256, j))
		}
	}
	got, err := (&network{t: t}).client(z).targets(context.Background(), settings(), "", "x.example")
	if err != nil || len(got) != mostAddresses || got[0].addr.Addr().String() != "192.3.231.0" {
		t.Errorf("%d addresses, %v, want %d of the best", len(got), err, mostAddresses)
	}
}
