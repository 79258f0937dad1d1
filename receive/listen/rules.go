package listen

import (
	"bytes"
	"os"
	"strings"

	"goqmail/internal/cdb"
	"goqmail/receive"
)

// Rules are those that tcprules(1) compiles: what may a client do, and what is put
// into the environment of its session, by its address.
//
// # File format
//
// A key of the cdb is an address, the beginning of one up to and with a dot, a colon
// (IPv6) too, or nothing, which stands for everybody; the longest key counts. A value
// is D for a client to be turned away, and +NAME=VALUE and a NUL for each variable:
//
//	192.0.2.  ->  +RELAYCLIENT=\0+DATABYTES=0\0
//
// Of keys with names (=host, user@address) there is no use, for no names are looked
// up. The file is opened for each client, so that new rules count at once.
func Rules(file string) func(env receive.Env) (bool, error) {
	return func(env receive.Env) (bool, error) {
		f, err := os.Open(file)
		if err != nil {
			return false, err
		}
		defer f.Close()
		rules := cdb.NewReader(f)
		for key := range keys(env["TCPREMOTEIP"]) {
			value, found, err := rules.Get([]byte(key))
			if err != nil {
				return false, err
			}
			if found {
				return apply(value, env), nil
			}
		}
		return true, nil
	}
}

// keys yields those that may be about an address, the longest first.
func keys(ip string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if !yield(ip) {
			return
		}
		for i := len(ip); i > 0; i-- {
			if (ip[i-1] == '.' || ip[i-1] == ':') && !yield(ip[:i]) {
				return
			}
		}
		yield("")
	}
}

// apply does what a value says.
func apply(value []byte, env receive.Env) (allowed bool) {
	allowed = true
	for len(value) > 0 {
		instruction, rest, _ := bytes.Cut(value, []byte{0})
		switch {
		case len(instruction) == 0:
			return allowed
		case instruction[0] == 'D':
			allowed, rest = false, value[1:]
		case instruction[0] == '+':
			if name, text, ok := strings.Cut(string(instruction[1:]), "="); ok {
				env[name] = text
			}
		default: // an instruction that is not known, a byte long
			rest = value[1:]
		}
		value = rest
	}
	return allowed
}
