package peers

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// message is one that is easily harmed on its way. It has all that a program might
// want to add.
var message = "From: Sue <sue@far.example>\nTo: joe@here.test\nDate: Sat, 21 Nov 2026 20:00:00 +0000\n" +
	"Message-ID: <1@far.example>\nSubject: tea,\n\tand more\nMIME-Version: 1.0\n" +
	"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n" +
	".\n..\n.dot\n...dots\nFrom here it is not far.\n \nGr\xfc\xdfe\n" + strings.Repeat("x", 900) + "\n\n.\n\nlast\n"

// mail is a message and its envelope.
type mail struct {
	sender     string
	recipients []string
	text       string
}

// take takes all messages out of the queue of a home in which no qmail-send runs.
func (h *host) take() (all []mail) {
	h.t.Helper()
	names, err := filepath.Glob(h.path("queue/todo/*"))
	h.must(err)
	for _, name := range names {
		envelope, err := os.ReadFile(name)
		h.must(err)
		mess, err := filepath.Glob(h.path("queue/mess/*/" + filepath.Base(name)))
		h.must(err)
		text, err := os.ReadFile(mess[0])
		h.must(err)
		m := mail{text: string(text)}
		for record := range bytes.SplitSeq(bytes.TrimSuffix(envelope, []byte{0}), []byte{0}) {
			switch record[0] {
			case 'F':
				m.sender = string(record[1:])
			case 'T':
				m.recipients = append(m.recipients, string(record[1:]))
			}
		}
		slices.Sort(m.recipients)
		all = append(all, m)
		h.must(os.Remove(name))
		h.must(os.Remove(mess[0]))
	}
	return all
}

// takeOne takes the only message out of the queue.
func (h *host) takeOne() mail {
	h.t.Helper()
	all := h.take()
	if len(all) != 1 {
		h.t.Fatalf("%d messages are queued, want 1", len(all))
	}
	return all[0]
}

// checkReceived checks the envelope and that the text is what was sent behind the
// two fields that we add, the second of which holds the words given.
func (m mail) checkReceived(t *testing.T, sender, recipients, sent string, words ...string) {
	t.Helper()
	if got := strings.Join(m.recipients, " "); m.sender != sender || got != recipients {
		t.Errorf("the envelope is from %q to %q, want %q, %q", m.sender, got, sender, recipients)
	}
	first, rest, _ := strings.Cut(m.text, "\n")
	second, text := cutField(rest)
	if !strings.HasPrefix(first, "Received: (qmail ") || !strings.HasPrefix(second, "Received: from ") {
		t.Errorf("the message begins with\n%s\n%s", first, second)
	}
	for _, w := range words {
		if !strings.Contains(second, w) {
			t.Errorf("there is no %q in %q", w, second)
		}
	}
	checkText(t, text, sent)
}

func checkText(t *testing.T, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	n := 0
	for n < min(len(got), len(want)) && got[n] == want[n] {
		n++
	}
	t.Errorf("the messages differ from byte %d of %d on: %q, want %q", n, len(want), clip(got[n:]), clip(want[n:]))
}

func clip(s string) string { return s[:min(len(s), 300)] }

// cutField cuts off the first field of a header.
func cutField(text string) (field, rest string) {
	field, rest, _ = strings.Cut(text, "\n")
	for strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, "\t") {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		field += "\n" + line
	}
	return field, rest
}

// withoutTrace cuts off the fields that hosts on the way have put in front.
func withoutTrace(text string) string {
	for {
		field, rest := cutField(text)
		name, _, _ := strings.Cut(field, ":")
		if !slices.Contains([]string{"return-path", "received", "delivered-to", "x-original-to"}, strings.ToLower(name)) {
			return text
		}
		text = rest
	}
}
