//go:build linux && amd64

package faults

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// fetch has qmail-pop3d serve a maildir with two messages, of which the first one is
// fetched and deleted, while a plan is carried out.
func fetch(o *outcome, p plan) {
	fresh(map[string]string{"me": "here.test\n"})
	first, second := newMail("first", 30<<10), newMail("second", 700)
	for i, m := range []*mail{first, second} {
		name := fmt.Sprintf("/home/pat/Maildir/%s/%d.%s.here.test", []string{"new", "cur"}[i], 1700000000+i, m.name)
		must(os.WriteFile(name, []byte(m.text), 0o600))
		must(os.Chown(name, pat, pat))
		past := time.Now().Add(time.Duration(i-9) * time.Second) // those of this second are not shown yet
		must(os.Chtimes(name, past, past))
	}
	s := &submission{outcome: o, plan: p}
	cmd := s.start(pat, pat, remoteEnv, "qmail-pop3d", "/home/pat/Maildir")
	in, err := cmd.StdinPipe()
	must(err)
	out, err := cmd.StdoutPipe()
	must(err)
	stop := time.AfterFunc(patience, reapTraced)
	must(cmd.Start())
	got, asked, done := s.talkPOP(in, bufio.NewReader(out))
	in.Close()
	io.Copy(io.Discard, out)
	cmd.Wait()
	if !stop.Stop() {
		o.problem("it hangs")
	}
	must(o.read("/var/report"))
	if got == onTheWire(second) { // the first one was not to be seen
		first, second = second, first
	}
	if got != "" && got != onTheWire(first) {
		o.problem("what is fetched is not the message: %q ... %q", got[:min(len(got), 200)], got[max(0, len(got)-200):])
	}
	o.inMaildir(second, true)
	switch {
	case !asked:
		o.inMaildir(first, true)
	case done:
		o.inMaildir(first, false)
	}
	if p.harmless() && !done {
		o.problem("the session is not to its end")
	}
}

func onTheWire(m *mail) string { return strings.ReplaceAll(m.text, "\n", "\r\n") }

// talkPOP returns what was fetched, whether its removal was asked for, and whether the
// server said that it was done.
func (s *submission) talkPOP(in io.Writer, out *bufio.Reader) (got string, asked, done bool) {
	say := func(command string) bool {
		if command != "" {
			if _, err := io.WriteString(in, command+"\r\n"); err != nil {
				return false
			}
		}
		line, err := out.ReadString('\n')
		s.said.Write([]byte(line))
		return err == nil && strings.HasPrefix(line, "+OK")
	}
	if !say("") || !say("STAT") || !say("RETR 1") {
		return "", false, false
	}
	var text strings.Builder
	for {
		line, err := out.ReadString('\n')
		if err != nil {
			return "", false, false
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(line)
	}
	// A blank line more is what qmail-pop3d puts before the dot.
	got = strings.TrimSuffix(text.String(), "\r\n\r\n")
	if got != text.String() {
		got += "\r\n"
	}
	return got, say("DELE 1"), say("QUIT")
}

// inMaildir looks whether a message is in pat's maildir, once and whole.
func (o *outcome) inMaildir(m *mail, want bool) {
	names, _ := filepath.Glob("/home/pat/Maildir/*/*")
	found := false
	for _, name := range names {
		if !strings.Contains(name, "."+m.name+".") {
			continue
		}
		found = true
		if text, err := os.ReadFile(name); err != nil || string(text) != m.text {
			o.problem("message %s is not whole: %v", m.name, err)
		}
	}
	if found != want {
		o.problem("message %s is in the maildir: %v, want %v", m.name, found, want)
	}
}
