package send

import (
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

// Route returns the channel of a recipient and the address it has there: a
// recipient in a virtual domain gets the domain's user put before it.
func (r *Routes) Route(recipient string) (channel, string) {
	addr := r.complete(recipient)
	_, host, _ := address.Split(addr)
	if r.Locals.Has(host) {
		return local, addr
	}
	if user := r.user(addr, host); user != "" {
		return local, user + "-" + addr
	}
	return remote, addr
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
