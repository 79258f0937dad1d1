package bounce

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	one := []Failure{{"joe@x", "no\n"}}
	for _, tt := range []struct {
		name, text string
		failures   []Failure
		original   string
	}{
		{"example", example, []Failure{{"joe@example.org", "Sorry, no mailbox here by that name. (#5.1.1)\n"}},
			"Return-Path: <ann@example.org>\nSubject: hello\n\nHello, Joe.\n"},
		{"other words", "A: b\n\nHi. This is the mail robot.\n\n<joe@x>:\nno\n\n-\n\nm", one, "m"},
		{"other paragraphs", "A: b\n\nHi. This is the\n\nNot me.\n\n<joe@x>:\nno\n\nBy the way\n\n--- Below\n\nm", one, "m"},
		{"no recipients", "A: b\n\nHi. This is the\n\n--- Below\n\nm", nil, "m"},
		{"two", "A: b\n\nHi. This is the\n\n<a@x>:\n1\n2\n\n<b@x>:\n\n--- Below\n\n", []Failure{{"a@x", "1\n2\n"}, {"b@x", ""}}, ""},
		{"lines that look like recipients", "A: b\n\nHi. This is the\n\n<joe@x>:\n<eve@x>:\n\n--- Below\n\n", []Failure{{"joe@x", "<eve@x>:\n"}}, ""},
		{"blanks at the end", "A: b\n\nHi. This is the\n\n<joe@x>: \nno\n\n-\n\n", one, ""},
		{"a bracket only", "A: b\n\nHi. This is the\n\n<joe@x>\nno\n\n-\n\nm", nil, "m"},
		{"strange addresses", "A: b\n\nHi. This is the\n\n<a>:b c@x>:\nno\n\n<>:\nno\n\n-\n\nm", []Failure{{"a>:b c@x", "no\n"}, {"", "no\n"}}, "m"},
		{"CRLF", "A: b\r\n\r\nHi. This is the\r\n\r\n<joe@x>:\r\nno\r\n\r\n-\r\n\r\nm\r\n", []Failure{{"joe@x", "no\r\n"}}, "m\r\n"},
		{"lone CR in a report", "A: b\n\nHi. This is the\n\n<joe@x>:\nno\n\r\nyes\n\n-\n\nm", []Failure{{"joe@x", "no\n\r\nyes\n"}}, "m"},
		{"multipart", "A: b\n\n--x\nContent-Type: text/plain\n\nHi. This is the\n\n<joe@x>:\nno\n\n-\n\n\n--x\nContent-Type: message/delivery-status\n\nAction: failed\n\n--x\ncontent-type: Message/RFC822; a=b\n\nS: t\n\nm\n--x--\n", one, "S: t\n\nm"},
		{"multipart without a copy", "A: b\n\n--x\n\nHi. This is the\n\n<joe@x>:\nno\n\n-\n\n--x--\n", one, ""},
	} {
		b, err := Parse(strings.NewReader(tt.text))
		if err != nil {
			t.Errorf("%s: Parse(%q) fails with %v", tt.name, tt.text, err)
			continue
		}
		if !reflect.DeepEqual(b.Failures, tt.failures) || string(b.Original) != tt.original {
			t.Errorf("%s: Parse(%q) = %q, copy %q, want %q, %q", tt.name, tt.text, b.Failures, b.Original, tt.failures, tt.original)
		}
	}
}

func TestParseInvalid(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       error
	}{
		{"nothing", "", ErrNotBounce},
		{"no body", "A: b\n", ErrNotBounce},
		{"a letter", "Subject: failure notice\n\nHi. This is Ann.\n\n", ErrNotBounce},
		{"words in another place", "A: b\n\nSay: Hi. This is the qmail-send\n\n<a@b>:\n\n--\n\n", ErrNotBounce},
		{"words in the second paragraph", "A: b\n\nHello.\n\nHi. This is the\n\n<a@b>:\n\n--\n\n", ErrNotBounce},
		{"second part of a multipart", "A: b\n\n--x\n\n--y\n\nHi. This is the\n\n-\n\n", ErrNotBounce},
		{"introduction only", "A: b\n\nHi. This is the", ErrNotBounce},
		{"no copy", "A: b\n\nHi. This is the\n\n<a@b>:\nno\n\n", io.ErrUnexpectedEOF},
		{"cut short", "A: b\n\nHi. This is the\n\n<a@b>:\nno\n", io.ErrUnexpectedEOF},
		{"long header", strings.Repeat("x", maxParagraph+1), ErrTooLong},
		{"long paragraph", "A: b\n\nHi. This is the\n\n<a@b>:\n" + strings.Repeat("x\n", maxParagraph/2), ErrTooLong},
	} {
		if b, err := Parse(strings.NewReader(tt.text)); !errors.Is(err, tt.want) {
			t.Errorf("%s: Parse(%.40q) = %v, %v, want %v", tt.name, tt.text, b, err, tt.want)
		}
	}
}

