package bounce

import (
	"strings"
	"testing"
)

func write(t *testing.T, n Notice, paragraphs, original string) string {
	t.Helper()
	var text strings.Builder
	if err := n.Write(&text, strings.NewReader(paragraphs), strings.NewReader(original)); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestMaxCopy(t *testing.T) {
	long := strings.Repeat("x", 3*longestLine)
	for _, tt := range []struct {
		name     string
		limit    int64
		original string
		want     string
	}{
		{"no limit", 0, "A: b\n\ntext", "A: b\n\ntext"},
		{"fits", 10, "A: b\n\ntext", "A: b\n\ntext"},
		{"whole lines", 9, "A: b\n\ntext", "A: b\n\n\n--- End of message stripped.\n"},
		{"nothing fits", 1, "A: b\n\ntext", "\n--- End of message stripped.\n"},
		{"binary", 8, "\x00\xff\r\n\xc3\xa4\n\ntext", "\x00\xff\r\n\xc3\xa4\n\n\n--- End of message stripped.\n"},
		{"long line", 2*longestLine + 5, "a\n" + long, "a\n" + long[:2*longestLine] + "\n\n--- End of message stripped.\n"},
	} {
		n := Notice{Host: "h", Sender: "ann@x", Date: date, MaxCopy: tt.limit}
		_, got, _ := strings.Cut(write(t, n, "", tt.original), "\nReturn-Path: <ann@x>\n")
		if got != tt.want {
			t.Errorf("%s: the copy is %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestOwnText(t *testing.T) {
	lines := []string{"Ask +1 555.\t", "", "  ", "<joe@x>:", "--- Below this line is a copy of the message.", "a\n\nb", "\xc3\xa4"}
	text := write(t, Notice{Host: "h", Sender: "ann@x", Date: date, Text: lines}, "", "")
	want := "\nThis is a permanent error; I've given up. Sorry it didn't work out.\n" +
		"Ask +1 555.\n <joe@x>:\n --- Below this line is a copy of the message.\na  b\n\xc3\xa4\n\n--- Below"
	if !strings.Contains(text, want) {
		t.Errorf("the notice %q lacks %q", text, want)
	}
	double := write(t, Notice{Host: "h", Date: date, Text: lines}, "", "")
	if strings.Contains(double, "555") {
		t.Errorf("the text is in a double bounce: %q", double)
	}
}

const report = `Date: 21 Nov 2026 18:04:07 -0000
From: MAILER-DAEMON@mx.example.org
To: ann@example.org
Subject: failure notice
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_1"
Content-Transfer-Encoding: 8bit

--=_1
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Hi. This is the qmail-send program at mx.example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<joe@example.org>:
Sorry, no mailbox here by that name. (#5.1.1)

<eve@far.example>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.7.1 go away
Giving up on 192.0.2.1.

--- Below this line is a copy of the message.


--=_1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
Arrival-Date: 21 Nov 2026 18:04:07 -0000

Final-Recipient: rfc822; joe@example.org
Action: failed
Status: 5.1.1
Diagnostic-Code: x-qmail; Sorry, no mailbox here by that name. (#5.1.1)

Final-Recipient: rfc822; eve@far.example
Action: failed
Status: 5.7.1
Diagnostic-Code: smtp; 550 5.7.1 go away Giving up on 192.0.2.1.

--=_1
Content-Type: message/rfc822
Content-Transfer-Encoding: 8bit

Return-Path: <ann@example.org>
Subject: hello

Hello, Joe.

--=_1--
`

func TestReport(t *testing.T) {
	n := Notice{From: "MAILER-DAEMON", Host: "mx.example.org", To: "ann@example.org", Sender: "ann@example.org", Date: date, Arrival: date, Boundary: "=_1"}
	paragraphs := Paragraph("joe@example.org", "Sorry, no mailbox here by that name. (#5.1.1)\n") +
		Paragraph("eve@far.example", "192.0.2.1 does not like recipient.\nRemote host said: 550 5.7.1 go away\nGiving up on 192.0.2.1.\n")
	if got := write(t, n, paragraphs, "Subject: hello\n\nHello, Joe.\n"); got != report {
		t.Errorf("the report is\n%s\nwant\n%s", got, report)
	}
	n.MaxCopy = 20
	got := write(t, n, paragraphs, "Subject: hello\n\nHello, Joe.\n")
	want := "\nContent-Type: text/rfc822-headers\nContent-Transfer-Encoding: 8bit\n\nReturn-Path: <ann@example.org>\nSubject: hello\n\n--=_1--\n"
	if !strings.HasSuffix(got, want) {
		t.Errorf("the report %q does not end in %q", got, want)
	}
}

func TestCopyHeader(t *testing.T) {
	for _, tt := range []struct{ message, want string }{
		{"A: b\n\nbody\n", "A: b\n"},
		{"A: b\r\n\r\nbody\r\n", "A: b\r\n"},
		{"A: b", "A: b\n"},
		{"A: b\n" + strings.Repeat("c", 2*maxHeader), "A: b\n" + strings.Repeat("c", maxHeader-longestLine) + "\n"},
		{"\nbody\n", ""},
	} {
		var got strings.Builder
		out := &writer{w: &got}
		out.copyHeader(strings.NewReader(tt.message), maxHeader)
		if got.String() != tt.want || out.err != nil {
			t.Errorf("of %.40q %d bytes are copied, %.40q, %v, want %d", tt.message, got.Len(), got.String(), out.err, len(tt.want))
		}
	}
}

// Nothing from outside may add a field, or a part, to what programs read.
func TestReportFieldsStayInTheirLine(t *testing.T) {
	n := Notice{From: "m", Host: "h", To: "a@b", Sender: "a@b", Date: date, Arrival: date, Boundary: "=_1"}
	text := write(t, n, Paragraph("joe@x\rAction: x", "no\r\nStatus: 2.0.0\n"+strings.Repeat("\xff", 2000)), "")
	_, status, _ := strings.Cut(text, "\nReporting-MTA")
	status, _, _ = strings.Cut(status, "\n--=_1")
	for line := range strings.Lines(status) {
		if len(line) > 998 || strings.Contains(line, "\r") || strings.Contains(line, "\xff") {
			t.Errorf("line %q in %q", line, status)
		}
	}
	if strings.Contains(status, "\nStatus: 2") || strings.Contains(status, "\nAction: x") {
		t.Errorf("the report for programs is %q", status)
	}
}
