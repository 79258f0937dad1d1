package bounce

import (
	"bufio"
	"io"
	"strings"
	"time"

	"goqmail/internal/address"
	"goqmail/internal/date822"
)

// Notice is a bounce or a double bounce.
type Notice struct {
	From   string // local part of its author, bouncefrom
	Host   string // host of its author, bouncehost
	To     string // envelope recipient
	Sender string // where notices about the message go ([ReturnTo]); empty: a double bounce
	Date   time.Time

	// Text is the administrator's own, line by line; it becomes part of the
	// introduction of a bounce.
	Text []string
	// MaxCopy is how many bytes of the message are copied at most; 0: all.
	MaxCopy int64
	// Boundary, if there is one, makes the notice a multipart/report. It must not
	// be in the message, nor in the reports.
	Boundary string
	// Arrival is when the message was queued; for a multipart/report only.
	Arrival time.Time
}

// Texts around the paragraphs, which other programs match on.
const (
	subject = "failure notice"

	introduction = ".\nI'm afraid I wasn't able to deliver your message to the following addresses.\n" +
		"This is a permanent error; I've given up. Sorry it didn't work out.\n"
	doubleIntroduction = ".\nI tried to deliver a bounce message to this address, but the bounce bounced!\n"

	copyLine       = "--- Below this line is a copy of the message.\n\n"
	doubleCopyLine = "--- Below this line is the original bounce.\n\n"

	// strippedLine stands in the place of what was left out of the copy. The words
	// are those of the patches that have bouncemaxbytes.
	strippedLine = "\n--- End of message stripped.\n"
)

// Write writes the notice: its header, the paragraphs, and the original message
// as it is in the queue.
func (n Notice) Write(w io.Writer, paragraphs, original io.ReadSeeker) error {
	out := &writer{w: w}
	out.write(addressing(n.From, n.Host, n.To, subject, n.Date))
	if n.Boundary != "" {
		n.writeReport(out, paragraphs, original)
		return out.err
	}
	out.write("\n")
	n.writeText(out, paragraphs)
	out.write(returnPath(n.Sender))
	out.copyLimited(original, n.MaxCopy)
	return out.err
}

// addressing returns the lines that the header of each notice begins with.
func addressing(from, host, to, subject string, date time.Time) string {
	return "Date: " + date822.Format(date) +
		"\nFrom: " + address.QuoteLocal(from) + "@" + host +
		"\nTo: " + header(to) +
		"\nSubject: " + subject + "\n"
}

// writeText writes the notice up to the copy.
func (n Notice) writeText(out *writer, paragraphs io.Reader) {
	intro, line := introduction+ownText(n.Text), copyLine
	if n.Sender == "" {
		intro, line = doubleIntroduction, doubleCopyLine
	}
	out.write("Hi. This is the qmail-send program at " + n.Host + intro + "\n")
	out.copy(paragraphs)
	out.write(line)
}

// ownText makes lines fit for the introduction: an empty line would end it, and
// one that begins like a recipient or the copy's mark would be taken for these by
// programs that look at lines and not at paragraphs.
func ownText(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		line = strings.TrimRight(strings.ReplaceAll(line, "\n", " "), " \t\r")
		if strings.TrimSpace(line) == "" {
			continue
		}
		if line[0] == '<' || line[0] == '-' {
			b.WriteByte(' ')
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

func returnPath(sender string) string { return "Return-Path: <" + header(sender) + ">\n" }

// header writes an envelope address into a header line. A newline in it would
// begin a header of its own.
func header(addr string) string {
	return address.Quote(strings.NewReplacer("\n", "_", "\r", "_").Replace(addr))
}

// writer remembers the first error, of what it reads as well.
type writer struct {
	w   io.Writer
	err error
}

func (o *writer) note(err error) {
	if o.err == nil {
		o.err = err
	}
}

func (o *writer) write(text string) {
	if o.err == nil {
		_, err := io.WriteString(o.w, text)
		o.note(err)
	}
}

func (o *writer) copy(r io.Reader) {
	if o.err == nil {
		_, err := io.Copy(o.w, r)
		o.note(err)
	}
}

// size is how long r is, from where it stands, which it does again afterwards.
func (o *writer) size(r io.Seeker) int64 {
	at, err := r.Seek(0, io.SeekCurrent)
	o.note(err)
	end, err := r.Seek(0, io.SeekEnd)
	o.note(err)
	_, err = r.Seek(at, io.SeekStart)
	o.note(err)
	return end - at
}

// copyLimited copies a message, or if that is longer than limit, which 0 is not,
// as many whole lines of it as fit, and a line that says so.
func (o *writer) copyLimited(r io.ReadSeeker, limit int64) {
	if limit == 0 || o.size(r) <= limit {
		o.copy(r)
		return
	}
	o.copyLines(r, limit, func(string) bool { return true })
	o.write(strippedLine)
}

// longestLine is how much of a line is looked at in one piece; of a longer one a
// part may be copied.
const longestLine = 4 << 10

// copyLines copies lines until the next one is not wanted or does not fit. The
// last one gets its newline if it has none.
func (o *writer) copyLines(r io.Reader, limit int64, wanted func(line string) bool) {
	in := bufio.NewReaderSize(r, longestLine)
	ended := true
	for o.err == nil {
		piece, err := in.ReadSlice('\n')
		if len(piece) == 0 || int64(len(piece)) > limit || ended && !wanted(string(piece)) {
			if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
				o.note(err)
			}
			break
		}
		limit -= int64(len(piece))
		ended = piece[len(piece)-1] == '\n'
		o.write(string(piece))
	}
	if !ended {
		o.write("\n")
	}
}
