package rcptto

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// pattern is a line of badrcptto.
type pattern struct {
	plain  string // an address or @host; if it is empty, expr counts
	expr   *regexp.Regexp
	negate bool
}

// patterns reads lines of badrcptto.
func (l *Lists) patterns(lines []string) []pattern {
	var list []pattern
	for _, line := range lines {
		var p pattern
		text, negate := strings.CutPrefix(line, "!")
		p.negate = negate
		if isPlain(text) {
			p.plain = lower(text)
		} else {
			expr, err := compile(text)
			if err != nil {
				l.Broken = append(l.Broken, line)
				continue
			}
			p.expr = expr
		}
		list = append(list, p)
	}
	return list
}

// isPlain reports whether a line is an address or @host.
func isPlain(text string) bool {
	at := strings.IndexByte(text, '@')
	return at >= 0 && at < len(text)-1 && strings.Trim(lower(text), "abcdefghijklmnopqrstuvwxyz0123456789@._-+=~/") == ""
}

// compile reads an extended regular expression, regex(7).
func compile(text string) (*regexp.Regexp, error) {
	tree, err := syntax.Parse(text, syntax.POSIX|syntax.FoldCase)
	if err != nil {
		return nil, err
	}
	return regexp.Compile(tree.String())
}

// matches reports whether one of the patterns is about an address, which is in
// lower case.
func matches(list []pattern, to string) bool {
	for _, p := range list {
		if p.matches(to) != p.negate {
			return true
		}
	}
	return false
}

func (p pattern) matches(to string) bool {
	switch {
	case p.expr != nil:
		return p.expr.MatchString(to)
	case p.plain[0] == '@':
		return strings.HasSuffix(to, p.plain)
	}
	return to == p.plain
}
