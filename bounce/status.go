package bounce

import "strings"

// Status returns the enhanced status code (RFC 3463) of a recipient that failed
// or, if permanent is false, is delayed. It is the one that the report carries in
// any of the usual places, in this order:
//
//	550 5.1.1 or 550-5.1.1    after the reply code of an SMTP server
//	#5.1.1 or (#5.1.1)        in reports of qmail's own
//	5.1.1                     a word, or what one begins with, as in (5.1.1)
//
// What failed may have a code of class 4, if it was given up after a time; what
// is delayed has none of class 5. Without a code the status is 5.0.0 or 4.0.0.
func Status(report string, permanent bool) string {
	if permanent {
		if code := find(report, '5'); code != "" {
			return code
		}
	}
	if code := find(report, '4'); code != "" {
		return code
	}
	if permanent {
		return "5.0.0"
	}
	return "4.0.0"
}

// find returns the code of a class that stands in the best place, the first of
// these, or nothing.
func find(report string, class byte) string {
	best, rank := "", noPlace
	for i := 0; i < len(report); i++ {
		if report[i] != class {
			continue
		}
		code := codeAt(report[i:])
		if code == "" {
			continue
		}
		if r := place(report[:i], class); r < rank {
			best, rank = code, r
		}
	}
	return best
}

// codeAt returns the status code that s begins with, if it is one and no more:
// 5.1.1.3 is an address.
func codeAt(s string) string {
	end := 1
	for range 2 {
		digits := countDigits(s[min(end+1, len(s)):])
		if end >= len(s) || s[end] != '.' || digits < 1 || digits > 3 {
			return ""
		}
		end += 1 + digits
	}
	rest := s[end:]
	if len(rest) > 0 && (isWordByte(rest[0]) || rest[0] == '-') ||
		len(rest) > 1 && rest[0] == '.' && isWordByte(rest[1]) {
		return ""
	}
	return s[:end]
}

func countDigits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

// Places of a code, the best one first.
const (
	afterReply = iota
	afterSharp
	alone
	noPlace
)

// place says where a code of that class stands, by what is before it.
func place(before string, class byte) int {
	n := len(before)
	if n >= 4 && (before[n-1] == ' ' || before[n-1] == '-') && before[n-4] == class &&
		isDigit(before[n-3]) && isDigit(before[n-2]) && (n == 4 || !isWordByte(before[n-5]) && before[n-5] != '.') {
		return afterReply
	}
	if n > 0 && before[n-1] == '#' {
		return afterSharp
	}
	if n == 0 || strings.IndexByte(" \t\r\n([<:;,\"'", before[n-1]) >= 0 {
		return alone
	}
	return noPlace
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWordByte(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}
