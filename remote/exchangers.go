package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// Bounds on what the DNS may make this host do for one message.
const (
	mostExchangers = 32
	mostAddresses  = 64
)

// target is where to connect.
type target struct {
	addr netip.AddrPort
	// name is that of the exchanger or relay as the DNS or the route has it; it
	// may be an address.
	name string
	from netip.Addr // the address of this host to connect from; zero for any
	helo string     // what to call this host there
	// route is the one that leads there; zero if none does.
	route Route
	pref  uint16 // of the exchanger; 0 if there is none
	qmtp  bool   // QMTP in place of SMTP
	// first is true if the same host comes next by SMTP, lest it be left alone
	// because it does not answer to QMTP.
	first bool
}

// targets returns where to connect for mail from a sender to a host, best first.
func (c *Client) targets(ctx context.Context, s *Settings, sender, host string) ([]target, error) {
	all, err := c.findTargets(ctx, s, sender, host)
	for i := range all {
		t := &all[i]
		froms, helo := s.Bindings.find(sender, t.addr.Addr())
		if len(froms) > 0 {
			froms = slices.Clone(froms)
			c.shuffle(len(froms), func(i, j int) { froms[i], froms[j] = froms[j], froms[i] })
			t.from = froms[0]
		}
		t.helo = cmp.Or(helo, s.Helo)
	}
	return all, err
}

// findTargets returns the targets for a host, without where to connect from.
func (c *Client) findTargets(ctx context.Context, s *Settings, sender, host string) ([]target, error) {
	route, qmtp, err := s.route(sender, host)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrControl, err)
	}
	if route.Relay != "" {
		return c.relay(ctx, route, qmtp)
	}
	host, _ = asciiHost(host)
	found, err := c.exchangers(ctx, host)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errNoAddress
	}
	if found, err = c.better(s.Own, found); err != nil {
		return nil, err
	}
	var all []target
	for _, f := range found[:min(len(found), mostAddresses)] {
		if speaksQMTP(f.pref) {
			all = append(all, target{addr: netip.AddrPortFrom(f.addr, qmtpPort), name: f.name, pref: f.pref, qmtp: true, first: true})
		}
		all = append(all, target{addr: netip.AddrPortFrom(f.addr, smtpPort), name: f.name, pref: f.pref})
	}
	return all, nil
}

// relay returns the targets of a route. They may be this host itself: that is
// how mail is handed to a filter that listens here.
func (c *Client) relay(ctx context.Context, route Route, qmtp bool) ([]target, error) {
	name, _ := asciiHost(route.Relay)
	addrs, err := c.lookup(ctx, name)
	if err != nil || len(addrs) == 0 {
		// That a relay's name does not exist is a mistake in smtproutes, or in the
		// DNS, and no reason to bounce the mail of others. (The original does.)
		return nil, errDNS
	}
	var all []target
	for _, addr := range addrs[:min(len(addrs), mostAddresses)] {
		all = append(all, target{addr: netip.AddrPortFrom(addr, route.Port), name: name, route: route, qmtp: qmtp})
	}
	return all, nil
}

// candidate is an address, with the exchanger that has it.
type candidate struct {
	addr netip.Addr
	name string
	pref uint16
}

// exchangers returns the addresses of a host's mail exchangers, sorted. They are
// none if the exchangers have no addresses; a host without exchangers is its
// own, RFC 5321 section 5.1.
func (c *Client) exchangers(ctx context.Context, host string) ([]candidate, error) {
	if addr, ok := literal(host); ok {
		return []candidate{{addr, host, 0}}, nil
	}
	mx, err := c.Resolver.MX(ctx, host)
	if err != nil && !errors.Is(err, ErrNoHost) {
		return nil, errDNS
	}
	if len(mx) == 0 {
		addrs, err := c.lookup(ctx, host)
		switch {
		case errors.Is(err, ErrNoHost) || err == nil && len(addrs) == 0:
			return nil, errUnknownHost(host)
		case err != nil:
			return nil, errDNS
		}
		return candidates(addrs, Exchanger{Host: host}), nil
	}
	if mx = withoutNull(mx); len(mx) == 0 {
		return nil, errNullMX
	}
	return c.lookupAll(ctx, c.sorted(mx))
}

// withoutNull drops a null MX, RFC 7505; if it is the only one, none are left.
func withoutNull(mx []Exchanger) []Exchanger {
	return slices.DeleteFunc(slices.Clone(mx), func(x Exchanger) bool {
		return strings.TrimRight(x.Host, ".") == ""
	})
}

// sorted returns exchangers by preference, in random order among equals.
func (c *Client) sorted(mx []Exchanger) []Exchanger {
	mx = slices.Clone(mx)
	c.shuffle(len(mx), func(i, j int) { mx[i], mx[j] = mx[j], mx[i] })
	slices.SortStableFunc(mx, func(a, b Exchanger) int { return cmp.Compare(a.Pref, b.Pref) })
	return mx[:min(len(mx), mostExchangers)]
}

// lookupAll returns the addresses of exchangers, in the same order. It fails
// only if there are none, but might be another time.
func (c *Client) lookupAll(ctx context.Context, mx []Exchanger) ([]candidate, error) {
	addrs := make([][]netip.Addr, len(mx))
	errs := make([]error, len(mx))
	var wg sync.WaitGroup
	for i, x := range mx {
		wg.Go(func() { addrs[i], errs[i] = c.lookup(ctx, x.Host) })
	}
	wg.Wait()
	var all []candidate
	var trouble error
	for i, x := range mx {
		all = append(all, candidates(addrs[i], x)...)
		if errs[i] != nil && !errors.Is(errs[i], ErrNoHost) {
			trouble = errDNS
		}
	}
	if len(all) == 0 {
		return nil, trouble
	}
	return all, nil
}

func candidates(addrs []netip.Addr, x Exchanger) []candidate {
	all := make([]candidate, len(addrs))
	for i, addr := range addrs {
		all[i] = candidate{addr, x.Host, x.Pref}
	}
	return all
}

// better leaves only what is better than this host. Mail for a host that this
// one is the best exchanger of would come back to it.
func (c *Client) better(rules OwnRules, found []candidate) ([]candidate, error) {
	interfaces, err := c.Own()
	if err != nil {
		return nil, fmt.Errorf("addresses of this host: %w", err)
	}
	best := 1 << 16
	for _, f := range found {
		if rules.own(f.addr, interfaces) {
			best = min(best, int(f.pref))
		}
	}
	found = slices.DeleteFunc(found, func(f candidate) bool { return int(f.pref) >= best })
	if len(found) == 0 {
		return nil, errOwnAddress
	}
	return found, nil
}

// lookup returns the addresses of a name or literal.
func (c *Client) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, ok := literal(host); ok {
		return []netip.Addr{addr}, nil
	}
	addrs, err := c.Resolver.Addrs(ctx, host)
	for i, addr := range addrs {
		addrs[i] = addr.Unmap()
	}
	return addrs, err
}

// literal reads an address, RFC 5321 section 4.1.3. Compat: it need not be in
// brackets.
func literal(host string) (netip.Addr, bool) {
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
		if tag := "IPv6:"; len(host) > len(tag) && strings.EqualFold(host[:len(tag)], tag) {
			host = host[len(tag):]
		}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}
