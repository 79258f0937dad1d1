package aliases

import "strings"

// nowhere is the file that keeps nothing.
const nowhere = "/dev/null"

// Parse reads the text of a table. Of several entries for a name it returns the
// first; twice has the lines of the others. The error, which wraps [ErrFormat],
// says in which line it is.
func Parse(text string) (entries []Entry, twice []int, err error) {
	if len(text) > MaxFile {
		return nil, nil, badFormat(1, "file is too long")
	}
	known := map[string]bool{}
	err = logicalLines(text, func(line string, number int) error {
		e, err := parseEntry(line, number)
		if err != nil {
			return err
		}
		if known[e.Name] {
			twice = append(twice, number)
			return nil
		}
		known[e.Name] = true
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return entries, twice, nil
}

// ParseList reads a list of targets, each line one of its own: a .forward file or
// one that is included.
func ParseList(text string) ([]Target, error) {
	if len(text) > MaxFile {
		return nil, badFormat(1, "file is too long")
	}
	var all []Target
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		line = strings.TrimSpace(withoutComment(line))
		if line == "" {
			continue
		}
		if hasControl(line) {
			return nil, badFormat(number, "a control character")
		}
		list, err := parseTargets(line, number)
		if err != nil {
			return nil, err
		}
		if all = append(all, list...); len(all) > MaxTargets {
			return nil, badFormat(number, "too many targets")
		}
	}
	return all, nil
}

// logicalLines calls do with each entry's line, those that continue it added, and
// the number of its first one.
func logicalLines(text string, do func(line string, number int) error) error {
	var entry strings.Builder
	number, first := 0, 0
	end := func() error {
		if first == 0 {
			return nil
		}
		err := do(entry.String(), first)
		entry.Reset()
		first = 0
		return err
	}
	for line := range strings.SplitSeq(text, "\n") {
		number++
		continues := line != "" && (line[0] == ' ' || line[0] == '\t')
		line = strings.TrimRight(withoutComment(line), " \t\r")
		if strings.TrimLeft(line, " \t") == "" {
			continue
		}
		if hasControl(line) {
			return badFormat(number, "a control character")
		}
		if !continues {
			if err := end(); err != nil {
				return err
			}
			first = number
		} else if first == 0 {
			return badFormat(number, "continues nothing")
		}
		if entry.WriteString(line); entry.Len() > MaxLine {
			return badFormat(first, "too long")
		}
	}
	return end()
}

// hasControl reports whether a line has what would end a record, a line of a header
// or a command.
func hasControl(line string) bool {
	return strings.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}

// withoutComment cuts a line at a # that is not within quotes and begins the line
// or follows a blank.
func withoutComment(line string) string {
	inQuotes := false
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '"':
			inQuotes = !inQuotes
		case '#':
			if !inQuotes && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
				return line[:i]
			}
		}
	}
	return line
}

func parseEntry(line string, number int) (Entry, error) {
	colon := outside(line, 0, ":")
	if colon < 0 {
		return Entry{}, badFormat(number, "no colon after a name")
	}
	name, quoted, err := plain(line[:colon], number)
	if err != nil {
		return Entry{}, err
	}
	if name == "" || !quoted && strings.ContainsAny(name, " \t<>|\\") {
		return Entry{}, badFormat(number, "no name before the colon")
	}
	targets, err := parseTargets(line[colon+1:], number)
	if err == nil && len(targets) == 0 {
		err = badFormat(number, "a name without targets")
	}
	return Entry{lower(name), targets, number}, err
}

func parseTargets(list string, number int) (targets []Target, err error) {
	for more := true; more; {
		var item string
		if t, ok := refusal(strings.TrimSpace(list)); ok {
			return append(targets, t), nil
		}
		if comma := outside(list, 0, ","); comma >= 0 {
			item, list = list[:comma], list[comma+1:]
		} else {
			item, more = list, false
		}
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		t, err := parseTarget(item, number)
		if err != nil {
			return nil, err
		}
		if t.Text != "" { // not a comment alone
			targets = append(targets, t)
		}
	}
	return targets, nil
}

