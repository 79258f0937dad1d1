package bounce

import (
	"io"
	"strings"
	"time"

	"goqmail/internal/address"
	"goqmail/internal/date822"
)

// How long the fields of a report for programs may be.
const (
	maxDiagnosis = 900      // bytes of a Diagnostic-Code, so that its line is a legal one
	maxHeader    = 64 << 10 // bytes of the header of a message that are copied or looked at
)

// writeReport writes the notice as a multipart/report, RFC 3464. It has no field
// Auto-Submitted: ezmlm-weed throws away what has one, failures too.
func (n Notice) writeReport(out *writer, paragraphs, original io.ReadSeeker) {
	out.write(reportHeader(n.Boundary))
	n.writeText(out, paragraphs)
	_, err := paragraphs.Seek(0, io.SeekStart)
	out.note(err)
	out.write(statusPart(n.Boundary, n.Host, n.Arrival))
	eachFailure(paragraphs, func(f Failure) bool {
		out.write(statusOf(f, "failed", true))
		return out.err == nil
	})
	if n.MaxCopy == 0 || out.size(original) <= n.MaxCopy {
		out.write(nextPart(n.Boundary, "message/rfc822") + returnPath(n.Sender))
		out.copy(original)
	} else {
		out.write(nextPart(n.Boundary, "text/rfc822-headers") + returnPath(n.Sender))
		out.copyHeader(original, n.MaxCopy)
	}
	out.write("\n--" + n.Boundary + "--\n")
}

// reportHeader returns the fields of MIME, the empty line and the beginning of
// the first part. No preamble is between them, see the package documentation.
func reportHeader(boundary string) string {
	return "MIME-Version: 1.0\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=\"" + boundary + "\"\n" +
		"Content-Transfer-Encoding: 8bit\n" +
		"\n--" + boundary + "\n" +
		"Content-Type: text/plain; charset=utf-8\n" +
		"Content-Transfer-Encoding: 8bit\n\n"
}

// nextPart begins another part. Content-Type is its first field, where ezmlm-weed
// looks for it.
func nextPart(boundary, kind string) string {
	return "\n--" + boundary + "\nContent-Type: " + kind + "\nContent-Transfer-Encoding: 8bit\n\n"
}

// statusPart begins the part for programs, with what it says of the message.
func statusPart(boundary, host string, arrival time.Time) string {
	return "\n--" + boundary + "\nContent-Type: message/delivery-status\n\n" +
		"Reporting-MTA: dns; " + field(host) +
		"\nArrival-Date: " + date822.Format(arrival) + "\n"
}

// statusOf returns what the part for programs says of a recipient, RFC 3464
// section 2.3.
func statusOf(f Failure, action string, permanent bool) string {
	text := "\nFinal-Recipient: rfc822; " + field(address.Quote(f.Recipient)) +
		"\nAction: " + action +
		"\nStatus: " + Status(f.Report, permanent) + "\n"
	if kind, diagnosis := diagnose(f.Report); diagnosis != "" {
		text += "Diagnostic-Code: " + kind + "; " + diagnosis + "\n"
	}
	return text
}

// remoteSaid comes before the words of an SMTP server in a report of qmail-remote.
const remoteSaid = "Remote host said: "

// diagnose returns what a report says in one line, and whose words these are: an
// SMTP server's or this system's.
func diagnose(report string) (kind, text string) {
	kind = "x-qmail"
	if _, said, ok := strings.Cut(report, remoteSaid); ok {
		kind, report = "smtp", said
	}
	text = field(strings.TrimSpace(report))
	if len(text) > maxDiagnosis {
		text = text[:maxDiagnosis]
	}
	return kind, text
}

// field makes text from outside fit for a header field: whatever is not printable
// ASCII becomes a blank or a question mark.
func field(text string) string {
	b := []byte(text)
	for i, c := range b {
		switch {
		case c < ' ' || c == 0x7f:
			b[i] = ' '
		case c > 0x7f:
			b[i] = '?'
		}
	}
	return string(b)
}

// copyHeader copies the header of a message, at most limit bytes.
func (o *writer) copyHeader(r io.Reader, limit int64) {
	o.copyLines(r, min(limit, maxHeader), func(line string) bool { return line != "\n" && line != "\r\n" })
}
