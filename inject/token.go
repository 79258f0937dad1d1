package inject

import (
	"errors"
	"strings"
)

// A kind of token. Punctuation is its own kind.
type kind byte

const (
	end     kind = 0
	comma   kind = ','
	at      kind = '@'
	dot     kind = '.'
	left    kind = '<'
	right   kind = '>'
	colon   kind = ':'
	semi    kind = ';'
	atom    kind = 'a'
	quoted  kind = '"'
	literal kind = '['
	comment kind = '('
)

// isWord reports whether two tokens of such kinds need a blank between them.
func (k kind) isWord() bool {
	return k == atom || k == quoted || k == literal || k == comment
}

// token is a piece of an address list. Text is what a word, literal or comment
// stands for, without quotes, brackets and backslashes.
type token struct {
	kind kind
	text string
}

var errUnbalanced = errors.New("unbalanced bracket or quote")

// scanner cuts the text of an address list into tokens, RFC 822 section 3.3.
type scanner struct {
	text string
	pos  int
}

// scan returns all tokens of text, appended to dst.
func scan(dst []token, text string) ([]token, error) {
	s := scanner{text: text}
	for {
		t, err := s.next()
		if err != nil || t.kind == end {
			return dst, err
		}
		dst = append(dst, t)
	}
}

// next returns the next token, after the last one a token of kind end.
func (s *scanner) next() (token, error) {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; c {
		case ' ', '\t', '\r', '\n':
			s.pos++
		case ',', '@', '.', '<', '>', ':', ';':
			s.pos++
			return token{kind: kind(c)}, nil
		case '(', '"', '[':
			return s.enclosed(kind(c))
		case ')', ']':
			return token{}, errUnbalanced
		default:
			if t := s.word(); t.text != "" {
				return t, nil
			}
		}
	}
	return token{}, nil
}

var closers = [...]byte{comment: ')', quoted: '"', literal: ']'}

// enclosed reads a comment, a quoted string or a literal. Comments within
// comments lose their brackets.
func (s *scanner) enclosed(k kind) (token, error) {
	closing := closers[k]
	var text []byte
	depth := 1
	for i := s.pos + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == closing:
			if depth--; depth == 0 {
				s.pos = i + 1
				return token{k, string(text)}, nil
			}
		case c == '(' && k == comment:
			depth++
		case c == '\\':
			if i++; i < len(s.text) {
				text = s.unfold(text, i)
			}
		default:
			text = s.unfold(text, i)
		}
	}
	return token{}, errUnbalanced
}

// unfold appends the byte at i, unless it is part of the end of a folded line.
// No token of a field has a CR or LF in it, so that none gets into a header.
func (s *scanner) unfold(text []byte, i int) []byte {
	switch c := s.text[i]; {
	case c == '\n', c == '\r' && strings.HasPrefix(s.text[i:], "\r\n"):
		return text
	case c == '\r':
		return append(text, ' ')
	default:
		return append(text, c)
	}
}

// word reads an atom. Its text is empty if there is but a backslash at the end
// of a line.
func (s *scanner) word() token {
	i := s.pos
	for i < len(s.text) && !endsAtom(s.text[i]) && s.text[i] != '\\' {
		i++
	}
	text := s.text[s.pos:i]
	if i < len(s.text) && s.text[i] == '\\' {
		text, i = s.escaped(i)
	}
	s.pos = i
	if isAtom(text) {
		return token{atom, text}
	}
	return token{quoted, text}
}

// escaped reads an atom whose first backslash is at i, and returns its end.
func (s *scanner) escaped(i int) (string, int) {
	text := []byte(s.text[s.pos:i])
	for i < len(s.text) && !endsAtom(s.text[i]) {
		if s.text[i] == '\\' {
			i++
			if i == len(s.text) || s.text[i] == '\r' || s.text[i] == '\n' {
				break
			}
		}
		text = append(text, s.text[i])
		i++
	}
	return string(text), i
}

func endsAtom(c byte) bool {
	switch c {
	case ' ', '\t', '\r', '\n', '(', '[', '"', '<', '>', ';', ':', '@', ',', '.':
		return true
	}
	return false
}

// isAtom reports whether text needs no quotes.
func isAtom(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == ')' || c == ']' || c == '\\' || endsAtom(c) {
			return false
		}
	}
	return true
}

// appendTo writes the token as it stands in a header.
func (t token) appendTo(dst []byte) []byte {
	switch t.kind {
	case atom:
		return append(dst, t.text...)
	case quoted:
		return append(appendEscaped(append(dst, '"'), t.text), '"')
	case literal:
		return append(appendEscaped(append(dst, '['), t.text), ']')
	case comment:
		return append(appendEscaped(append(dst, '('), t.text), ')')
	}
	return append(dst, byte(t.kind))
}

// appendEscaped puts a backslash before quotes, brackets and backslashes. What
// comes from the environment may hold a newline, which must not end the field.
func appendEscaped(dst []byte, text string) []byte {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch c {
		case '"', '(', ')', '[', ']', '\\':
			dst = append(dst, '\\')
		case '\r', '\n':
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}

// envelope returns the address that the tokens stand for, as envelopes(5) has
// it: nothing quoted, no comments.
func envelope(addr []token) string {
	var b strings.Builder
	for _, t := range addr {
		switch t.kind {
		case comment:
		case literal:
			b.WriteByte('[')
			b.WriteString(t.text)
			b.WriteByte(']')
		case atom, quoted:
			b.WriteString(t.text)
		default:
			b.WriteByte(byte(t.kind))
		}
	}
	return b.String()
}
