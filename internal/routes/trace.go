package routes

import (
	"strings"

	"goqmail/internal/address"
)

// Trace is how [Routes.Route] comes to its answer, for those who ask why.
type Trace struct {
	NoHost   bool     // the recipient had no host, and got EnvNoAtHost
	Percent  []string // hosts of PercentHack, in the order in which they were taken off
	Complete string   // the address after that

	Locals bool // the host is in Locals
	// Entry is the key in Virtual that counts, if IsEntry is set: an address, a
	// host, .domain, or empty for everything. User is its value; an empty one means
	// that the address is not virtual.
	Entry   string
	IsEntry bool
	User    string

	Local   bool   // to a user here; otherwise to another host
	Address string // what it is there
}

// Trace is [Routes.Route] with each step.
func (r *Routes) Trace(recipient string) Trace {
	t := Trace{}
	box, host, ok := address.Split(recipient)
	if !ok {
		t.NoHost = true
		host = r.EnvNoAtHost
	}
	for r.PercentHack.Has(host) {
		i := strings.LastIndexByte(box, '%')
		if i < 0 {
			break
		}
		t.Percent = append(t.Percent, host)
		box, host = box[:i], box[i+1:]
	}
	t.Complete = box + "@" + host
	t.Address = t.Complete
	_, host, _ = address.Split(t.Complete) // there may be a sign in what a percent hid
	if t.Locals = r.Locals.Has(host); t.Locals {
		t.Local = true
		return t
	}
	for _, key := range virtualKeys(t.Complete, host) {
		if t.User, t.IsEntry = r.Virtual.Get(key); t.IsEntry {
			t.Entry = key
			break
		}
	}
	if t.User != "" {
		t.Local, t.Address = true, t.User+"-"+t.Complete
	}
	return t
}

// virtualKeys are the keys under which Virtual may have an address, in the order in
// which they are tried.
func virtualKeys(addr, host string) []string {
	keys := []string{addr, host}
	for i := 1; i < len(host); i++ {
		if host[i] == '.' {
			keys = append(keys, host[i:])
		}
	}
	return append(keys, "")
}
