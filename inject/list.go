package inject

import "slices"

// width is how many columns a line of a list may have if it can be folded.
const width = 78

// maxPart is how many tokens there may be between two commas of a list.
const maxPart = 1 << 20

// list reads an address list from right to left, which needs no looking ahead,
// and writes it anew. One list serves one field; see [list.parse].
type list struct {
	defaults *defaults
	// found is called for each address, qualified, in envelope form, from right to
	// left; with the empty string for <> and for what is no address.
	found func(address string) error

	bad  bool // a : without its ;, a ; before another one's :, or a > without its <
	open bool // a < without its >
	err  error

	group bool    // between a ; and its :
	word  bool    // a word would continue the address at its right
	addr  []token // the address at hand, reversed
	box   []token // room for that address, qualified
	out   []token // what it becomes up to the next comma at the left, reversed

	// What the field becomes: texts that end where a line may be folded, the last
	// one first, and where they end. They are kept as text, since a long list has
	// far more tokens than bytes of memory would hold.
	text []byte
	ends []int32
}

// parse reads the value of a field. The list is cut at its commas first, so that
// only one part of it at a time is held as tokens.
func (l *list) parse(value string) error {
	if len(value) > MaxHeader {
		return errHeaderTooLong
	}
	ends, err := parts(value)
	if err != nil {
		return err
	}
	l.text = make([]byte, 0, len(value))
	var toks []token
	for i := len(ends) - 1; i >= 0; i-- {
		start := int32(0)
		if i > 0 {
			start = ends[i-1]
		}
		if toks, err = scan(toks[:0], value[start:ends[i]]); err != nil {
			return err
		}
		if l.part(toks); l.err != nil {
			return l.err
		}
	}
	return nil
}

// parts returns where the parts of a list end: behind each comma that is not
// within quotes, brackets or angle brackets, and at the very end.
func parts(value string) (ends []int32, err error) {
	s := scanner{text: value}
	angle, tokens := false, 0
	for {
		t, err := s.next()
		if err != nil {
			return nil, err
		}
		if tokens++; tokens > maxPart {
			return nil, errHeaderTooLong
		}
		switch t.kind {
		case left:
			angle = true
		case right:
			angle = false
		case comma:
			if !angle {
				ends, tokens = append(ends, int32(s.pos)), 0
			}
		case end:
			return append(ends, int32(len(value))), nil
		}
	}
}

// part reads one part of the list.
func (l *list) part(toks []token) {
	l.word = true
	for i := len(toks) - 1; i >= 0 && l.err == nil; {
		i = l.step(toks, i)
	}
	l.flush()
	l.print()
}

// step reads the token at i, and more that belong to it, and returns the index
// of the next one at the left.
func (l *list) step(toks []token, i int) int {
	switch t := toks[i]; t.kind {
	case right:
		return l.angle(toks, i)
	case left:
		l.open = true
		l.flush()
		return l.phrase(toks, i)
	case colon:
		return l.groupName(toks, i)
	case semi:
		l.flushComma()
		l.bad = l.bad || l.group
		l.group, l.word = true, true
		l.out = append(l.out, t)
	case comma:
		l.flush()
		l.word = true
		l.comma()
	case comment:
		// A comment is a blank to the address, behind which it ends up.
		l.out = append(l.out, t)
	case atom, quoted, literal:
		if !l.word {
			l.flushComma()
		}
		l.word = false
		l.addr = append(l.addr, t)
	default:
		l.word = true
		l.addr = append(l.addr, t)
	}
	return i - 1
}

// angle reads an address in angle brackets and its phrase. A > that closes
// nothing is passed over.
func (l *list) angle(toks []token, i int) int {
	open := i - 1
	for open >= 0 && toks[open].kind != left && toks[open].kind != right {
		open--
	}
	if open < 0 || toks[open].kind == right {
		l.bad = true
		return i - 1
	}
	l.flushComma()
	l.out = append(l.out, toks[i])
	for j := i - 1; j > open; j-- {
		l.addr = append(l.addr, toks[j])
	}
	l.address() // even if it is empty
	return l.phrase(toks, open)
}

// phrase reads a < at i and the words before it.
func (l *list) phrase(toks []token, i int) int {
	l.word = false
	l.out = append(l.out, toks[i])
	for i--; i >= 0 && inPhrase(toks, i); i-- {
		l.out = append(l.out, toks[i])
	}
	return i
}

// inPhrase reports whether a token before a < belongs to the phrase. A literal
// does unless it is a host, which ends an address.
func inPhrase(toks []token, i int) bool {
	switch toks[i].kind {
	case comment, atom, quoted, at, dot:
		return true
	case literal:
		return i == 0 || toks[i-1].kind != at
	}
	return false
}

// groupName reads a : at i and what stands before it, up to a comma.
func (l *list) groupName(toks []token, i int) int {
	l.flush()
	l.bad = l.bad || !l.group
	l.group, l.word = false, true
	for ; i >= 0 && toks[i].kind != comma; i-- {
		l.out = append(l.out, toks[i])
	}
	return i
}

// flush ends the address at hand, if there is one.
func (l *list) flush() {
	if len(l.addr) > 0 {
		l.address()
	}
}

// flushComma ends the address at hand, and puts in the comma that is missing
// before it.
func (l *list) flushComma() {
	if len(l.addr) > 0 {
		l.address()
		l.comma()
	}
}

// address completes the address at hand.
func (l *list) address() {
	slices.Reverse(l.addr)
	box, ok := l.defaults.qualify(l.box[:0], l.addr)
	found := ""
	if ok {
		found = envelope(box)
	}
	if err := l.found(found); l.err == nil {
		l.err = err
	}
	for i := len(box) - 1; i >= 0; i-- {
		l.out = append(l.out, box[i])
	}
	l.box, l.addr = box, l.addr[:0]
}

// comma writes what is at the right of a comma, and then goes on with the comma.
func (l *list) comma() {
	l.print()
	l.out = append(l.out, token{kind: comma})
}

// print writes what is in out.
func (l *list) print() {
	if len(l.out) == 0 {
		return
	}
	before := colon // or a comma: either has a blank behind it
	for _, t := range slices.Backward(l.out) {
		if spaced(before, t.kind) {
			l.text = append(l.text, ' ')
		}
		l.text = t.appendTo(l.text)
		before = t.kind
	}
	l.ends = append(l.ends, int32(len(l.text)))
	l.out = l.out[:0]
	if len(l.text) > MaxHeader && l.err == nil {
		l.err = errHeaderTooLong
	}
}

// spaced reports whether a blank goes between two tokens.
func spaced(first, second kind) bool {
	return first == colon || first == comma || second == left || first.isWord() && second.isWord()
}

// appendField writes the field anew, folded behind commas. A line that goes on
// begins with two blanks.
func (l *list) appendField(dst []byte, name string) []byte {
	dst = slices.Grow(dst, len(name)+2+len(l.text)+len(l.text)/width)
	dst = append(append(dst, name...), ':')
	column := len(name) + 1
	for i := len(l.ends) - 1; i >= 0; i-- {
		start := int32(0)
		if i > 0 {
			start = l.ends[i-1]
		}
		text := l.text[start:l.ends[i]]
		if i < len(l.ends)-1 && column+len(text) > width {
			dst = append(dst, "\n "...)
			column = 1
		}
		dst = append(dst, text...)
		column += len(text)
	}
	return append(dst, '\n')
}
