package smtpsink

import (
	"fmt"
	"strings"
)

// Refusals are the codes with which recipients are refused, by address in lower
// case, or by @host for all of a host. It is a flag.Value that adds one, written
// address=code.
type Refusals map[string]string

// String is of no use but to package flag.
func (r *Refusals) String() string { return "" }

// Set adds a refusal.
func (r *Refusals) Set(text string) error {
	addr, code, ok := strings.Cut(text, "=")
	if !ok || !isRefusal(code) {
		return fmt.Errorf("%q is not an address, =, and a code from 400 to 599", text)
	}
	if *r == nil {
		*r = Refusals{}
	}
	(*r)[strings.ToLower(addr)] = code
	return nil
}

func isRefusal(code string) bool {
	return len(code) == 3 && (code[0] == '4' || code[0] == '5') &&
		code[1] >= '0' && code[1] <= '9' && code[2] >= '0' && code[2] <= '9'
}

// Reply is the Refuse function of a [Server].
func (r Refusals) Reply(verb, path string) string {
	if verb != "RCPT" {
		return ""
	}
	path = strings.ToLower(path)
	code, ok := r[path]
	if !ok {
		code, ok = r[path[max(strings.LastIndexByte(path, '@'), 0):]]
	}
	switch {
	case !ok:
		return ""
	case code[0] == '4':
		return code + " not now (#4.2.1)"
	}
	return code + " no such mailbox (#5.1.1)"
}