// refusal reads :fail: and :defer:, whose text is all that follows.
func refusal(list string) (t Target, ok bool) {
	for _, r := range []struct {
		word string
		Target
	}{
		{":fail:", Target{Fail, "Sorry, no mail is taken for this address."}},
		{":defer:", Target{Defer, "Mail for this address has to wait."}},
	} {
		if text, ok := strings.CutPrefix(list, r.word); ok {
			if text = strings.TrimSpace(text); text != "" {
				r.Text = text
			}
			return r.Target, true
		}
	}
	return Target{}, false
}

// parseTarget reads one target, which is not empty.
func parseTarget(item string, number int) (Target, error) {
	// A command without quotes around it is the shell's; so are quotes in it.
	if item[0] == '|' && !(len(item) > 1 && item[1] == '"') {
		return command(item[1:], number)
	}
	if item[0] == '\\' {
		t, err := address(item[1:], number)
		t.Kind = Final
		return t, err
	}
	text, _, err := plain(item, number)
	if err != nil || text == "" {
		return Target{}, err
	}
	switch {
	case text[0] == '|':
		return command(text[1:], number)
	case text[0] == '/':
		return Target{File, text}, nil
	case text == ":blackhole:":
		return Target{File, nowhere}, nil
	case strings.HasPrefix(text, ":include:"):
		path := strings.TrimLeft(text[len(":include:"):], " \t")
		if !strings.HasPrefix(path, "/") {
			return Target{}, badFormat(number, "the name of an included file must begin with a slash")
		}
		return Target{Include, path}, nil
	case text[0] == '\\' && len(text) > 1: // "\name"
		return Target{Final, text[1:]}, nil
	}
	return address(item, number)
}

func command(text string, number int) (Target, error) {
	if text = strings.TrimSpace(text); text == "" {
		return Target{}, badFormat(number, "no command after |")
	}
	return Target{Program, text}, nil
}

// address reads an address, perhaps in angle brackets with words before them.
func address(item string, number int) (Target, error) {
	if open := outside(item, 0, "<"); open >= 0 {
		end := outside(item, open+1, ">")
		if end < 0 {
			return Target{}, badFormat(number, "no > after <")
		}
		item = item[open+1 : end]
	}
	text, quoted, err := plain(item, number)
	if err != nil {
		return Target{}, err
	}
	if text == "" || text[0] == ':' || text[0] == '@' || !quoted && strings.ContainsAny(text, " \t<>;:") {
		return Target{}, badFormat(number, "not an address")
	}
	return Target{Address, text}, nil
}

// outside returns the position from start on of the first of those bytes that is
// not within quotes or parentheses, -1 if there is none.
func outside(s string, start int, bytes string) int {
	inQuotes, depth := false, 0
	for i := start; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			i++
		case c == '"':
			inQuotes = !inQuotes
		case inQuotes:
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth == 0 && strings.IndexByte(bytes, c) >= 0:
			return i
		}
	}
	return -1
}

// plain takes quotes and comments away, and blanks around the rest. Quoted is set
// if there were quotes.
func plain(s string, number int) (text string, quoted bool, err error) {
	var b []byte
	inQuotes, depth := false, 0
	keep := 0 // no blank before that is cut off
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s) && (inQuotes || depth == 0):
			if i++; depth == 0 {
				b = append(b, s[i])
				keep = len(b)
			}
		case c == '"' && depth == 0:
			inQuotes, quoted = !inQuotes, true
			keep = len(b)
		case inQuotes:
			b = append(b, c)
			keep = len(b)
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 {
				return "", false, badFormat(number, "a ) without its (")
			}
		case depth > 0:
		case (c == ' ' || c == '\t') && len(b) == 0:
		default:
			b = append(b, c)
		}
	}
	if inQuotes || depth > 0 {
		return "", false, badFormat(number, "a quote or bracket that is not closed")
	}
	for len(b) > keep && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return string(b), quoted, nil
}
