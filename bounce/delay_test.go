package bounce

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const warning = `Date: 21 Nov 2026 18:04:07 -0000
From: MAILER-DAEMON@mx.example.org
To: ann@example.org
Subject: deferral notice
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_1"
Content-Transfer-Encoding: 8bit

--=_1
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

This is the qmail-send program at mx.example.org.
THIS IS A WARNING ONLY. You need not send your message again.
It is still on its way to the recipients below, and is tried until
28 Nov 2026 18:04:07 -0000.
You will be told if that fails.

    eve@far.example
        Connected to 192.0.2.1 but greeting failed.
        Remote host said: 421 4.3.2 not now

    bob@far.example

    and 3 more

--=_1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
Arrival-Date: 21 Nov 2026 14:04:07 -0000

Final-Recipient: rfc822; eve@far.example
Action: delayed
Status: 4.3.2
Diagnostic-Code: smtp; 421 4.3.2 not now
Will-Retry-Until: 28 Nov 2026 18:04:07 -0000

Final-Recipient: rfc822; bob@far.example
Action: delayed
Status: 4.0.0
Will-Retry-Until: 28 Nov 2026 18:04:07 -0000

--=_1
Content-Type: text/rfc822-headers
Content-Transfer-Encoding: 8bit

Return-Path: <ann@example.org>
Subject: hello

--=_1--
`

func delayWarning(t *testing.T) string {
	t.Helper()
	d := Delay{From: "MAILER-DAEMON", Host: "mx.example.org", To: "ann@example.org", Date: date, Boundary: "=_1", More: 3,
		Arrival: date.Add(-4 * time.Hour), Until: date.Add(7 * 24 * time.Hour)}
	var got strings.Builder
	err := d.Write(&got, []Failure{
		{"eve@far.example", "Connected to 192.0.2.1 but greeting failed.\nRemote host said: 421 4.3.2 not now\n"},
		{"bob@far.example", ""},
	}, strings.NewReader("Subject: hello\n\nHello, Joe.\n"))
	if err != nil {
		t.Fatal(err)
	}
	return got.String()
}

func TestDelay(t *testing.T) {
	if got := delayWarning(t); got != warning {
		t.Errorf("the warning is\n%s\nwant\n%s", got, warning)
	}
}

// What known readers of bounces look for must not be in a warning, and must be in
// a bounce.
func TestReadersOfBounces(t *testing.T) {
	warning := delayWarning(t)
	for _, tt := range []struct {
		name   string
		bounce func(text string) bool
	}{
		{"ezmlm-weed", weedKeeps},
		{"ezmlm-return", returnFinds},
		{"flufl.bounce", fluflFinds},
		{"sisimai", sisimaiFinds},
	} {
		if tt.bounce(warning) {
			t.Errorf("%s takes a delay warning for a bounce", tt.name)
		}
		if !tt.bounce(example) || !tt.bounce(report) {
			t.Errorf("%s does not take a bounce for one", tt.name)
		}
	}
}

// weedKeeps follows the rules of ezmlm-weed: some fields of the header make a
// message none of its business, then the first Action of a report counts.
func weedKeeps(text string) bool {
	header, body, _ := strings.Cut(text, "\n\n")
	for line := range strings.Lines(header) {
		for _, start := range []string{"Auto-Submitted:", "Precedence: bulk", "Precedence: junk", "Precedence: list", "Subject: deferral notice", "Subject: success notice"} {
			if strings.HasPrefix(line, start) {
				return false
			}
		}
	}
	if !strings.Contains(header, "multipart/report") {
		return true
	}
	_, action, _ := strings.Cut(body, "\nAction: ")
	return strings.HasPrefix(action, "failed")
}

