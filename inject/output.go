package inject

import (
	"strconv"
	"strings"

	"goqmail/internal/address"
	"goqmail/internal/date822"
)

// top returns the fields that go before those of the message: what is missing.
func (m *message) top() ([]byte, error) {
	prefix := ""
	if m.resent {
		prefix = "Resent-"
	}
	var top []byte
	if !m.has(prefix + "Date") {
		top = append(top, prefix+"Date: "+date822.Format(m.now)+"\n"...)
	}
	if !m.has(prefix + "Message-ID") {
		top = append(top, prefix+"Message-ID: "+m.messageID()+"\n"...)
	}
	if !m.has(prefix + "From") {
		from, err := m.from()
		if err != nil {
			return nil, err
		}
		top = append(append(top, prefix...), from...)
	}
	if !m.policy.Exact && !m.has(prefix+"To") && !m.has(prefix+"Cc") {
		top = append(top, prefix+"Cc: recipient list not shown: ;\n"...)
	}
	if !m.resent {
		top = m.appendFollowup(top)
	}
	return top, nil
}

func (m *message) has(name string) bool { return m.seen[strings.ToLower(name)] }

// messageID is made of the time in UTC and the process id.
func (m *message) messageID() string {
	return "<" + m.now.UTC().Format("20060102150405") + "." + strconv.Itoa(m.pid) + ".qmail@" + oneLine(m.idhost) + ">"
}

// appendFollowup writes Mail-Followup-To if one of the addresses in To and Cc is
// a mailing list that the user named.
func (m *message) appendFollowup(dst []byte) []byte {
	if m.has("Mail-Followup-To") || !m.toList() {
		return dst
	}
	dst = append(dst, "Mail-Followup-To: "...)
	for i := len(m.followups) - 1; i >= 0; i-- {
		dst = append(dst, oneLine(address.Quote(m.followups[i]))...)
		if i > 0 {
			dst = append(dst, ",\n  "...)
		}
	}
	return append(dst, '\n')
}

func (m *message) toList() bool {
	for _, address := range m.followups {
		if m.lists.Has(address) {
			return true
		}
	}
	return false
}

// oneLine keeps a newline, which only the environment and the arguments can put
// into a name or an address, from ending a field.
func oneLine(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r", "_"), "\n", "_")
}
