package system

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"goqmail/internal/smtpsink"
)

// Every kind of message to every kind of place, and each delivered byte compared.
func TestEveryByte(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.must(os.MkdirAll(s.path("joe/programs"), 0o755))
	for name, text := range map[string]string{
		"joe/.qmail-dir-default":     "./dir/\n",
		"joe/.qmail-box-default":     "./box\n",
		"joe/.qmail-program-default": "|cat >programs/$DEFAULT\n",
		"joe/.qmail-forward-default": "&joe-again@here.test\n",
		"joe/.qmail-again":           "./again/\n",
	} {
		s.write(name, text)
	}
	s.own()
	for _, maildir := range []string{"dir", "again"} {
		if out, err := s.command("maildirmake", s.path("joe/"+maildir)).CombinedOutput(); err != nil {
			t.Fatalf("maildirmake: %v %s", err, out)
		}
	}
	arrived := map[string][]byte{} // what came over SMTP, by recipient
	var mu sync.Mutex
	s.sink(func(m *smtpsink.Message) error {
		mu.Lock()
		defer mu.Unlock()
		arrived[m.Recipients[0]] = m.Data
		return nil
	})
	messages := kinds(t)
	odd := oddKinds()
	maps.Copy(messages, odd)
	names := slices.Sorted(maps.Keys(messages))
	s.start()
	queued := 0
	for i, name := range names {
		for _, to := range []string{"joe-dir-%d@here.test", "joe-box-%d@here.test", "joe-program-%d@here.test", "joe-forward-%d@here.test", "friend-%d@elsewhere.test"} {
			if _, isOdd := odd[name]; isOdd && strings.HasPrefix(to, "friend") {
				continue
			}
			if code := s.queue("ann@far.test", []string{fmt.Sprintf(to, i)}, messages[name]); code != 0 {
				t.Fatalf("qmail-queue exits with %d", code)
			}
			queued++
		}
	}
	t.Logf("%d messages", queued)
	s.wait("\nend msg ", queued+len(names)) // and those that were forwarded
	s.stop()
	if left := s.inQueue(); len(left) > 0 {
		t.Errorf("%d files are left in the queue", len(left))
	}
	if log := s.logged(); strings.Contains(log, "deferral") || strings.Contains(log, "failure") {
		t.Errorf("not everything went well:\n%s", tail(log))
	}
	for i, name := range names {
		want := messages[name]
		checkStored(t, name, "maildir", want, findStored(s.mails(s.path("joe/dir")), fmt.Sprintf("Delivered-To: joe-dir-%d@here.test", i)), false)
		checkProgram(t, name, want, s.path(fmt.Sprintf("joe/programs/%d", i)))
		if _, isOdd := odd[name]; !isOdd {
			checkSMTP(t, name, want, arrived[fmt.Sprintf("friend-%d@elsewhere.test", i)])
		}
	}
	checkForwards(t, s.mails(s.path("joe/again")), names, messages)
	checkBox(t, s.path("joe/box"), names, messages)
}

// findStored finds the mail with that line among its first three.
func findStored(mails [][]byte, line string) []byte {
	for _, mail := range mails {
		head, _, err := splitStored(mail)
		if err == nil && head[1] == line {
			return mail
		}
	}
	return nil
}

// checkStored compares a mail in a mailbox with the message that was queued. In an
// mbox, a final newline is added.
func checkStored(t *testing.T, name, place string, want, mail []byte, newline bool) {
	t.Helper()
	head, got, err := splitStored(mail)
	if err != nil {
		t.Errorf("%s in %s: %v", name, place, err)
		return
	}
	if head[0] != "Return-Path: <ann@far.test>" || !strings.HasPrefix(head[2], "Received: (qmail ") {
		t.Errorf("%s in %s begins with %q", name, place, head)
	}
	if newline && len(want) > 0 && want[len(want)-1] != '\n' {
		want = append(slices.Clone(want), '\n')
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s in %s: %d bytes, want %d; the first differ at %d", name, place, len(got), len(want), firstDifference(got, want))
	}
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func checkProgram(t *testing.T, name string, want []byte, file string) {
	t.Helper()
	got, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
		return
	}
	received, got, _ := bytes.Cut(got, []byte("\n"))
	if !bytes.HasPrefix(received, []byte("Received: (qmail ")) || !bytes.Equal(got, want) {
		t.Errorf("%s to a program: %q and %d bytes, want %d", name, received, len(got), len(want))
	}
}

func checkSMTP(t *testing.T, name string, want, data []byte) {
	t.Helper()
	_, got, _ := bytes.Cut(data, []byte("\r\n"))
	want = bytes.ReplaceAll(want, []byte("\n"), []byte("\r\n"))
	if !bytes.Equal(got, want) {
		t.Errorf("%s over SMTP: %d bytes, want %d; the first differ at %d", name, len(got), len(want), firstDifference(got, want))
	}
}

// checkForwards looks for each message among the forwarded ones, which have two
// more lines before them.
func checkForwards(t *testing.T, mails [][]byte, names []string, messages map[string][]byte) {
	t.Helper()
	if len(mails) != len(names) {
		t.Errorf("%d messages were forwarded, want %d", len(mails), len(names))
	}
	for _, mail := range mails {
		_, rest, err := splitStored(mail)
		if err != nil {
			t.Error(err)
			continue
		}
		var i int
		if _, err := fmt.Sscanf(string(rest[:min(len(rest), 60)]), "Delivered-To: joe-forward-%d@here.test\nReceived: ", &i); err != nil {
			t.Errorf("a forwarded message goes on with %q", rest[:min(len(rest), 100)])
			continue
		}
		_, rest, _ = bytes.Cut(rest, []byte("\n"))
		_, rest, _ = bytes.Cut(rest, []byte("\n"))
		if want := messages[names[i]]; !bytes.Equal(rest, want) {
			t.Errorf("%s forwarded: %d bytes, want %d", names[i], len(rest), len(want))
		}
	}
}

// checkBox reads an mbox strictly: a message begins with a From line, ends with an
// empty line, and has no From line inside.
func checkBox(t *testing.T, file string, names []string, messages map[string][]byte) {
	t.Helper()
	box, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	mails := readBox(box)
	if len(mails) != len(names) {
		t.Errorf("the mbox has %d messages, want %d", len(mails), len(names))
	}
	for i, name := range names {
		mail := findStored(mails, fmt.Sprintf("Delivered-To: joe-box-%d@here.test", i))
		checkStored(t, name, "mbox", messages[name], mail, true)
	}
}

func readBox(box []byte) [][]byte {
	var mails [][]byte
	for len(box) > 0 {
		line, rest, _ := bytes.Cut(box, []byte("\n"))
		if bytes.HasPrefix(line, []byte("From ")) {
			mails = append(mails, nil)
		} else if n := len(mails) - 1; n >= 0 {
			if quoted := bytes.TrimLeft(line, ">"); len(quoted) < len(line) && bytes.HasPrefix(quoted, []byte("From ")) {
				line = line[1:]
			}
			mails[n] = append(append(mails[n], line...), '\n')
		}
		box = rest
	}
	for i := range mails {
		mails[i] = bytes.TrimSuffix(mails[i], []byte("\n")) // the empty line between messages
	}
	return mails
}
