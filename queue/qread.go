package queue

import (
	"errors"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"goqmail/internal/syserr"
)

// WriteList lists the messages that are preprocessed, in the form of
// qmail-qread(8). A message that cannot be looked at gets a line with a warning;
// one that has gone meanwhile too.
func (q *Queue) WriteList(w io.Writer) error {
	return q.Numbers(Info, func(n Number) bool {
		text, err := q.describe(n)
		if err != nil {
			text += "warning: trouble with #" + n.String() + ": " + syserr.Text(err) + "\n"
		}
		_, err = io.WriteString(w, text)
		return err == nil
	})
}

// describe returns the lines for one message, as far as it could be read.
func (q *Queue) describe(n Number) (string, error) {
	mess, err := q.FS.Stat(q.Name(Mess, n))
	if err != nil {
		return "", err
	}
	sender, birth, err := q.ReadInfo(n)
	if err != nil {
		return "", err
	}
	bouncing := ""
	if has, err := q.Has(Bounce, n); has && err == nil {
		bouncing = " bouncing"
	}
	text := birth.UTC().Format("2 Jan 2006 15:04:05") + " GMT  #" + n.String() + "  " +
		strconv.FormatInt(mess.Size(), 10) + "  <" + printable(sender) + "> " + bouncing + "\n"
	for _, kind := range []Kind{Local, Remote} {
		lines, err := q.describeRecipients(kind, n)
		text += lines
		if err != nil {
			return text, err
		}
	}
	return text, nil
}

func (q *Queue) describeRecipients(kind Kind, n Number) (string, error) {
	r, err := q.OpenRecipients(kind, n)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer r.Close()
	r.AnyRecord = true
	var lines strings.Builder
	for {
		recipient, err := r.Next()
		if err == io.EOF {
			return lines.String(), nil
		}
		if err != nil {
			return lines.String(), err
		}
		if recipient.Done {
			lines.WriteString("  done")
		}
		lines.WriteString("\t" + string(kind) + "\t" + printable(recipient.Address) + "\n")
	}
}

// printable keeps an address from writing to the terminal: every byte that is not
// printable ASCII is shown as _.
func printable(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '_'
		}
	}
	return string(b)
}
