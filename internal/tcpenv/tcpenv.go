// Package tcpenv finds out about a TCP connection what programs behind a server
// expect in their environment, tcp-environ(5): both ends' addresses, ports and
// names, and on request what the other end's ident server says, RFC 1413.
//
// Names and ident answers come from strangers. What gets into the environment is
// bounded and printable ASCII, but otherwise theirs.
package tcpenv

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Endpoints are both ends of a connection.
type Endpoints struct{ Local, Remote netip.AddrPort }

// Of returns the ends of the connection that a descriptor is. It fails for
// anything that is not a connection over IPv4 or IPv6.
func Of(fd int) (Endpoints, error) {
	var e Endpoints
	local, err := syscall.Getsockname(fd)
	if err != nil {
		return e, err
	}
	remote, err := syscall.Getpeername(fd)
	if err != nil {
		return e, err
	}
	if e.Local, err = addrPort(local); err != nil {
		return e, err
	}
	e.Remote, err = addrPort(remote)
	return e, err
}

var errFamily = errors.New("neither IPv4 nor IPv6")

// addrPort returns an address. One of IPv4 that comes as one of IPv6 becomes what
// it is.
func addrPort(a syscall.Sockaddr) (netip.AddrPort, error) {
	switch a := a.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)), nil
	case *syscall.SockaddrInet6:
		ip := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 && ip.Is6() {
			ip = ip.WithZone(strconv.Itoa(int(a.ZoneId)))
		}
		return netip.AddrPortFrom(ip, uint16(a.Port)), nil
	}
	return netip.AddrPort{}, errFamily
}

// Network is what it takes to ask around.
type Network struct {
	// Names returns the names of an address.
	Names func(ctx context.Context, addr string) ([]string, error)
	// Dial connects from an address to another one and a port.
	Dial func(ctx context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error)
}

// Internet is the real one.
func Internet() Network {
	return Network{
		Names: net.DefaultResolver.LookupAddr,
		Dial: func(ctx context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error) {
			d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
			return d.DialContext(ctx, "tcp", to.String())
		},
	}
}

// NamesLimit is how long to wait for names.
const NamesLimit = 20 * time.Second

// Environment returns env with the variables of a connection in place of any that
// were there. The ident server is given that long to answer; 0: it is not asked.
// Names and answer are asked for at the same time. What is not known is not set.
func (n Network) Environment(ctx context.Context, env []string, e Endpoints, ident time.Duration) []string {
	var localName, remoteName, info string
	var all sync.WaitGroup
	all.Go(func() { localName = n.name(ctx, e.Local.Addr()) })
	all.Go(func() { remoteName = n.name(ctx, e.Remote.Addr()) })
	if ident > 0 {
		all.Go(func() { info = n.ident(ctx, e, ident) })
	}
	all.Wait()
	return set(env, [][2]string{
		{"PROTO", "TCP"},
		{"TCPLOCALHOST", localName},
		{"TCPLOCALIP", e.Local.Addr().WithZone("").String()},
		{"TCPLOCALPORT", strconv.Itoa(int(e.Local.Port()))},
		{"TCPREMOTEHOST", remoteName},
		{"TCPREMOTEINFO", info},
		{"TCPREMOTEIP", e.Remote.Addr().WithZone("").String()},
		{"TCPREMOTEPORT", strconv.Itoa(int(e.Remote.Port()))},
	})
}

// set replaces variables. An empty one is removed.
func set(env []string, own [][2]string) []string {
	var result []string
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		if !has(own, name) {
			result = append(result, v)
		}
	}
	for _, v := range own {
		if v[1] != "" {
			result = append(result, v[0]+"="+v[1])
		}
	}
	return result
}

func has(own [][2]string, name string) bool {
	for _, v := range own {
		if v[0] == name {
			return true
		}
	}
	return false
}

// maxName is how long a name in the DNS can be, RFC 1035 section 2.3.4.
const maxName = 255

// name returns a name of an address in lower case, without the dot at its end;
// empty if there is none now. Nobody has checked whether the name has the address.
func (n Network) name(ctx context.Context, addr netip.Addr) string {
	ctx, cancel := context.WithTimeout(ctx, NamesLimit)
	defer cancel()
	names, err := n.Names(ctx, addr.WithZone("").String())
	if err != nil || len(names) == 0 {
		return ""
	}
	name := strings.ToLower(strings.TrimSuffix(names[0], "."))
	if len(name) > maxName || printable(name) != name {
		return ""
	}
	return name
}

// printable puts a question mark in place of each byte that is not printable
// ASCII.
func printable(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c <= ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}
