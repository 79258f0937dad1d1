package remote

import (
	"fmt"
	"net/netip"
	"strings"

	"goqmail/control"
)

// Bindings say from which of this host's addresses to connect, and what to call
// itself there. The first of these that says anything counts; an address of the
// other family than the one to connect to leaves the choice to the system, as do
// an empty one, 0.0.0.0 and ::.
//
// control/bindroutes goes by where to: lines network:address, where the network
// is the beginning of an IPv4 address that ends in a dot, or an address, or an
// address and a number of bits; an IPv6 one stands in brackets. The smallest
// network that fits counts, an empty one being all addresses.
//
//	10.:10.0.0.1
//	[2001:db8::/32]:2001:db8::25
//	:192.0.2.25
//
// control/domainbindings goes by the sender: lines key:address, where the key is
// an address or a host, .domain for all hosts below a domain, or empty for all.
// The longest that fits counts. control/domainips is the same with * in place of
// the empty key, and a name for this host may follow the address.
//
//	list@example.org:192.0.2.26
//	example.org:192.0.2.27|mail.example.org
//
// control/outgoingip is a list of addresses, for everything else. Of several one
// is taken at random.
type Bindings struct {
	networks []boundNetwork
	senders  map[string]*binding
	others   binding
}

// binding is where to connect from.
type binding struct {
	v4, v6 []netip.Addr
	helo   string // empty for the usual one
}

type boundNetwork struct {
	network netip.Prefix
	from    netip.Addr
}

func readBindings(files *control.Folder) (Bindings, error) {
	b := Bindings{senders: map[string]*binding{}}
	for name, add := range map[string]func(name string, lines []string) error{
		"bindroutes":     b.addNetworks,
		"domainbindings": b.addSenders,
		"domainips":      b.addSenders,
		"outgoingip":     b.addOthers,
	} {
		lines, _, err := files.List(name)
		if err == nil {
			err = add(name, lines)
		}
		if err != nil {
			return Bindings{}, err
		}
	}
	return b, nil
}

// find returns the addresses to connect to an address from, one of which is to be
// taken; without any, the system chooses.
func (b *Bindings) find(sender string, to netip.Addr) (from []netip.Addr, helo string) {
	best := b.others
	for _, key := range senderKeys(sender) {
		if found, ok := b.senders[key]; ok {
			best = *found
			break
		}
	}
	from = best.v6
	if to.Is4() {
		from = best.v4
	}
	bits := -1
	for _, n := range b.networks {
		if n.network.Contains(to) && n.network.Bits() >= bits {
			bits, from = n.network.Bits(), []netip.Addr{n.from}
		}
	}
	return from, best.helo
}

// senderKeys are the keys that fit a sender, the best first.
func senderKeys(sender string) []string {
	sender = lower(sender)
	at := strings.LastIndexByte(sender, '@')
	if at < 0 {
		return []string{""} // the null sender, or one of this host
	}
	keys, host := []string{sender}, sender[at+1:]
	for i := 0; i <= len(host); i++ {
		if i == 0 || i == len(host) || host[i] == '.' {
			keys = append(keys, host[i:])
		}
	}
	return keys
}

// addNetworks reads the lines of bindroutes.
func (b *Bindings) addNetworks(name string, lines []string) error {
	for _, line := range lines {
		key, text, ok := cutHost(line)
		if !ok {
			continue
		}
		from, err := parseLocal(name, text)
		if err != nil {
			return err
		}
		networks, ok := parseBoundNetwork(key, from)
		if !ok {
			return fmt.Errorf("%s: %q is no network", name, key)
		}
		for _, n := range networks {
			b.networks = append(b.networks, boundNetwork{n, from})
		}
	}
	return nil
}

// parseBoundNetwork reads the first field of a line of bindroutes. The empty one
// is all addresses of the family of from, or of both if that is empty.
func parseBoundNetwork(key string, from netip.Addr) ([]netip.Prefix, bool) {
	all := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	if key == "" {
		switch {
		case from.Is4():
			return all[:1], true
		case from.Is6():
			return all[1:], true
		}
		return all, true
	}
	if len(key) > 2 && key[0] == '[' && key[len(key)-1] == ']' {
		key = key[1 : len(key)-1]
	}
	if n := strings.Count(key, "."); n < 4 && strings.HasSuffix(key, ".") {
		key += strings.Repeat("0.", 4-n)
		key = fmt.Sprintf("%s/%d", strings.TrimSuffix(key, "."), 8*n)
	}
	p, ok := parseNetwork(key)
	return []netip.Prefix{p}, ok && (!from.IsValid() || from.Is4() == p.Addr().Is4())
}

// addSenders reads the lines of domainbindings or domainips.
func (b *Bindings) addSenders(name string, lines []string) error {
	for _, line := range lines {
		key, text, ok := cutHost(line)
		if !ok {
			continue
		}
		if key == "*" {
			key = ""
		}
		found := b.senders[lower(key)]
		if found == nil {
			found = &binding{}
			b.senders[lower(key)] = found
		}
		addr, helo, _ := strings.Cut(text, "|")
		if helo != "" {
			found.helo = helo
		}
		if err := found.add(name, addr); err != nil {
			return err
		}
	}
	return nil
}

// addOthers reads the lines of outgoingip.
func (b *Bindings) addOthers(name string, lines []string) error {
	for _, line := range lines {
		if err := b.others.add(name, line); err != nil {
			return err
		}
	}
	return nil
}

func (b *binding) add(name, text string) error {
	addr, err := parseLocal(name, text)
	switch {
	case err != nil:
		return err
	case addr.Is4():
		b.v4 = append(b.v4, addr)
	case addr.Is6():
		b.v6 = append(b.v6, addr)
	}
	return nil
}

// parseLocal reads an address of this host; the zero one leaves the choice to the
// system. An IPv6 address may have a zone, which is the name of an interface.
func parseLocal(name, text string) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%s: %w", name, err)
	}
	if addr = addr.Unmap(); addr.IsUnspecified() {
		return netip.Addr{}, nil
	}
	return addr, nil
}
