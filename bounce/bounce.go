// Package bounce writes and reads the notices that tell a sender what could not be
// delivered: bounces, and double bounces about bounces that failed.
//
// # File format
//
// A bounce is in QSBMF, the qmail-send bounce message format: a message whose
// body is an introduction, a paragraph for each recipient, and a copy of the
// message. Paragraphs end in an empty line and have none inside:
//
//	Hi. This is the qmail-send program at mx.example.org.
//	I'm afraid I wasn't able to deliver your message to the following addresses.
//	This is a permanent error; I've given up. Sorry it didn't work out.
//
//	<joe@example.org>:
//	Sorry, no mailbox here by that name. (#5.1.1)
//
//	--- Below this line is a copy of the message.
//
//	Return-Path: <ann@example.org>
//	Subject: hello
//
//	Hello, Joe.
//
// Programs recognise a bounce by the words "Hi. This is the", a recipient by a
// paragraph that begins with < and has >: at the end of its first line, and the
// end of the recipients by a paragraph that begins with a dash. The file
// queue/bounce/N has the paragraphs alone. qsbmf(5) says more.
//
// A bounce may be wrapped as a multipart/report (RFC 3462, RFC 3464): then its
// first part is the same text up to the copy, the second one says the same once
// more for programs, and the third one is the copy. It has no preamble, so that
// a reader of QSBMF who passes over lines that begin with two dashes, as ezmlm
// does, finds the introduction first.
//
// A delay warning ([Delay]) is no bounce and must not be taken for one.
//
// The package writes ([Notice]) and parses ([Reader]); what is bounced, and when,
// is for package send.
package bounce

import (
	"strings"

	"goqmail/internal/address"
)

// Paragraph is what a notice says of one recipient: its address and the report of
// the delivery that failed. A newline in the address, or an empty line in the
// report, could pass for the end of the paragraph, so that they are replaced.
func Paragraph(recipient, report string) string {
	text := "<" + strings.ReplaceAll(recipient, "\n", "_") + ">:\n" + report
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	b := []byte(text)
	// Compat: the very last newline stays, whatever is before it.
	for i := len(b) - 2; i > 0; i-- {
		if b[i] == '\n' && b[i-1] == '\n' {
			b[i] = '/'
		}
	}
	return string(b) + "\n"
}

// Senders of envelopes with a meaning of their own.
const (
	// DoubleSender is the envelope sender of a double bounce. What is sent under
	// it and fails is dropped.
	DoubleSender = "#@[]"
	// verpSuffix ends a sender that is made anew for each recipient.
	verpSuffix = "-@[]"
)

// Sender is the envelope sender under which a message goes to one recipient:
// list-@host-@[] becomes list-box=rhost@host for the recipient box@rhost (variable
// envelope return paths, envelopes(5)). All others stay as they are.
func Sender(sender, recipient string) string {
	prefix, ok := strings.CutSuffix(sender, verpSuffix)
	if !ok {
		return sender
	}
	box, rhost, rok := address.Split(recipient)
	list, host, ok := address.Split(prefix)
	if !ok || !rok {
		return sender
	}
	return list + box + "=" + rhost + "@" + host
}

// ReturnTo is the address that notices about a message go to: list-@host for the
// sender list-@host-@[], the sender itself for others. If it is empty or
// [DoubleSender], there is nobody to tell.
func ReturnTo(sender string) string { return strings.TrimSuffix(sender, verpSuffix) }

// Failure is a recipient and what was said about it.
type Failure struct {
	Recipient string
	Report    string // lines, each with its newline
}
