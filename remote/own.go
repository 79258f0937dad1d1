package remote

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"goqmail/control"
)

// OwnRules say which addresses are this host's, beyond what its interfaces tell:
// control/moreipme and control/notipme.
//
// A line is an address, or a network: an address, a slash, and a mask or the
// number of its bits. For instance
//
//	192.0.2.1
//	198.51.100.0/255.255.255.0
//	2001:db8::/64
//
// This host's are the addresses of its interfaces, those in More, 0.0.0.0, ::,
// 127.0.0.0/8 and ::1. One that is in Less too is not, unless what makes it this
// host's says so of fewer addresses.
type OwnRules struct{ More, Less []netip.Prefix }

// implicitOwn are every host's own addresses. To connect to the unspecified one
// is to connect to this host.
var implicitOwn = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("0.0.0.0/32"),
	netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("::/128"),
}

// own reports whether an address is this host's, which has those of interfaces.
func (r OwnRules) own(addr netip.Addr, interfaces []netip.Addr) bool {
	addr = addr.Unmap()
	mine := max(longest(implicitOwn, addr), longest(r.More, addr))
	for _, i := range interfaces {
		if i.Unmap().WithZone("") == addr {
			mine = addr.BitLen()
		}
	}
	return mine >= 0 && mine > longest(r.Less, addr)
}

// longest returns how many bits the smallest of the networks has that hold an
// address, or -1.
func longest(networks []netip.Prefix, addr netip.Addr) int {
	most := -1
	for _, p := range networks {
		if p.Contains(addr) {
			most = max(most, p.Bits())
		}
	}
	return most
}

func readOwnRules(files *control.Folder) (r OwnRules, err error) {
	if r.More, err = readNetworks(files, "moreipme"); err != nil {
		return r, err
	}
	r.Less, err = readNetworks(files, "notipme")
	return r, err
}

// readNetworks reads moreipme or notipme.
func readNetworks(files *control.Folder, name string) ([]netip.Prefix, error) {
	lines, _, err := files.List(name)
	if err != nil {
		return nil, err
	}
	return parseNetworks(name, lines)
}

func parseNetworks(name string, lines []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, line := range lines {
		p, ok := parseNetwork(line)
		if !ok {
			return nil, fmt.Errorf("%s: %q is no address or network", name, line)
		}
		all = append(all, p)
	}
	return all, nil
}

func parseNetwork(line string) (netip.Prefix, bool) {
	host, mask, isNetwork := strings.Cut(line, "/")
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" {
		return netip.Prefix{}, false
	}
	addr = addr.Unmap()
	if !isNetwork {
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	if m := net.ParseIP(mask).To4(); m != nil && addr.Is4() {
		ones, size := net.IPMask(m).Size()
		return netip.PrefixFrom(addr, ones).Masked(), size != 0
	}
	p, err := netip.ParsePrefix(addr.String() + "/" + mask)
	return p.Masked(), err == nil
}
