package inject

import (
	"slices"
	"strings"

	"goqmail/internal/address"
)

// defaults complete an address: what follows a mailbox without a host, a host
// without a dot, and a host that ends in a plus. Each begins with its @ or dot.
type defaults struct{ host, domain, plus []token }

// qualify appends to dst the address addr without its route and with a complete
// host. It reports false if addr is no address but <> or the like; dst then gets
// it as it is. The special form box@[] is left alone, addresses(5). Without any
// defaults all addresses are left alone.
func (d *defaults) qualify(dst, addr []token) ([]token, bool) {
	start := len(dst)
	if d == nil {
		return append(dst, addr...), true
	}
	if isVERP(addr) {
		return append(dst, addr...), true
	}
	box := trim(append(dst, withoutRoute(addr)...), start)
	if last(box[start:]) < 0 {
		return append(dst, addr...), false
	}
	if find(box[start:], at) < 0 {
		box = append(box, d.host...)
	}
	if i := start + last(box[start:]); box[i].kind == atom && strings.HasSuffix(box[i].text, "+") {
		if box[i].text = strings.TrimSuffix(box[i].text, "+"); box[i].text == "" {
			box = slices.Delete(box, i, i+1)
		}
		box = append(box, d.plus...)
	}
	if !complete(box[start:]) {
		box = append(box, d.domain...)
	}
	return box, true
}

// isVERP reports whether the host is [], which the senders of double bounces and
// VERPs have.
func isVERP(addr []token) bool {
	n := len(addr)
	return n >= 2 && addr[n-2].kind == at && addr[n-1] == token{kind: literal}
}

// withoutRoute cuts off @host,@host: in front of an address. Nothing is left of
// what begins with an @ and has no colon.
func withoutRoute(addr []token) []token {
	for {
		first := slices.IndexFunc(addr, func(t token) bool { return t.kind != comment })
		if first < 0 || addr[first].kind != at {
			return addr
		}
		mark := find(addr, colon)
		if mark < 0 {
			return nil
		}
		addr = addr[mark+1:]
	}
}

// trim takes dots, and then an @, off the end of the address that begins at
// start.
func trim(box []token, start int) []token {
	for {
		for _, k := range []kind{dot, at} {
			i := last(box[start:])
			for i >= 0 && box[start+i].kind == k {
				box = slices.Delete(box, start+i, start+i+1)
				i = last(box[start:])
			}
		}
		if i := last(box[start:]); i < 0 || find(box[start:], at) < 0 || box[start+i].kind != dot {
			return box
		}
	}
}

// complete reports whether the host has a dot or is a literal.
func complete(addr []token) bool {
	for i := len(addr) - 1; i >= 0 && addr[i].kind != at; i-- {
		if addr[i].kind == dot || addr[i].kind == literal {
			return true
		}
	}
	return false
}

// last returns the index of the last token that is no comment, or -1.
func last(addr []token) int {
	i := len(addr) - 1
	for i >= 0 && addr[i].kind == comment {
		i--
	}
	return i
}

func find(addr []token, k kind) int {
	return slices.IndexFunc(addr, func(t token) bool { return t.kind == k })
}

// mailbox returns the tokens of an address that is given in two pieces. The local
// part is taken as it is; the host is read as in a header.
func mailbox(local, host string, hasHost bool) ([]token, error) {
	box := []token{{quoted, local}}
	if address.QuoteLocal(local) == local {
		box, _ = scan(box[:0], local) // nothing in it can be unbalanced
	}
	if !hasHost {
		return box, nil
	}
	return scan(append(box, token{kind: at}), host)
}

// argument returns the envelope address for one that is given as a program's
// argument: split at the last @, then completed. Compat: so a quote, a comma or
// an angle bracket belongs to the mailbox.
func (d *defaults) argument(arg string) (string, error) {
	if arg == "" {
		return "", errNoAddress
	}
	box, err := mailbox(address.Split(arg))
	if err != nil {
		return "", err
	}
	box, _ = d.qualify(nil, box)
	return envelope(box), nil
}
