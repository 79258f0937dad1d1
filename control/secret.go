package control

import "strings"

// hidden stands for what is not shown.
const hidden = "..."

// Shown returns a line of a [List] as it may be shown: without the password that it
// may have in it. Ok reports whether nothing had to be left out.
func Shown(file, line string) (text string, ok bool) {
	start := -1 // where the secret begins
	switch file {
	case "smtproutes", "qmtproutes", "authsenders":
		if i := strings.IndexAny(line, "| "); i >= 0 {
			start = after(line, line[i:i+1], i+1)
		}
	case "domaincerts":
		if i := strings.IndexByte(line, '|'); i >= 0 {
			start = after(line, "|", i+1)
		}
	case "smtpusers":
		start = after(line, ":", 0)
	}
	if start < 0 || start == len(line) {
		return line, true
	}
	return line[:start] + hidden, false
}

// after returns where the next mark ends, from at on; -1 if there is none.
func after(line, mark string, at int) int {
	if i := strings.Index(line[at:], mark); i >= 0 {
		return at + i + len(mark)
	}
	return -1
}
