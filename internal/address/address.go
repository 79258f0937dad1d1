// Package address writes envelope addresses into headers and SMTP commands.
//
// An envelope address is a string of bytes, split at its last @ into local part
// and host (envelopes(5)); nothing in it is quoted. In a header (RFC 822 section
// 6.1) or an SMTP command (RFC 821 section 4.1.2) a local part may have to be.
package address

import "strings"

// Split cuts an address at its last @. Without one, host is empty and ok false.
func Split(addr string) (local, host string, ok bool) {
	i := strings.LastIndexByte(addr, '@')
	if i < 0 {
		return addr, "", false
	}
	return addr[:i], addr[i+1:], true
}

// Quote returns addr with its local part quoted if it has to be. The empty
// address stays empty.
func Quote(addr string) string {
	if addr == "" {
		return ""
	}
	i := strings.LastIndexByte(addr, '@')
	if i < 0 {
		return QuoteLocal(addr)
	}
	return QuoteLocal(addr[:i]) + addr[i:]
}

// QuoteLocal returns a local part, quoted if it has to be. CR, LF, the quote and
// the backslash get a backslash inside the quotes.
func QuoteLocal(local string) string {
	if !mustQuote(local) {
		return local
	}
	var b strings.Builder
	b.Grow(len(local) + 8)
	b.WriteByte('"')
	for i := 0; i < len(local); i++ {
		switch local[i] {
		case '\r', '\n', '"', '\\':
			b.WriteByte('\\')
		}
		b.WriteByte(local[i])
	}
	b.WriteByte('"')
	return b.String()
}

// mustQuote reports whether a local part is anything but atoms with single dots
// between them.
func mustQuote(local string) bool {
	if local == "" || local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") {
		return true
	}
	for i := 0; i < len(local); i++ {
		c := local[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),:;<>@[\]`, c) >= 0 {
			return true
		}
	}
	return false
}
