package bounce

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"goqmail/internal/date822"
)

// Delay is a warning that a message is still on its way. It is made so that
// nobody takes it for a bounce: the Action is delayed, the field Auto-Submitted
// is there and the subject another one, for ezmlm-weed and other list managers,
// and no line of it is one of those by which QSBMF is known.
type Delay struct {
	From     string // local part of its author, bouncefrom
	Host     string // host of its author, bouncehost
	To       string // the message's sender
	Date     time.Time
	Arrival  time.Time // when the message was queued
	Until    time.Time // when it will be given up
	Boundary string
	More     int // recipients that are not named
}

const delaySubject = "deferral notice"

// Write writes the warning about these recipients. Of the message, which original
// reads, it has the header.
func (d Delay) Write(w io.Writer, recipients []Failure, original io.Reader) error {
	out := &writer{w: w}
	out.write(addressing(d.From, d.Host, d.To, delaySubject, d.Date) +
		"Auto-Submitted: auto-replied\n" + reportHeader(d.Boundary) + d.text(recipients))
	out.write(statusPart(d.Boundary, d.Host, d.Arrival))
	for _, r := range recipients {
		out.write(statusOf(r, "delayed", false) + "Will-Retry-Until: " + date822.Format(d.Until) + "\n")
	}
	out.write(nextPart(d.Boundary, "text/rfc822-headers") + returnPath(d.To))
	out.copyHeader(original, maxHeader)
	out.write("\n--" + d.Boundary + "--\n")
	return out.err
}

func (d Delay) text(recipients []Failure) string {
	var b strings.Builder
	fmt.Fprintf(&b, "This is the qmail-send program at %s.\n"+
		"THIS IS A WARNING ONLY. You need not send your message again.\n"+
		"It is still on its way to the recipients below, and is tried until\n%s.\n"+
		"You will be told if that fails.\n", d.Host, date822.Format(d.Until))
	for _, r := range recipients {
		fmt.Fprintf(&b, "\n    %s\n", field(r.Recipient))
		for line := range strings.Lines(r.Report) {
			b.WriteString("        " + strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	if d.More > 0 {
		fmt.Fprintf(&b, "\n    and %d more\n", d.More)
	}
	return b.String()
}

// IsBulk reports whether the header of a message says that nobody waits for an
// answer to it: Precedence is bulk, list or junk. It reads 64 kB at most.
func IsBulk(message io.Reader) (bool, error) {
	in := bufio.NewReader(io.LimitReader(message, maxHeader))
	for {
		line, err := in.ReadString('\n')
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimRight(name, " \t"), "precedence") {
			switch strings.ToLower(firstWord(value)) {
			case "bulk", "list", "junk":
				return true, nil
			}
		}
		if err == io.EOF || line == "\n" || line == "\r\n" {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

func firstWord(value string) string {
	words := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t\r\n;,(", r) })
	if len(words) == 0 {
		return ""
	}
	return words[0]
}