// A delay warning is no bounce, whoever asks.
func TestDelayIsNoBounce(t *testing.T) {
	var text strings.Builder
	d := Delay{From: "m", Host: "h", To: "ann@x", Date: date, Arrival: date, Until: date, Boundary: "b"}
	if err := d.Write(&text, []Failure{{"joe@x", "later\n"}}, strings.NewReader("Subject: s\n\nbody\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(strings.NewReader(text.String())); err != ErrNotBounce {
		t.Errorf("a delay warning is parsed with %v, want %v", err, ErrNotBounce)
	}
}

func TestParseWhatWasStripped(t *testing.T) {
	for _, limit := range []int64{0, 5} {
		n := Notice{Host: "h", Sender: "ann@x", Date: date, MaxCopy: limit}
		var text strings.Builder
		n.Write(&text, strings.NewReader(""), strings.NewReader("A: b\n\nmessage\n"))
		b, err := Parse(strings.NewReader(text.String()))
		if err != nil || b.Stripped() != (limit > 0) || b.Double() {
			t.Errorf("limit %d: %v, stripped %v, double %v", limit, err, b.Stripped(), b.Double())
		}
	}
}

// FuzzRoundTrip checks that what the writer makes comes back as it was.
func FuzzRoundTrip(f *testing.F) {
	f.Add("joe@x", "no\n", "a\n\nb@x", "\n\n", "ann@x", "call us", "Subject: s\n\nbody\n", false, uint16(0))
	f.Add("joe@x>:", "- no", "", "\xff\x00\r\n\r\n", "", "<a@b>:\n\n- x", "--b--\n", true, uint16(0))
	f.Add("joe@x", "550 no", "-", "Hi. This is the", "l-@h", "\r", strings.Repeat("long ", 9000)+"\n\n\n", true, uint16(900))
	f.Fuzz(func(t *testing.T, to1, report1, to2, report2, sender, text, original string, multipart bool, limit uint16) {
		n := Notice{From: "m", Host: "h", To: to1, Sender: sender, Date: date, Arrival: date, Text: []string{text}, MaxCopy: int64(limit)}
		if multipart {
			n.Boundary = "=_boundary"
		}
		paragraphs := Paragraph(to1, report1) + Paragraph(to2, report2)
		if len(paragraphs)+len(text)+len(sender) > maxParagraph/2 || strings.Contains(paragraphs+original+text+to1+sender, "=_boundary") {
			return
		}
		var written bytes.Buffer
		if err := n.Write(&written, strings.NewReader(paragraphs), strings.NewReader(original)); err != nil {
			t.Fatal(err)
		}
		b, err := Parse(bytes.NewReader(written.Bytes()))
		if err != nil {
			t.Fatalf("%q is not parsed: %v", written.Bytes(), err)
		}
		again := ""
		for _, f := range b.Failures {
			again += Paragraph(f.Recipient, f.Report)
		}
		if again != paragraphs {
			t.Errorf("%q comes back as %q", paragraphs, again)
		}
		if all := b.Header + b.Intro + again + b.Break + string(b.Original); !multipart && all != written.String() {
			t.Errorf("%q comes back as %q", written.String(), all)
		}
		want := returnPath(sender) + original
		if (limit == 0 || len(original) <= int(limit)) && string(b.Original) != want {
			t.Errorf("the copy %q comes back as %q", want, b.Original)
		}
		if b.Double() != (sender == "") {
			t.Errorf("%q is taken for the wrong kind of bounce", written.String())
		}
	})
}

// FuzzParse checks that nothing that is no bounce passes for one, and that reading
// comes to an end.
func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte("A: b\r\n\r\n--x\r\n\r\nHi. This is the\r\n\r\n-\r\n\r\n--x\r\ncontent-type:message/rfc822\r\n\r\n\r\n--x--"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Parse(bytes.NewReader(data))
		if err == nil && !strings.HasPrefix(b.Intro, greeting) {
			t.Errorf("%q passes for a bounce", data)
		}
	})
}
