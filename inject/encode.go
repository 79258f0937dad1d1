package inject

import (
	"strings"
	"unicode/utf8"
)

// maxEncoded is how many bytes of text fit into an encoded word of 75 characters
// if all have to be escaped: =?utf-8?q??= takes 12, and 19 with unknown-8bit.
const maxEncoded = 18

// encodeWords returns text as encoded words, RFC 2047, to be written with blanks
// in between; none if it is ASCII alone.
func encodeWords(text string) []string {
	if isASCII(text) {
		return nil
	}
	charset := "utf-8"
	if !utf8.ValidString(text) {
		charset = "unknown-8bit" // RFC 1428 section 3
	}
	var words []string
	for len(text) > 0 {
		n := min(maxEncoded, len(text))
		for charset == "utf-8" && n < len(text) && !utf8.RuneStart(text[n]) {
			n--
		}
		words = append(words, "=?"+charset+"?q?"+encodeQ(text[:n])+"?=")
		text = text[n:]
	}
	return words
}

// encodeQ is the encoding of RFC 2047 section 4.2, in the form that may stand in
// the place of a word of a phrase (section 5).
func encodeQ(text string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == ' ':
			b.WriteByte('_')
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			b.WriteByte(c)
		default:
			b.WriteString("=" + string(digits[c>>4]) + string(digits[c&15]))
		}
	}
	return b.String()
}

func isASCII(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}
