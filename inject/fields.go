package inject

import "strings"

// contents says what the addresses in a field are.
type contents int

const (
	noAddresses      contents = iota
	senders                   // completed
	returnPath                // completed; the envelope sender
	recipients                // completed; recipients
	toCc                      // completed; recipients that a follow-up goes to, too
	resentRecipients          // completed; recipients of a resent message
)

// fieldType describes a field that has a meaning, qmail-header(5).
type fieldType struct {
	name    string // in lower case
	holds   contents
	removed bool // never goes out
}

// resent reports whether the field makes a message a resent one.
func (t *fieldType) resent() bool { return strings.HasPrefix(t.name, "resent-") }

var fieldTypes = [...]fieldType{
	{name: "apparently-to", holds: recipients},
	{name: "bcc", holds: recipients, removed: true},
	{name: "cc", holds: toCc},
	{name: "content-length", removed: true}, // it would be wrong as soon as a byte changes
	{name: "date"},
	{name: "errors-to", holds: senders},
	{name: "from", holds: senders},
	{name: "mail-followup-to"},
	{name: "message-id"},
	{name: "reply-to", holds: senders},
	{name: "resent-bcc", holds: resentRecipients, removed: true},
	{name: "resent-cc", holds: resentRecipients},
	{name: "resent-date"},
	{name: "resent-from", holds: senders},
	{name: "resent-message-id"},
	{name: "resent-reply-to", holds: senders},
	{name: "resent-sender", holds: senders},
	{name: "resent-to", holds: resentRecipients},
	{name: "return-path", holds: returnPath, removed: true},
	{name: "return-receipt-to", holds: senders},
	{name: "sender", holds: senders},
	{name: "to", holds: toCc},
}

// typeOf returns the type of a field by its name, whatever its case, or nil.
func typeOf(name string) *fieldType {
	for i := range fieldTypes {
		if t := &fieldTypes[i]; strings.EqualFold(name, t.name) {
			return t
		}
	}
	return nil
}
