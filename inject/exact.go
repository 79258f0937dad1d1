package inject

import (
	"errors"
	"slices"
	"strings"
)

// exact reads an address list from left to right, RFC 5322 section 3.4, and finds
// the few bytes of it that have to change: a host that is missing or short, and a
// comma that is missing between two addresses. One exact serves one field.
//
// It is stricter than [list]: what it cannot be sure of is an error, since to
// guess is to send mail to strangers or to nobody.
type exact struct {
	defaults *defaults
	// found is called for each address, qualified, in envelope form; with the empty
	// string for <>.
	found func(address string) error

	scan  scanner
	edits []edit

	part   []span // since the last comma or bracket
	addr   []span // room for what is in angle brackets
	group  bool   // between a : and its ;
	closed int    // where a > or ; ended that nothing has followed yet, or -1
	joined bool   // the address at hand follows another one without a comma
}

// span is a token and where it stands.
type span struct {
	token
	start, end int
}

// edit puts text in the place of the bytes from start to end.
type edit struct {
	start, end int
	text       string
}

var errSyntax = errors.New("no list of addresses")

// parse reads the value of a field, or one argument.
func (x *exact) parse(value string) error {
	if len(value) > MaxHeader {
		return errHeaderTooLong
	}
	x.scan, x.closed = scanner{text: value}, -1
	for {
		t, err := x.next()
		if err == nil {
			err = x.take(t)
		}
		if err != nil || t.kind == end {
			return err
		}
	}
}

// next returns the next token and its place.
func (x *exact) next() (span, error) {
	for x.scan.pos < len(x.scan.text) && strings.IndexByte(" \t\r\n", x.scan.text[x.scan.pos]) >= 0 {
		x.scan.pos++
	}
	start := x.scan.pos
	t, err := x.scan.next()
	s := span{t, start, x.scan.pos}
	if err == nil && x.cutOff(s) {
		err = errSyntax
	}
	return s, err
}

// cutOff reports whether there is a backslash before or in a token with nothing
// behind it on its line.
func (x *exact) cutOff(s span) bool {
	text := x.scan.text[s.start:s.end]
	if s.kind != atom && s.kind != quoted && s.kind != end || strings.HasPrefix(text, "\"") {
		return false
	}
	for i := strings.IndexByte(text, '\\'); i >= 0 && i < len(text); i++ {
		if text[i] == '\\' {
			if i++; i == len(text) || text[i] == '\r' || text[i] == '\n' {
				return true
			}
		}
	}
	return false
}

func (x *exact) take(t span) error {
	switch t.kind {
	case comma, end:
		err := x.endMember()
		x.closed, x.joined = -1, false
		if err == nil && t.kind == end && x.group {
			return errSyntax
		}
		return err
	case semi:
		return x.endGroup(t)
	case right:
		return errSyntax
	case comment:
		return x.keep(t)
	}
	x.join()
	switch t.kind {
	case left:
		return x.angle()
	case colon:
		return x.beginGroup()
	}
	return x.keep(t)
}

func (x *exact) keep(t span) error {
	if len(x.part) == maxPart {
		return errHeaderTooLong
	}
	x.part = append(x.part, t)
	return nil
}

// join puts in a comma if something follows an address that is complete.
func (x *exact) join() {
	if x.closed >= 0 {
		x.edits = append(x.edits, edit{x.closed, x.closed, ","})
		x.closed, x.joined = -1, true
	}
}

// beginGroup reads the words before a colon.
func (x *exact) beginGroup() error {
	words := withoutComments(x.part)
	x.part = x.part[:0]
	isSign := func(s span) bool { return s.kind == at }
	if x.group || len(words) == 0 || slices.ContainsFunc(words, isSign) {
		return errSyntax
	}
	x.group, x.joined = true, false
	return nil
}

func (x *exact) endGroup(t span) error {
	err := x.endMember()
	if err == nil && !x.group {
		return errSyntax
	}
	x.group, x.closed = false, t.end
	return err
}

// angle reads an address in angle brackets.
func (x *exact) angle() error {
	x.part = x.part[:0] // the phrase
	x.addr = x.addr[:0]
	for {
		t, err := x.next()
		if err != nil {
			return err
		}
		switch t.kind {
		case right:
			x.closed = t.end
			return x.inAngle()
		case left, semi, end:
			return errSyntax
		}
		if len(x.addr) == maxPart {
			return errHeaderTooLong
		}
		x.addr = append(x.addr, t)
	}
}

