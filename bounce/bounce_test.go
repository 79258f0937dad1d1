package bounce

import (
	"strings"
	"testing"
	"time"
)

func TestParagraph(t *testing.T) {
	for _, tt := range []struct{ name, recipient, report, want string }{
		{"plain", "joe@x", "no.\n", "<joe@x>:\nno.\n\n"},
		{"no newline", "joe@x", "no.", "<joe@x>:\nno.\n\n"},
		{"empty report", "joe@x", "", "<joe@x>:\n\n"},
		{"blank line", "joe@x", "a\n\nb\n", "<joe@x>:\na\n/b\n\n"},
		{"newline first", "joe@x", "\na\n", "<joe@x>:\n/a\n\n"},
		{"blank lines at the end", "joe@x", "a\n\n\n", "<joe@x>:\na\n/\n\n"},
		{"newlines in the address", "a\n\nb@x", "no\n", "<a__b@x>:\nno\n\n"},
	} {
		if got := Paragraph(tt.recipient, tt.report); got != tt.want {
			t.Errorf("%s: Paragraph(%q, %q) = %q, want %q", tt.name, tt.recipient, tt.report, got, tt.want)
		}
	}
}

func TestSender(t *testing.T) {
	for _, tt := range []struct{ sender, recipient, want, back string }{
		{"ann@x", "joe@y", "ann@x", "ann@x"},
		{"list-@x-@[]", "joe@y", "list-joe=y@x", "list-@x"},
		{"list-@x-@[]", "a@b@y", "list-a@b=y@x", "list-@x"},
		{"list-@x-@[]", "joe", "list-@x-@[]", "list-@x"},
		{"a@b@x-@[]", "joe@y", "a@bjoe=y@x", "a@b@x"},
		{"list-@[]", "joe@y", "list-@[]", "list"},
		{"-@[]", "joe@y", "-@[]", ""},
		{"#@[]", "joe@y", "#@[]", "#@[]"},
		{"", "joe@y", "", ""},
	} {
		if got := Sender(tt.sender, tt.recipient); got != tt.want {
			t.Errorf("Sender(%q, %q) = %q, want %q", tt.sender, tt.recipient, got, tt.want)
		}
		if got := ReturnTo(tt.sender); got != tt.back {
			t.Errorf("ReturnTo(%q) = %q, want %q", tt.sender, got, tt.back)
		}
	}
}

// The example of the package's documentation.
const example = `Date: 21 Nov 2026 18:04:07 -0000
From: MAILER-DAEMON@mx.example.org
To: ann@example.org
Subject: failure notice

Hi. This is the qmail-send program at mx.example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<joe@example.org>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <ann@example.org>
Subject: hello

Hello, Joe.
`

var date = time.Date(2026, 11, 21, 18, 4, 7, 0, time.UTC)

func TestNotice(t *testing.T) {
	n := Notice{From: "MAILER-DAEMON", Host: "mx.example.org", To: "ann@example.org", Sender: "ann@example.org", Date: date}
	paragraphs := Paragraph("joe@example.org", "Sorry, no mailbox here by that name. (#5.1.1)\n")
	var got strings.Builder
	if err := n.Write(&got, strings.NewReader(paragraphs), strings.NewReader("Subject: hello\n\nHello, Joe.\n")); err != nil {
		t.Fatal(err)
	}
	if got.String() != example {
		t.Errorf("the notice is\n%s\nwant\n%s", got.String(), example)
	}
}

func TestDoubleNotice(t *testing.T) {
	n := Notice{From: "MAILER DAEMON", Host: "h", To: "postmaster@h", Date: date}
	var got strings.Builder
	if err := n.Write(&got, strings.NewReader("<a@b>:\nno\n\n"), strings.NewReader("m")); err != nil {
		t.Fatal(err)
	}
	want := "Date: 21 Nov 2026 18:04:07 -0000\nFrom: \"MAILER DAEMON\"@h\nTo: postmaster@h\nSubject: failure notice\n\n" +
		"Hi. This is the qmail-send program at h.\nI tried to deliver a bounce message to this address, but the bounce bounced!\n\n" +
		"<a@b>:\nno\n\n--- Below this line is the original bounce.\n\nReturn-Path: <>\nm"
	if got.String() != want {
		t.Errorf("the notice is %q, want %q", got.String(), want)
	}
}

func TestNoticeAddressesStayInTheirLine(t *testing.T) {
	n := Notice{From: "m", Host: "h", To: "a@b\nBcc: eve@x\n\n", Sender: "a\nb@c", Date: date}
	var got strings.Builder
	if err := n.Write(&got, strings.NewReader(""), strings.NewReader("")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nTo: \"a@b_Bcc: eve\"@x__\nSubject: ", "\nReturn-Path: <a_b@c>\n"} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("the notice %q lacks %q", got.String(), want)
		}
	}
}

// FuzzParagraph checks that no address and no report can end a paragraph early or
// begin another.
func FuzzParagraph(f *testing.F) {
	f.Add("joe@x", "a\n\nb\n")
	f.Add("a\n\n--- Below", "\n\n\n")
	f.Fuzz(func(t *testing.T, recipient, report string) {
		text := Paragraph(recipient, report)
		body, ok := strings.CutSuffix(text, "\n\n")
		if !ok || strings.Contains(strings.TrimSuffix(body, "\n"), "\n\n") {
			t.Errorf("Paragraph(%q, %q) = %q", recipient, report, text)
		}
	})
}