// returnFinds follows the rules of ezmlm-return: paragraphs after the header, those
// that begin with two dashes passed over, then the introduction, and a recipient
// before a paragraph that begins with a dash.
func returnFinds(text string) bool {
	paragraphs := strings.Split(text, "\n\n")[1:]
	for len(paragraphs) > 0 && strings.HasPrefix(paragraphs[0], "--") {
		paragraphs = paragraphs[1:]
	}
	if len(paragraphs) == 0 || !strings.HasPrefix(paragraphs[0], "Hi. This is the") {
		return false
	}
	found := false
	for _, p := range paragraphs[1:] {
		if strings.HasPrefix(p, "-") {
			return found
		}
		first, _, _ := strings.Cut(p, "\n")
		found = found || strings.HasPrefix(p, "<") && strings.HasSuffix(first, ">:")
	}
	return false
}

// fluflFinds follows the rules of flufl.bounce for qmail: lines, without the blanks
// around them, whatever part they are in.
func fluflFinds(text string) bool {
	intros := []string{"We're sorry. There's a problem", "Check your send e-mail address.", "Hi. The MTA program at", "Hi. This is the",
		"This is the mail delivery agent at", "Unfortunately, your mail was not delivered"}
	_, body, _ := strings.Cut(text, "\n\n")
	state := 0
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		switch {
		case state == 0 && slices.ContainsFunc(intros, func(intro string) bool { return strings.HasPrefix(line, intro) }):
			state = 1
		case state == 1 && line == "":
			state = 2
		case state == 2 && strings.HasPrefix(line, "-"):
			return false
		case state == 2 && strings.HasPrefix(line, "<") && strings.Contains(line, ">:"):
			return true
		}
	}
	return false
}

// sisimaiFinds follows the rules of sisimai for qmail: one of some phrases, then a
// line with a recipient before the line that begins the copy.
func sisimaiFinds(text string) bool {
	phrases := []string{"Hi. This is the qmail", "He/Her is not ", "unable to deliver your message to the following addresses",
		"This is the machine generated message from mail service", "This is the mail delivery agent at",
		"Your mail message to the following address", "Your message to the following addresses", "We're sorry."}
	text, _, _ = strings.Cut(text, "--- Below this line is a copy of the message.")
	seen := false
	for line := range strings.Lines(text) {
		if !seen {
			seen = slices.ContainsFunc(phrases, func(p string) bool { return strings.Contains(line, p) })
			continue
		}
		if strings.HasPrefix(line, "<") && strings.Contains(line, "@") && strings.Contains(line, ">:") {
			return true
		}
	}
	return false
}

func TestIsBulk(t *testing.T) {
	for _, tt := range []struct {
		message string
		want    bool
	}{
		{"Precedence: bulk\n\n", true},
		{"A: b\nPRECEDENCE :\tList (of things)\n\n", true},
		{"precedence:junk\r\n\r\n", true},
		{"Precedence: junk", true},
		{"Precedence: first-class\n\n", false},
		{"Precedence: bulky\n\n", false},
		{"Precedence:\n\n", false},
		{"X-Precedence: bulk\n\n", false},
		{"A: b\n\nPrecedence: bulk\n", false},
		{strings.Repeat("A: b\n", maxHeader/5+1) + "Precedence: bulk\n", false},
		{"", false},
	} {
		if got, err := IsBulk(strings.NewReader(tt.message)); got != tt.want || err != nil {
			t.Errorf("IsBulk(%.60q) = %v, %v, want %v", tt.message, got, err, tt.want)
		}
	}
}

// FuzzIsBulk checks that the body of a message does not count.
func FuzzIsBulk(f *testing.F) {
	f.Add("Precedence: bulk", "x")
	f.Add("A: b", "Precedence: bulk")
	f.Fuzz(func(t *testing.T, header, body string) {
		with, err := IsBulk(strings.NewReader(header + "\n\n" + body))
		without, _ := IsBulk(strings.NewReader(header + "\n\n"))
		if err != nil || with != without {
			t.Errorf("IsBulk of the header %q is %v, %v, with the body %q %v", header, without, err, body, with)
		}
	})
}
