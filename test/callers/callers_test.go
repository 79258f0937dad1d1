// Package callers has the programs that people send mail with submit messages
// through the built sendmail, and looks at what arrives in the queue.
//
// Programs that are not installed are skipped, with the name of the Debian package
// (or that of npm) that has them. Those that would need more of a machine than a
// test has are replayed: their exact command line and input. Cron, at and sudo run
// in a namespace of their own, for root alone.
package callers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/testbin"
	"goqmail/queue"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testbin.Remove()
	os.Exit(code)
}

// host is a home with a queue that nobody takes anything out of, and a folder to
// work in.
type host struct {
	t        *testing.T
	home     string
	dir      string
	sendmail string // runs the sendmail of that home, whatever the environment
}

func newHost(t *testing.T) *host {
	t.Helper()
	bin, err := testbin.Dir()
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, home: t.TempDir(), dir: t.TempDir()}
	h.sendmail = filepath.Join(h.dir, "sendmail")
	h.must(os.Mkdir(filepath.Join(h.home, "control"), 0o755))
	h.must(os.WriteFile(filepath.Join(h.home, "control/me"), []byte("mx.test.example\n"), 0o644))
	h.must(queue.Make(filepath.Join(h.home, "queue"), 1))
	h.must(os.Symlink(bin, filepath.Join(h.home, "bin")))
	h.file("sendmail", "#!/bin/sh\nQMAILHOME="+h.home+" exec "+bin+"/sendmail \"$@\"\n")
	return h
}

func (h *host) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// file writes a file into the folder and returns its path.
func (h *host) file(name, text string) string {
	h.t.Helper()
	name = filepath.Join(h.dir, name)
	syscall.ForkLock.RLock() // a child that had it open would keep it from being run
	defer syscall.ForkLock.RUnlock()
	h.must(os.WriteFile(name, []byte(text), 0o755))
	return name
}

// run runs a program in the folder, with that input, and returns what it wrote.
func (h *host) run(input string, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = h.dir
	cmd.Env = append(os.Environ(), "HOME="+h.dir, "USER=ann", "LOGNAME=ann", "EMAIL=ann@mx.test.example", "LC_ALL=C.UTF-8", "GIT_CONFIG_NOSYSTEM=1", "NODE_PATH="+os.Getenv("NODE_PATH")+":/usr/share/nodejs")
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// mail is a message in the queue.
type mail struct {
	sender     string
	recipients []string
	text       string // without the line of qmail-queue
}

// header is the value of a field, unfolded.
func (m mail) header(name string) string {
	head, _, _ := strings.Cut(m.text, "\n\n")
	for line := range strings.Lines(strings.ReplaceAll(strings.ReplaceAll(head, "\n\t", " "), "\n ", " ")) {
		if n, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (m mail) body() string {
	_, body, _ := strings.Cut(m.text, "\n\n")
	return body
}

// queued returns the messages in the queue.
func (h *host) queued() (all []mail) {
	h.t.Helper()
	names, err := filepath.Glob(filepath.Join(h.home, "queue/todo/*"))
	h.must(err)
	for _, name := range names {
		envelope, err := os.ReadFile(name)
		h.must(err)
		text, err := os.ReadFile(filepath.Join(h.home, "queue/mess/0", filepath.Base(name)))
		h.must(err)
		_, text, _ = bytes.Cut(text, []byte("\n"))
		m := mail{text: string(text)}
		for record := range strings.SplitSeq(strings.TrimSuffix(string(envelope), "\x00"), "\x00") {
			switch record[0] {
			case 'F':
				m.sender = record[1:]
			case 'T':
				m.recipients = append(m.recipients, record[1:])
			}
		}
		slices.Sort(m.recipients)
		all = append(all, m)
	}
	return all
}

// one returns the only message in the queue.
func (h *host) one() mail {
	h.t.Helper()
	all := h.queued()
	if len(all) != 1 {
		h.t.Fatalf("%d messages are queued, want 1", len(all))
	}
	return all[0]
}

// want is what a message has to be like.
type want struct {
	sender     string
	recipients string            // with blanks in between
	header     map[string]string // an empty value: no such field
	body       string            // what the body holds
}

func (w want) check(t *testing.T, m mail) {
	t.Helper()
	if m.sender != w.sender {
		t.Errorf("sender %q, want %q", m.sender, w.sender)
	}
	if got := strings.Join(m.recipients, " "); got != w.recipients {
		t.Errorf("recipients %q, want %q", got, w.recipients)
	}
	for name, value := range w.header {
		if got := m.header(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	if !strings.Contains(m.body(), w.body) {
		t.Errorf("the body lacks %q:\n%s", w.body, m.body())
	}
	if strings.Contains(m.text, "\r") {
		t.Errorf("there is a CR in %q", m.text)
	}
	for _, name := range []string{"Date", "Message-ID", "From"} {
		if m.header(name) == "" {
			t.Errorf("there is no %s", name)
		}
	}
	if m.header("Bcc") != "" {
		t.Error("Bcc is shown")
	}
	if t.Failed() {
		t.Log(m.text)
	}
}

// need skips the test unless a program is there, and the shell line says that all
// it needs is too.
func need(t *testing.T, program, where string, ready ...string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil && len(ready) > 0 {
		err = exec.Command("sh", "-c", ready[0]).Run()
	}
	if err != nil {
		t.Skipf("%s is not here (%s)", program, where)
	}
	return path
}

// trouble reports a program that failed.
func trouble(t *testing.T, out string, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(fmt.Errorf("%w: %s", err, out))
	}
}
