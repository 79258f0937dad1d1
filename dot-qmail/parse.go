package dotqmail

import "strings"

// Kind is what an instruction does. Its text is what qmail-local -n calls it.
type Kind string

// The kinds of instructions.
const (
	Mbox    Kind = "mbox"
	Maildir Kind = "maildir"
	Program Kind = "program"
	Forward Kind = "forward"
)

// Instruction is one line that does something.
type Instruction struct {
	Kind Kind
	// Text is the mailbox's name, the shell command or the address.
	Text string
	Line int // counted from 1
	// Forbidden is set on a mailbox or program where only forwards may be. To
	// carry it out is a temporary failure; lines before it still count.
	Forbidden bool
}

// String is the line that makes the instruction.
func (i Instruction) String() string {
	switch i.Kind {
	case Program:
		return "|" + i.Text
	case Forward:
		return "&" + i.Text
	}
	return i.Text
}

// Parse reads the text of a file. With forwardsOnly it acts as if the text began
// with a +list line. Errors are of type fault.Error.
func Parse(text string, forwardsOnly bool) ([]Instruction, error) {
	list := make([]Instruction, 0, strings.Count(text, "\n")+1)
	for n := 1; ; n++ {
		line, rest, more := strings.Cut(text, "\n")
		if n > 1 && !more && line == "" {
			return list, nil // the last line had its newline
		}
		text = rest
		line = clean(line)
		switch {
		case line == "" && n == 1:
			return nil, errBlank
		case line == "&":
			return nil, errNobody
		case line == "+list":
			forwardsOnly = true
		case line == "", line[0] == '#', line[0] == '+':
		default:
			i := instruction(line)
			i.Line = n
			i.Forbidden = forwardsOnly && i.Kind != Forward
			list = append(list, i)
		}
		if !more {
			return list, nil
		}
	}
}

// clean takes away what does not count in a line.
func clean(line string) string {
	line = strings.TrimRight(line, " \t")
	if i := strings.IndexByte(line, 0); i >= 0 {
		line = strings.TrimRight(line[:i], " \t")
	}
	return line
}

// instruction reads a line that is not empty.
func instruction(line string) Instruction {
	switch line[0] {
	case '.', '/':
		if strings.HasSuffix(line, "/") {
			return Instruction{Kind: Maildir, Text: line}
		}
		return Instruction{Kind: Mbox, Text: line}
	case '|':
		return Instruction{Kind: Program, Text: line[1:]}
	case '&':
		return Instruction{Kind: Forward, Text: line[1:]}
	}
	return Instruction{Kind: Forward, Text: line}
}
