package smtp

import (
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"goqmail/internal/address"
)

// maxAddress is the longest address that is taken, in bytes.
const maxAddress = 899

// parsePath reads the argument of MAIL or RCPT: an envelope address, without
// quotes and source route, and the parameters after it.
//
// Compat: it is as lenient as qmail-smtpd. What comes before the first < does not
// matter; the closing > may be missing; without < the address begins after the
// first colon and ends at a blank.
func parsePath(argument string) (addr, parameters string) {
	end := byte('>')
	_, rest, ok := strings.Cut(argument, "<")
	if !ok {
		end = ' '
		_, rest, _ = strings.Cut(argument, ":")
		rest = strings.TrimLeft(rest, " ")
	}
	if strings.HasPrefix(rest, "@") { // a source route, RFC 5321 appendix C
		_, rest, _ = strings.Cut(rest, ":")
	}
	return unquote(rest, end)
}

// unquote takes away quotes and backslashes up to a byte outside quotes, and
// returns what comes after it too.
func unquote(s string, end byte) (plain, rest string) {
	b := make([]byte, 0, len(s))
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == end && !quoted:
			return string(b), s[i+1:]
		case c == '"':
			quoted = !quoted
		case c == '\\':
			if i++; i < len(s) {
				b = append(b, s[i])
			}
		default:
			b = append(b, c)
		}
	}
	return string(b), ""
}

// parameter returns the value of a parameter of MAIL or RCPT, RFC 5321 section
// 4.1.2, and whether it is there.
func parameter(parameters, keyword string) (value string, ok bool) {
	for field := range strings.FieldsSeq(parameters) {
		name, value, _ := strings.Cut(field, "=")
		if strings.EqualFold(name, keyword) {
			return value, true
		}
	}
	return "", false
}

// path reads the argument of MAIL or RCPT; ok is false if it has no address that
// can be taken. An address of this host in brackets becomes its name.
func (s *session) path(argument string) (addr, parameters string, ok bool) {
	addr, parameters = parsePath(argument)
	local, host, hasHost := address.Split(addr)
	if hasHost && s.set.HasOwnHost && s.isOwn(host) {
		addr = local + "@" + s.set.OwnHost
	}
	// A CR cannot be passed on by SMTP.
	return addr, parameters, len(addr) <= maxAddress && strings.IndexByte(addr, '\r') < 0
}

// notASCII is the reply to an address that is not taken for the bytes that it has, or
// "": UTF-8 alone can go on as it is, and only if the client says that it may
// (RFC 6531). Compat: from one that knows no extensions anything is taken.
func (s *session) notASCII(addr string, declared bool) (reply string) {
	switch {
	case !s.extended || isASCII(addr):
		return ""
	case !declared:
		return replyNotASCII
	case !utf8.ValidString(addr):
		return replyNotUTF8
	}
	return ""
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isOwn reports whether a host is an address of this one in brackets.
func (s *session) isOwn(host string) bool {
	inner, ok := strings.CutPrefix(host, "[")
	if ok {
		inner, ok = strings.CutSuffix(inner, "]")
	}
	if !ok {
		return false
	}
	if len(inner) > 5 && strings.EqualFold(inner[:5], "IPv6:") {
		inner = inner[5:]
	} else if strings.IndexByte(inner, ':') >= 0 {
		return false
	}
	ip, err := netip.ParseAddr(inner)
	if err != nil {
		return false
	}
	return ip.IsUnspecified() || slices.Contains(s.own, ip.Unmap())
}
