package inject

import (
	"errors"
	"slices"
	"strings"

	"goqmail/control"
	"goqmail/internal/address"
)

// setExactSender is SetSender for [Policy.Exact]. The argument is an address as
// in a header, <> or nothing. Who sends the message then is also who it is from,
// unless its header says so.
func (in *Injector) setExactSender(arg string) error {
	senders, err := in.parseArgument(arg)
	switch {
	case err != nil || len(senders) > 1:
		return addressError(arg)
	case len(senders) == 0 || senders[0] == "":
		in.sender, in.hasSender = "", true
		return nil
	}
	in.sender, in.hasSender = senders[0], true
	local, host, hasHost := address.Split(in.sender)
	in.identity.user, in.identity.host, in.identity.name = value{local, true}, value{host, hasHost}, value{}
	return nil
}

// NoBounces makes the envelope sender the null sender; who the message is from
// stays as it is.
func (in *Injector) NoBounces() { in.sender, in.hasSender = "", true }

// VERP makes the envelope sender another one for each recipient: sep and the
// recipient are put behind its local part, see VERP in addresses(5).
func (in *Injector) VERP(sep string) { in.separator = sep }

// addExact is AddRecipients for [Policy.Exact]: an argument is a list.
func (in *Injector) addExact(arg string) error {
	recipients, err := in.parseArgument(arg)
	if err != nil || slices.Contains(recipients, "") {
		return addressError(arg)
	}
	for _, recipient := range recipients {
		if key := sameMailbox(recipient); !in.known[key] {
			in.known[key] = true
			in.given = append(in.given, recipient)
		}
	}
	return nil
}

// parseArgument reads an argument as a list of addresses. What is no list, but
// cannot be one in a wrong form either, is a mailbox: joe@home@example.org.
func (in *Injector) parseArgument(arg string) ([]string, error) {
	var found []string
	x := exact{defaults: &in.defaults, found: func(address string) error {
		if strings.IndexByte(address, 0) >= 0 {
			return errNUL
		}
		found = append(found, address)
		return nil
	}}
	err := x.parse(arg)
	if errors.Is(err, errSyntax) && isMailbox(arg) {
		mailbox, err := in.defaults.argument(arg)
		return []string{mailbox}, err
	}
	return found, err
}

// isMailbox reports whether an argument has several signs at, each with something
// on both sides, and nothing else that has a meaning.
func isMailbox(arg string) bool {
	if strings.ContainsAny(arg, " \t\r\n\x00<>()[],;:\"\\") || strings.Count(arg, "@") < 2 {
		return false
	}
	for part := range strings.SplitSeq(arg, "@") {
		if strings.Trim(part, ".") != part || part == "" {
			return false
		}
	}
	return true
}

// sameMailbox returns what two addresses share if they are one mailbox for sure.
func sameMailbox(addr string) string {
	local, host, ok := address.Split(addr)
	if !ok {
		return addr
	}
	return local + "@" + strings.ToLower(host)
}

// exactList is list for [Policy.Exact].
func (m *message) exactList(t *fieldType, field []byte, i int) ([]byte, error) {
	if t.holds == returnPath {
		return nil, nil
	}
	x := exact{defaults: &m.defaults}
	add := m.finder(t)
	var found []string
	x.found = func(address string) error {
		switch {
		case t.holds == senders:
			return nil
		case address == "":
			return errSyntax
		}
		found = append(found, address)
		return nil
	}
	switch err := x.parse(string(field[i+1:])); {
	case errors.Is(err, errHeaderTooLong):
		return nil, err
	case err != nil:
		m.noteBad(t, field)
		return field, nil
	}
	for _, address := range slices.Backward(found) { // as qmail-inject does
		if err := add(address); errors.Is(err, errNUL) {
			m.noteBad(t, field)
		} else if err != nil {
			return nil, err
		}
	}
	if len(x.edits) == 0 {
		return field, nil
	}
	return x.appendTo(append(make([]byte, 0, len(field)+len(field)/4), field[:i+1]...)), nil
}

// noteBad remembers a field of recipients that cannot be parsed. Whether it
// matters is only known when the whole header is.
func (m *message) noteBad(t *fieldType, field []byte) {
	switch {
	case t.holds == senders:
	case t.holds == resentRecipients && m.badResent == nil:
		m.badResent = slices.Clone(field)
	case t.holds != resentRecipients && m.bad == nil:
		m.bad = slices.Clone(field)
	}
}

// badRecipients is an error if a field that says who gets the message does so in
// no way that can be understood.
func (m *message) badRecipients() error {
	bad := m.bad
	if m.resent {
		bad = m.badResent
	}
	if bad == nil || !m.fromHeader() {
		return nil
	}
	return listError(bad)
}

// isNew reports whether nobody of that address gets the message yet, and
// remembers it.
func (m *message) isNew(holds contents, address string) bool {
	if !m.policy.Exact {
		return true
	}
	known := &m.known
	if holds == resentRecipients {
		known = &m.knownResent
	}
	if *known == nil {
		*known = map[string]bool{}
	}
	key := sameMailbox(address)
	if (*known)[key] || m.Injector.known[key] {
		return false
	}
	(*known)[key] = true
	return true
}

// envelopeSender finishes the sender of the envelope: what control/masquerade
// says of it, and VERP.
func (in *Injector) envelopeSender(sender string) string {
	sender = Masquerade(in.senders, sender)
	if in.separator == "" || sender == "" || strings.HasSuffix(sender, "@[]") {
		return sender
	}
	local, host, _ := address.Split(sender)
	return local + in.separator + "@" + host + "-@[]"
}

// Masquerade returns what a sender is to be called by the map in
// control/masquerade: of the address itself, its host, the domains that the host
// is in, with a dot before them, and the empty key the first one that there is
// counts. A value without an @ is put in the host's place. The null sender and
// those of double bounces and VERPs stay what they are.
func Masquerade(names control.Map, sender string) string {
	local, host, ok := address.Split(sender)
	if !ok || sender == "" || host == "[]" {
		return sender
	}
	name, ok := names.Get(sender)
	if !ok {
		name, ok = names.Get(host)
	}
	for rest := host; !ok; {
		i := strings.IndexByte(rest, '.')
		if i < 0 {
			name, ok = names.Get("")
			break
		}
		rest = rest[i+1:]
		name, ok = names.Get("." + rest)
	}
	switch {
	case !ok || name == "":
		return sender
	case strings.Contains(name, "@"):
		return name
	}
	return local + "@" + name
}

// exactFrom returns the mailbox of a From field for a message that has none, with
// the name that control/masquerade gives it.
func (in *Injector) exactFrom(box []token) ([]token, error) {
	if in.senders == nil {
		return box, nil
	}
	full, _ := in.defaults.qualify(nil, box)
	return mailbox(address.Split(Masquerade(in.senders, envelope(full))))
}

// nameTokens returns a name for the From field: a quoted string, or in RFC 2047's
// form if it is not of ASCII alone.
func (in *Injector) nameTokens(name string) []token {
	if !in.policy.Exact {
		return []token{{quoted, name}}
	}
	var words []token
	for _, word := range encodeWords(name) {
		words = append(words, token{atom, word})
	}
	if words == nil {
		words = []token{{quoted, name}}
	}
	return words
}
