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
// queue/bounce/N has the paragraphs alone.
//
// The package writes and parses; what is bounced, and when, is for package send.
package bounce

import (
	"io"
	"strings"
	"time"

	"goqmail/internal/address"
	"goqmail/internal/date822"
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

// Notice is a bounce or a double bounce.
type Notice struct {
	From   string // local part of its author, bouncefrom
	Host   string // host of its author, bouncehost
	To     string // envelope recipient
	Sender string // where notices about the message go ([ReturnTo]); empty: a double bounce
	Date   time.Time
}

// Texts around the paragraphs, which other programs match on.
const (
	subject = "failure notice"

	introduction = ".\nI'm afraid I wasn't able to deliver your message to the following addresses.\n" +
		"This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
	doubleIntroduction = ".\nI tried to deliver a bounce message to this address, but the bounce bounced!\n\n"

	copyLine       = "--- Below this line is a copy of the message.\n\n"
	doubleCopyLine = "--- Below this line is the original bounce.\n\n"
)

// Write writes the notice: its header, the paragraphs, and the original message
// as it is in the queue.
func (n Notice) Write(w io.Writer, paragraphs, original io.Reader) error {
	intro, line := introduction, copyLine
	if n.Sender == "" {
		intro, line = doubleIntroduction, doubleCopyLine
	}
	head := "Date: " + date822.Format(n.Date) +
		"\nFrom: " + address.QuoteLocal(n.From) + "@" + n.Host +
		"\nTo: " + header(n.To) +
		"\nSubject: " + subject +
		"\n\nHi. This is the qmail-send program at " + n.Host + intro
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	if _, err := io.Copy(w, paragraphs); err != nil {
		return err
	}
	if _, err := io.WriteString(w, line+"Return-Path: <"+header(n.Sender)+">\n"); err != nil {
		return err
	}
	_, err := io.Copy(w, original)
	return err
}

// header writes an envelope address into a header line. A newline in it would
// begin a header of its own.
func header(addr string) string {
	return address.Quote(strings.NewReplacer("\n", "_", "\r", "_").Replace(addr))
}
