package remote

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"goqmail/internal/address"
)

// international reports whether s is text beyond ASCII. What is not UTF-8 is no
// text: it goes out as it is, as from every qmail.
func international(s string) bool {
	return hasEightBit([]byte(s)) && utf8.ValidString(s)
}

// asciiHost returns the name of a host as the DNS has it, RFC 5891; ok is false if
// there is no such.
func asciiHost(host string) (name string, ok bool) {
	if !international(host) {
		return host, !hasEightBit([]byte(host))
	}
	name, err := idna.Lookup.ToASCII(host)
	if err != nil || !isName(name) {
		return host, false
	}
	return name, true
}

// needsUTF8 reports whether an address can be sent with SMTPUTF8 alone. One whose
// host alone is beyond ASCII can do without.
func needsUTF8(addr string) bool {
	if !international(addr) {
		return false
	}
	i := strings.LastIndexByte(addr, '@')
	if i < 0 {
		return true
	}
	_, ok := asciiHost(addr[i+1:])
	return !ok || international(addr[:i])
}

// mailbox writes an envelope address for SMTP, or with utf8 for SMTPUTF8. Compat:
// the host is sent as it is, and so is an address without one.
func mailbox(addr string, utf8 bool) string {
	i := strings.LastIndexByte(addr, '@')
	if i < 0 {
		return addr
	}
	if utf8 {
		return quoteUTF8(addr, i)
	}
	if name, ok := asciiHost(addr[i+1:]); ok {
		addr = addr[:i+1] + name
	}
	return address.Quote(addr)
}

// quoteUTF8 quotes an address whose host begins after at. Letters of all kinds need
// no quotes, RFC 6531 section 3.3.
func quoteUTF8(addr string, at int) string {
	ascii := strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return 'x'
		}
		return r
	}, addr[:at]) + addr[at:]
	if address.Quote(ascii) == ascii {
		return addr
	}
	return address.Quote(addr)
}

// mostHeader is how much of a header is looked at.
const mostHeader = 32 << 10

// headerOf returns the header of a message that can seek; nil if it cannot.
func headerOf(message io.Reader) []byte {
	file := rest(message)
	if file == nil {
		return nil
	}
	buf := make([]byte, mostHeader)
	n, err := io.ReadFull(file, buf)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		n = 0 // the error comes again when the message is sent
	}
	header := buf[:n]
	for _, end := range []string{"\n\n", "\n\r\n"} {
		if i := bytes.Index(header, []byte(end)); i >= 0 {
			header = header[:i+1]
		}
	}
	return header
}

// headerNeedsUTF8 reports whether a header is one for SMTPUTF8: it goes beyond
// ASCII, and either the message came in by SMTPUTF8 (RFC 6531 section 4.3) or there
// is an address in it that goes beyond ASCII.
//
// Compat: any other header beyond ASCII is sent as it is, to any host. Programs
// have always sent such subjects and names, without asking whether they may.
func headerNeedsUTF8(header []byte) bool {
	if !hasEightBit(header) {
		return false
	}
	field, asked := "", false
	for line := range strings.Lines(string(header)) {
		if line[0] != ' ' && line[0] != '\t' {
			name, _, _ := strings.Cut(line, ":")
			field = strings.TrimPrefix(strings.ToLower(strings.TrimRight(name, " \t")), "resent-")
		}
		switch field {
		case "received":
			// The first one that names a protocol is the one of this host.
			if protocol, ok := receivedWith(line); ok && !asked {
				if asked = true; strings.HasPrefix(protocol, "UTF8") {
					return true
				}
			}
		case "from", "sender", "reply-to", "to", "cc", "bcc":
			if hasAddress(line) {
				return true
			}
		}
	}
	return false
}

// receivedWith returns the protocol in a line of a Received field.
func receivedWith(line string) (string, bool) {
	words := strings.Fields(line)
	for i, word := range words[:max(len(words)-1, 0)] {
		if word == "with" {
			return strings.ToUpper(words[i+1]), true
		}
	}
	return "", false
}

// hasAddress reports whether a line has an address beyond ASCII in it.
func hasAddress(line string) bool {
	words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\n<>,;:()\"", r) })
	for _, word := range words {
		if strings.Contains(word, "@") && international(word) {
			return true
		}
	}
	return false
}
