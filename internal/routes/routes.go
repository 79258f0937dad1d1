// Package routes says which recipients are delivered here and as what, and which go
// elsewhere: the control files envnoathost, percenthack, locals and virtualdomains,
// as qmail-send(8) obeys them.
package routes

import (
	"errors"
	"maps"
	"strings"

	"goqmail/control"
	"goqmail/internal/address"
)

// Routes says where recipients go, qmail-send(8).
type Routes struct {
	EnvNoAtHost string      // host of recipients without one
	PercentHack control.Map // hosts for which user%host is user@host
	Locals      control.Map // hosts of which all recipients are local
	Virtual     control.Map // what goes to a user here, by address, host or .domain
}

// Read reads the control files. An error is about the file that is returned too.
func Read(files *control.Folder) (r Routes, file string, err error) {
	list := func(name string) (lines []string, ok bool) {
		if err == nil {
			file = name
			lines, ok, err = files.List(name)
		}
		return lines, ok
	}
	file = "envnoathost"
	r.EnvNoAtHost, err = files.Line(file)
	hack, _ := list("percenthack")
	virtual, _ := list("virtualdomains")
	locals, ok := list("locals")
	if err == nil && !ok {
		err = errors.New("neither it nor control/me is there")
	}
	r.PercentHack, r.Virtual, r.Locals = control.Set(hack), control.Pairs(virtual), control.Set(locals)
	return r, file, err
}

// Route tells whether a recipient is delivered here, and the address it has then: a
// recipient in a virtual domain gets the domain's user put before it.
func (r *Routes) Route(recipient string) (local bool, addr string) {
	addr = r.complete(recipient)
	_, host, _ := address.Split(addr)
	if r.Locals.Has(host) {
		return true, addr
	}
	if user := r.user(addr, host); user != "" {
		return true, user + "-" + addr
	}
	return false, addr
}

// complete adds a host to a recipient without one, and takes percent signs for
// signs at as long as the host is listed for it.
func (r *Routes) complete(recipient string) string {
	box, host, ok := address.Split(recipient)
	if !ok {
		host = r.EnvNoAtHost
	}
	for r.PercentHack.Has(host) {
		i := strings.LastIndexByte(box, '%')
		if i < 0 {
			break
		}
		box, host = box[:i], box[i+1:]
	}
	return box + "@" + host
}

// user finds the user whom mail for an address goes to: by the whole address, the
// host, each domain above it with its dot, then the entry for everything. The
// first one that is there counts, and if it is empty the address is not virtual.
func (r *Routes) user(addr, host string) string {
	if user, ok := r.Virtual.Get(addr); ok {
		return user
	}
	return r.hostUser(host)
}

func (r *Routes) hostUser(host string) string {
	if user, ok := r.Virtual.Get(host); ok {
		return user
	}
	for i := 0; i < len(host); i++ {
		if host[i] != '.' || i == 0 {
			continue
		}
		if user, ok := r.Virtual.Get(host[i:]); ok {
			return user
		}
	}
	user, _ := r.Virtual.Get("")
	return user
}

// Strip takes the user of a virtual domain from an address again, for notices to
// people who know the address without.
func (r *Routes) Strip(addr string) string {
	_, host, ok := address.Split(addr)
	if !ok {
		return addr
	}
	user := r.hostUser(host)
	if user == "" {
		return addr
	}
	stripped, ok := strings.CutPrefix(addr, user+"-")
	if !ok {
		return addr
	}
	return stripped
}

// Equal reports whether routes are the same.
func (r *Routes) Equal(other *Routes) bool {
	return r.EnvNoAtHost == other.EnvNoAtHost && maps.Equal(r.PercentHack, other.PercentHack) &&
		maps.Equal(r.Locals, other.Locals) && maps.Equal(r.Virtual, other.Virtual)
}

// Undo takes the user off again whom Route has put before a local address; it is
// false if these routes cannot have made the address.
func (r *Routes) Undo(addr string) (before string, ok bool) {
	if here, same := r.Route(addr); here && same == addr {
		return addr, true
	}
	for i := range len(addr) {
		if addr[i] == '@' {
			break
		}
		if addr[i] != '-' {
			continue
		}
		if here, again := r.Route(addr[i+1:]); here && again == addr {
			return addr[i+1:], true
		}
	}
	return "", false
}
