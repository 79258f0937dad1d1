package local

import (
	"math"
	"strconv"
	"strings"
)

// limits are what a quota allows; 0 is no limit.
type limits usage

func (l limits) allows(u usage) bool {
	return (l.bytes == 0 || u.bytes <= l.bytes) && (l.messages == 0 || u.messages <= l.messages)
}

// sizes is what a file maildirsize says, maildir(5).
type sizes struct {
	definition string // the first line, without its newline
	limit      limits
	used       usage
	lines      int  // of numbers
	valid      bool // otherwise the maildir has to be counted
}

// parseSizes reads the file. Its first line is the quota: numbers with S for bytes
// or C for messages behind them, and commas in between. The other lines are pairs
// of numbers, to be added up: bytes and messages that came, or with a minus went.
// A file that is too long, is cut off, has a line of another form or comes to less
// than nothing is not valid.
func parseSizes(text string) sizes {
	var s sizes
	definition, rest, whole := strings.Cut(text, "\n")
	s.definition, s.limit = definition, parseLimits(definition)
	if !whole || len(text) > maxSizes {
		return s
	}
	for rest != "" {
		line, after, ended := strings.Cut(rest, "\n")
		u, ok := parseUsage(line)
		if !ok || !ended {
			return s
		}
		s.used = s.used.plus(u)
		s.lines++
		rest = after
	}
	s.valid = s.lines > 0 && s.used.bytes >= 0 && s.used.messages >= 0
	return s
}

// parseLimits reads the quota. A number without a letter is one of bytes; what is
// not understood allows everything.
func parseLimits(definition string) limits {
	var l limits
	for part := range strings.SplitSeq(definition, ",") {
		part = strings.TrimSpace(part)
		digits := strings.TrimRight(part, "SC")
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 {
			continue
		}
		switch part[len(digits):] {
		case "S", "":
			l.bytes = n
		case "C":
			l.messages = n
		}
	}
	return l
}

// mostUsage bounds the numbers of a line, so that no sum of lines overflows.
const mostUsage = math.MaxInt64 / maxSizes

func parseUsage(line string) (usage, bool) {
	f := strings.Fields(line)
	if len(f) != 2 {
		return usage{}, false
	}
	bytes, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil || bytes > mostUsage || bytes < -mostUsage {
		return usage{}, false
	}
	messages, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil || messages > mostUsage || messages < -mostUsage {
		return usage{}, false
	}
	return usage{bytes, messages}, true
}

// sizeInName finds ,S=size in the name of a message, before its flags.
func sizeInName(name string) (int64, bool) {
	base, _, _ := strings.Cut(name, ":")
	_, text, ok := strings.Cut(base, ",S=")
	if !ok {
		return 0, false
	}
	text, _, _ = strings.Cut(text, ",")
	size, err := strconv.ParseInt(text, 10, 64)
	return size, err == nil && size >= 0 && size <= mostUsage
}

// trashed reports whether a message in cur is marked for removal; those do not
// count.
func trashed(name string) bool {
	_, flags, ok := strings.Cut(name, ":2,")
	return ok && strings.Contains(flags, "T")
}
