package queue

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"goqmail/internal/durable"
)

// Whatever qmail-clean is asked, there is one answer to each command that is whole, and
// what is no command is answered as such.
func FuzzClean(f *testing.F) {
	f.Add("foop/12\x00todo/12\x00done/12\x00")
	f.Add("foop/../12\x00todo/-1\x00done/\x00\x00foop/99999999999999999999\x00")
	f.Add("foop/1")
	folder := f.TempDir() + "/queue"
	if err := Make(folder, DefaultSplit); err != nil {
		f.Fatal(err)
	}
	q, err := Open(durable.NewDir(folder))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var answers bytes.Buffer
		if err := q.Clean(strings.NewReader(text), &answers, time.Now, nil); err != nil {
			t.Fatal(err)
		}
		commands := strings.Split(text, "\x00")
		commands = commands[:len(commands)-1]
		if answers.Len() != len(commands) {
			t.Fatalf("%q has %d answers", text, answers.Len())
		}
		for i, c := range answers.Bytes() {
			verb, number, _ := strings.Cut(commands[i], "/")
			_, isNumber := ParseNumber(number)
			known := isNumber && (verb == "foop" || verb == "todo" || verb == "done")
			if (c == CleanUnknown) == known {
				t.Errorf("%q is answered by %q", commands[i], c)
			}
		}
	})
}
