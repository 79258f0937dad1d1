// Package report has the two kinds of reports by which the outcome of a delivery
// travels: what a spawner says to qmail-send, and what qmail-remote says to
// qmail-rspawn.
//
// # File format
//
// A spawner's report is a letter and a text without NUL; what comes before it (the
// number of the delivery) and ends it (a NUL) belongs to the pipe, see
// goqmail/internal/spawn.
//
//	K  delivered
//	Z  not delivered, try again
//	D  not delivered, for good
//
// The text goes to the log, and into the bounce; its lines end in newlines. What
// begins with another letter is not a report. For example
//
//	DSorry, no mailbox here by that name. (#5.1.1)⏎
//
// qmail-remote, qmail-remote(8), prints records that each end in a NUL: one for
// each recipient, then one for the message. A record is a letter and a text.
//
//	r  the recipient was accepted
//	h  it was refused for good
//	s  it was refused for now
//	K  the message was accepted for the recipients marked r
//	Z  it was refused for now, for all of them
//	D  it was refused for good, for all of them
//
// For example, with · for NUL:
//
//	r192.0.2.1 accepted recipient.⏎·K192.0.2.1 accepted message.⏎·
//
// [Remote] turns that into one report. A record without its NUL is as good as
// not there. Texts longer than [MaxText] are cut.
package report

import (
	"strings"

	"goqmail/internal/exitcode"
)

// MaxText is how many bytes of a text are kept, many times what qmail-send takes.
const MaxText = 64 << 10

// Report is the outcome of one delivery.
type Report struct {
	Verdict exitcode.Verdict
	Text    string // nothing, or lines that each end in a newline
}

// K reports a success.
func K(text string) Report { return Report{exitcode.Success, text} }

// Z reports a temporary failure.
func Z(text string) Report { return Report{exitcode.Temporary, text} }

// D reports a permanent failure.
func D(text string) Report { return Report{exitcode.Permanent, text} }

// Letter is the report's first byte.
func (r Report) Letter() byte {
	switch r.Verdict {
	case exitcode.Success:
		return 'K'
	case exitcode.Permanent:
		return 'D'
	}
	return 'Z'
}

// Append appends the report as it travels, cut before the first NUL in its text.
func (r Report) Append(b []byte) []byte {
	text, _, _ := strings.Cut(r.Text, "\x00")
	return append(append(b, r.Letter()), text...)
}

// Parse reads a report. What is none is a temporary failure and ok false.
func Parse(s string) (r Report, ok bool) {
	if s == "" {
		return Report{}, false
	}
	switch s[0] {
	case 'K':
		return K(s[1:]), true
	case 'Z':
		return Z(s[1:]), true
	case 'D':
		return D(s[1:]), true
	}
	return Z(s), false
}