// inAngle reads what was in angle brackets, which may begin with a route.
func (x *exact) inAngle() error {
	addr := withoutComments(x.addr)
	if len(addr) == 0 {
		return x.found("")
	}
	if addr[0].kind == at {
		colonAt := slices.IndexFunc(addr, func(s span) bool { return s.kind == colon })
		addr = addr[colonAt+1:] // without a colon it is no address anyway
	}
	return x.address(addr)
}

// endMember reads an address without brackets. Where a word follows a word, a
// comma is missing; that is believed if both sides have hosts, for otherwise
// "Bob Smith bob@example.org" would go to three people.
func (x *exact) endMember() error {
	rest := withoutComments(x.part)
	x.part = x.part[:0]
	several := x.joined
	for len(rest) > 0 {
		n := addressLength(rest)
		several = several || n < len(rest)
		if several && !slices.ContainsFunc(rest[:n], func(s span) bool { return s.kind == at }) {
			return errSyntax
		}
		if err := x.address(rest[:n]); err != nil {
			return err
		}
		if n < len(rest) {
			x.edits = append(x.edits, edit{rest[n-1].end, rest[n-1].end, ","})
		}
		rest = rest[n:]
	}
	return nil
}

// addressLength returns how many tokens there are before a word follows a word.
func addressLength(addr []span) int {
	for i := 1; i < len(addr); i++ {
		if addr[i-1].kind.isWord() && addr[i].kind.isWord() {
			return i
		}
	}
	return len(addr)
}

func withoutComments(part []span) []span {
	return slices.DeleteFunc(part, func(s span) bool { return s.kind == comment })
}

// address completes an address.
func (x *exact) address(addr []span) error {
	if !x.isAddress(addr) {
		return errSyntax
	}
	toks := make([]token, len(addr), len(addr)+8)
	for i, s := range addr {
		toks[i] = s.token
	}
	box, ok := x.defaults.qualify(make([]token, 0, len(addr)+8), toks)
	if !ok {
		return errSyntax
	}
	x.change(addr, box)
	return x.found(envelope(box))
}

// change notes how an address becomes another one, which begins in the same way.
func (x *exact) change(addr []span, box []token) {
	same := 0
	for same < len(addr) && same < len(box) && addr[same].token == box[same] {
		same++
	}
	if same == len(addr) && same == len(box) {
		return
	}
	e := edit{start: addr[len(addr)-1].end, end: addr[len(addr)-1].end}
	if same < len(addr) {
		e.start = addr[same].start
	}
	var text []byte
	for _, t := range box[same:] {
		text = t.appendTo(text)
	}
	e.text = string(text)
	x.edits = append(x.edits, e)
}

// isAddress reports whether the tokens are words with dots between them and
// perhaps, after one @, a host. Dots may stand anywhere before the @, as they do
// in addresses that exist.
func (x *exact) isAddress(addr []span) bool {
	sign := slices.IndexFunc(addr, func(s span) bool { return s.kind == at })
	box, host := addr, []span(nil)
	if sign >= 0 {
		if box, host = addr[:sign], addr[sign+1:]; len(host) == 0 {
			return false
		}
	}
	if !slices.ContainsFunc(box, func(s span) bool { return s.kind != dot }) {
		return false
	}
	for i, s := range box {
		if s.kind != atom && s.kind != quoted && s.kind != dot || i > 0 && s.kind.isWord() && box[i-1].kind.isWord() {
			return false
		}
	}
	return x.isHost(host)
}

// isHost reports whether the tokens are a literal or names with single dots in
// between; a dot may stand at the end too. A plus that nothing is before is no name. A name with letters beyond ASCII is a
// token of kind quoted.
func (x *exact) isHost(host []span) bool {
	if len(host) == 1 && host[0].kind == literal {
		return true
	}
	for i, s := range host {
		isName := s.kind == atom || s.kind == quoted && x.scan.text[s.start] != '"'
		if s.text == "+" || isName != (i%2 == 0) || !isName && s.kind != dot {
			return false
		}
	}
	return true
}

// appendTo writes the value with its changes.
func (x *exact) appendTo(dst []byte) []byte {
	done := 0
	for _, e := range x.edits {
		dst = append(append(dst, x.scan.text[done:e.start]...), e.text...)
		done = e.end
	}
	return append(dst, x.scan.text[done:]...)
}
