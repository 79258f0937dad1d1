package biff

import (
	"bufio"
	"io"
	"strings"
)

// Columns of the line about a message, and bytes of an address that are shown.
const (
	columns    = 78
	maxAddress = 512
)

// maxMessage is how much of a message is looked at.
const maxMessage = 1 << 20

// Text is what a terminal shows of a message: whom it is for and from, its subject
// and as much of its body as there is room for. It rings the bell; else nothing in
// it means anything to a terminal.
func Text(recipient, sender string, message io.Reader) string {
	address := "*** TO <" + short(recipient) + "> FROM <" + short(sender) + ">"
	return "\r\n\a" + printable(address, '_') + "\r\n" + printable("    "+begin(message), '/') + "\r\n"
}

func short(address string) string { return address[:min(len(address), maxAddress)] }

// printable puts a mark in place of each byte that is not printable ASCII.
func printable(text string, mark byte) string {
	b := []byte(text)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = mark
		}
	}
	return string(b)
}

// begin returns the subject and the begin of the body. What cannot be read is as
// good as not there.
func begin(message io.Reader) string {
	var text strings.Builder
	header, subject := true, false
	const room = columns - len("    ")
	in := bufio.NewReader(io.LimitReader(message, maxMessage))
	for text.Len() < room {
		line, err := in.ReadString('\n')
		if line == "" {
			break
		}
		if header {
			line, header, subject = headerLine(line, subject)
		}
		text.WriteString(line)
		if err != nil {
			break
		}
	}
	return text.String()[:min(text.Len(), room)]
}

// headerLine returns what to show of a line of the header, whether the header goes
// on, and whether the line belongs to the subject; inSubject if the last one did.
func headerLine(line string, inSubject bool) (show string, header, subject bool) {
	name, value, found := strings.Cut(line, ":")
	name = strings.TrimRight(name, " \t")
	switch {
	case line[0] == ' ' || line[0] == '\t':
		if inSubject {
			return line, true, true
		}
		return "", true, false
	case strings.HasPrefix(line, "From "):
		return "", true, false
	case line == "\n":
		return line, false, false
	case !found || name == "" || printable(name, ' ') != name || strings.Contains(name, " "):
		return "\n" + line, false, false
	case strings.EqualFold(name, "subject"):
		return strings.TrimLeft(value, " \t\r\n"), true, true
	}
	return "", true, false
}
