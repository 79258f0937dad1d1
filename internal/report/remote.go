package report

// Remote takes the output of a qmail-remote that was asked to deliver to one
// recipient, and makes a report of it. It keeps what the report needs and no more,
// however much is written. The zero value is ready.
type Remote struct {
	total   int    // bytes written
	first   byte   // the first one, the recipient's letter
	said    []byte // what follows it: the text about the recipient
	saidEnd bool   // there was a NUL after it
	next    []byte // the record after that
	nextEnd bool
	letter  byte // first byte of the record under way; 0 at its beginning
	verdict byte // the first record's letter that is K, Z or D; 0 if none was yet
}

// Write never fails.
func (r *Remote) Write(p []byte) (int, error) {
	for _, c := range p {
		r.put(c)
	}
	return len(p), nil
}

func (r *Remote) put(c byte) {
	if r.total++; r.total == 1 {
		r.first = c
	} else {
		r.keep(c)
	}
	switch {
	case c != 0 && r.letter == 0:
		r.letter = c
	case c == 0:
		if r.verdict == 0 && isVerdict(r.letter) {
			r.verdict = r.letter
		}
		r.letter = 0
	}
}

// keep stores a byte of the two texts.
func (r *Remote) keep(c byte) {
	text, end := &r.said, &r.saidEnd
	if r.saidEnd {
		text, end = &r.next, &r.nextEnd
	}
	switch {
	case *end:
	case c == 0:
		*end = true
	case len(*text) < MaxText:
		*text = append(*text, c)
	}
}

func isVerdict(c byte) bool { return c == 'K' || c == 'Z' || c == 'D' }

// Empty reports whether nothing was written at all.
func (r *Remote) Empty() bool { return r.total == 0 }

// Report is what qmail-send is to be told. The recipient's letter overrules that
// of the message, so that a recipient refused by a host which took the message for
// others fails alone. The text about the message is added where it is not better
// news than the verdict.
//
// Compat: without any K, Z or D record the verdict is D, as in qmail; and the
// first record may be that of the message, if there was trouble before any
// recipient.
func (r *Remote) Report() Report {
	message := r.verdict
	if message == 0 {
		message = 'D'
	}
	letter := message
	switch r.first {
	case 's':
		letter = 'Z'
	case 'h':
		letter = 'D'
	}
	report, _ := Parse(string(letter))
	if !r.saidEnd {
		return report
	}
	text := r.said
	if len(r.next) > 0 && isVerdict(r.next[0]) && rank(message) <= rank(letter) {
		text = append(text[:len(text):len(text)], r.next[1:]...)
	}
	report.Text = string(text)
	return report
}

// rank orders the letters from bad to good.
func rank(letter byte) int {
	switch letter {
	case 'K':
		return 1
	case 'Z':
		return 0
	}
	return -1
}
