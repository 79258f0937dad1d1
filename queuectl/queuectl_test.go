package queuectl

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/durable"
	"goqmail/internal/ids"
	"goqmail/queue"
)

// bench is a queue without a qmail-send, and a tool for it.
type bench struct {
	t    *testing.T
	home string
	q    *queue.Queue
	now  time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, home: t.TempDir(), now: time.Now()}
	if err := queue.Make(filepath.Join(b.home, "queue"), 3); err != nil {
		t.Fatal(err)
	}
	b.write("control/me", "mx.example.org\n")
	b.open()
	return b
}

func (b *bench) open() {
	b.t.Helper()
	var err error
	if b.q, err = queue.Open(durable.NewDir(filepath.Join(b.home, "queue"))); err != nil {
		b.t.Fatal(err)
	}
}

// write writes a file below the home; * is a NUL.
func (b *bench) write(name, text string) {
	b.t.Helper()
	name = filepath.Join(b.home, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(strings.ReplaceAll(text, "*", "\x00")), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) read(name string) string {
	data, err := os.ReadFile(filepath.Join(b.home, name))
	if err != nil {
		b.t.Error(err)
	}
	return strings.ReplaceAll(string(data), "\x00", "*")
}

// add puts a preprocessed message into the queue. Empty lists make no file.
func (b *bench) add(sender, local, remote string, age time.Duration) queue.Number {
	b.t.Helper()
	n, err := b.q.Submit(strings.NewReader("Subject: test\n\nbody\n"), strings.NewReader("F"+sender+"\x00\x00"), queue.Origin{PID: os.Getpid(), Time: b.now})
	if err != nil {
		b.t.Fatal(err)
	}
	b.q.Remove(queue.Todo, n)
	b.q.Remove(queue.Intd, n)
	b.write("queue/"+b.q.Name(queue.Info, n), "F"+sender+"*")
	birth := b.now.Add(-age)
	if err := b.q.FS.Chtimes(b.q.Name(queue.Info, n), birth, birth); err != nil {
		b.t.Fatal(err)
	}
	for kind, list := range map[queue.Kind]string{queue.Local: local, queue.Remote: remote} {
		if list != "" {
			b.write("queue/"+b.q.Name(kind, n), list)
		}
	}
	return n
}

// run runs the tool and returns its exit code and what it prints.
func (b *bench) run(args ...string) (code int, out, errors string) {
	b.t.Helper()
	var o, e strings.Builder
	t := Tool{Home: b.home, Accounts: ids.Files{Passwd: os.DevNull, Group: os.DevNull}, Out: &o, Errors: &e, Now: func() time.Time { return b.now }, Sleep: func(time.Duration) {},
		Become: func(int, int) error { return nil }}
	code = t.Run(args)
	return code, o.String(), e.String()
}

// ok runs the tool, which must succeed.
func (b *bench) ok(args ...string) string {
	b.t.Helper()
	code, out, errors := b.run(args...)
	if code != 0 || errors != "" {
		b.t.Errorf("%q exits with %d, %q, %q", args, code, out, errors)
	}
	return out
}

func (b *bench) list(args ...string) (messages []Message) {
	b.t.Helper()
	if err := json.Unmarshal([]byte(b.ok(append([]string{"list", "-json"}, args...)...)), &messages); err != nil {
		b.t.Fatal(err)
	}
	return messages
}

func TestList(t *testing.T) {
	b := newBench(t)
	n := b.add("ann@far.example", "Tjoe@example.org*", "Dbob@far.example*Teve@other.example*", 2*time.Hour)
	if err := b.q.MergeReports(queue.Remote, n, queue.Reports{17: "Connected to 192.0.2.1\nbut greeting failed.\n"}); err != nil {
		t.Fatal(err)
	}
	next := time.Date(2026, 11, 21, 20, 30, 0, 0, time.UTC)
	for _, kind := range []queue.Kind{queue.Local, queue.Remote} {
		if err := b.q.SetDue(kind, n, next); err != nil {
			t.Fatal(err)
		}
	}
	b.now = next
	st, _ := b.q.FS.Stat(b.q.Name(queue.Mess, n))
	birth := b.list()[0].Born.Format(timeForm)
	want := fmt.Sprintf("%d queued %s %d <ann@far.example>\n"+
		"\tlocal waiting joe@example.org next 2026-11-21T20:30:00Z\n"+
		"\tremote done bob@far.example\n"+
		"\tremote waiting eve@other.example next 2026-11-21T20:30:00Z\n"+
		"\t\tConnected to 192.0.2.1/but greeting failed.\n", n, birth, st.Size())
	if got := b.ok("list"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	messages := b.list()
	if len(messages) != 1 || messages[0].Number != n || len(messages[0].Recipients) != 3 || messages[0].Recipients[2].Report == "" {
		t.Errorf("got %+v", messages)
	}
	if got := b.ok("list", "-json", "-older", "100w"); got != "[]\n" {
		t.Errorf("got %q", got)
	}
}

func TestListNew(t *testing.T) {
	b := newBench(t)
	n, err := b.q.Submit(strings.NewReader("Subject: test\n\nbody\n"), strings.NewReader("Fann@far.example\x00Tbob@far.example\x00\x00"), queue.Origin{PID: os.Getpid(), Time: b.now})
	if err != nil {
		t.Fatal(err)
	}
	messages := b.list()
	if len(messages) != 1 || messages[0].Number != n || messages[0].State != stateNew || messages[0].Recipients[0] != (Recipient{State: stateNew, Address: "bob@far.example"}) {
		t.Errorf("got %+v", messages)
	}
	if code, out, _ := b.run("hold", n.String()); code != 111 || !strings.Contains(out, "not preprocessed") {
		t.Errorf("hold exits with %d, %q", code, out)
	}
	b.ok("delete", n.String())
	if messages := b.list(); len(messages) > 0 {
		t.Errorf("got %+v", messages)
	}
}

func TestFilters(t *testing.T) {
	b := newBench(t)
	old := b.add("ann@far.example", "Tjoe@example.org*", "", 48*time.Hour)
	young := b.add("", "", "TBob@Far.Example*Dx@example.org*", time.Hour)
	b.ok("hold", old.String())
	for _, tt := range []struct {
		args string
		want []queue.Number
	}{
		{"", []queue.Number{old, young}},
		{"-sender ann@far.example", []queue.Number{old}},
		{"-sender ANN@*", []queue.Number{old}},
		{"-sender=", []queue.Number{young}},
		{"-recipient bob@far.example", []queue.Number{young}},
		{"-domain far.example", []queue.Number{young}},
		{"-domain *.example", []queue.Number{young}},
		{"-domain example.org", []queue.Number{old}}, // the other one is done
		{"-older 1d", []queue.Number{old}},
		{"-newer 7200", []queue.Number{young}},
		{"-newer 1m", nil},
		{"-larger 10", []queue.Number{old, young}},
		{"-larger 1k", nil},
		{"-held", []queue.Number{old}},
		{"-older 1d -sender x@*", nil},
		{"-sender ann@* " + young.String(), nil},
		{old.String(), []queue.Number{old}},
	} {
		var got []queue.Number
		for _, m := range b.list(strings.Fields(tt.args)...) {
			got = append(got, m.Number)
		}
		slices.Sort(got)
		slices.Sort(tt.want)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q picks %v, want %v", tt.args, got, tt.want)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"a@b", "A@b", true}, {"a", "ab", false}, {"", "", true}, {"", "a", false}, {"*", "", true},
		{"a*b*c", "abbc", true}, {"a*b*c", "ac", false}, {"*@x", "a@x", true}, {"ab*ba", "aba", false},
	} {
		if got := matches(tt.pattern, tt.text); got != tt.want {
			t.Errorf("matches(%q, %q) = %v", tt.pattern, tt.text, got)
		}
	}
}

func TestUsage(t *testing.T) {
	b := newBench(t)
	for _, args := range []string{"", "dance", "delete", "show", "list -older", "list -older x", "list -older 0", "list -larger 9999999999999G",
		"list -colour red", "list x", "list -json=1", "hold -json", "check 5", "repair -split 0", "list -newer -1h"} {
		if code, out, errors := b.run(strings.Fields(args)...); code != 100 || out != "" || !strings.Contains(errors, "usage: ") {
			t.Errorf("%q exits with %d, %q, %q", args, code, out, errors)
		}
	}
}

func TestShow(t *testing.T) {
	b := newBench(t)
	n := b.add("ann@far.example", "Tjoe@example.org*", "", 0)
	if got := b.ok("show", n.String()); !strings.Contains(got, "\n\nReceived: (qmail ") || !strings.HasSuffix(got, "\nSubject: test\n") {
		t.Errorf("got %q", got)
	}
	if got := b.ok("show", "-body", "#"+n.String()); !strings.HasSuffix(got, "\nSubject: test\n\nbody\n") {
		t.Errorf("got %q", got)
	}
	var all []Message
	if err := json.Unmarshal([]byte(b.ok("show", "-json", "-body", n.String())), &all); err != nil || all[0].Body != "body\n" {
		t.Errorf("got %+v, %v", all, err)
	}
	if code, _, errors := b.run("show", "4711"); code != 100 || !strings.Contains(errors, "4711: gone") {
		t.Errorf("exits with %d, %q", code, errors)
	}
}

func TestCount(t *testing.T) {
	b := newBench(t)
	b.add("ann@far.example", "", "Ta@x.example*Tb@X.example*Dc@x.example*Tc@y.example*", time.Hour)
	b.add("ann@far.example", "Tjoe@x.example*", "", time.Minute)
	var got []Domain
	if err := json.Unmarshal([]byte(b.ok("count", "-json")), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Domain != "x.example" || got[0].Recipients != 3 || got[0].Messages != 2 || got[1].Recipients != 1 {
		t.Errorf("got %+v", got)
	}
	if got := b.ok("count"); strings.Count(got, "\n") != 3 {
		t.Errorf("got %q", got)
	}
}

// Without a qmail-send the tool does it itself.
func TestActHere(t *testing.T) {
	b := newBench(t)
	n := b.add("ann@far.example", "", "Tbob@far.example*Teve@far.example*", time.Hour)
	if got, want := b.ok("hold", n.String()), n.String()+" hold: ok\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if m := b.list()[0]; m.State != stateHeld || m.Recipients[0].State != stateHeld {
		t.Errorf("got %+v", m)
	}
	if code, out, _ := b.run("retry", "-json", n.String()); code != 111 || !strings.Contains(out, `"result":"refused","reason":"it is held"`) {
		t.Errorf("retry exits with %d, %q", code, out)
	}
	b.ok("release", "-held")
	if m := b.list()[0]; m.State != stateQueued {
		t.Errorf("got %+v", m)
	}
	b.ok("bounce", "-sender", "ann@*")
	want := "<bob@far.example>:\nI'm not going to try again; the administrator has returned this message.\n\n" +
		"<eve@far.example>:\nI'm not going to try again; the administrator has returned this message.\n\n"
	if got := b.read("queue/bounce/" + n.String()); got != want {
		t.Errorf("bounce is %q, want %q", got, want)
	}
	b.ok("delete", "-all")
	if messages := b.list(); len(messages) > 0 {
		t.Errorf("%+v are left", messages)
	}
	if code, out, _ := b.run("delete", n.String()); code != 100 || out != n.String()+" delete: gone\n" {
		t.Errorf("exits with %d, %q", code, out)
	}
}

// Another qmail's qmail-send has the queue: nothing is done behind its back.
func TestNoCommands(t *testing.T) {
	b := newBench(t)
	n := b.add("ann@far.example", "", "Tbob@far.example*", time.Hour)
	lock, err := queue.Lock(filepath.Join(b.home, "queue"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if code, _, errors := b.run("delete", n.String()); code != 111 || !strings.Contains(errors, "takes no commands") {
		t.Errorf("exits with %d, %q", code, errors)
	}
	if code, _, errors := b.run("repair"); code != 111 || !strings.Contains(errors, "qmail-send runs") {
		t.Errorf("exits with %d, %q", code, errors)
	}
	if got := len(b.list()); got != 1 {
		t.Errorf("%d messages", got)
	}
}

func (b *bench) inode(name string) queue.Number {
	b.t.Helper()
	st, err := os.Stat(filepath.Join(b.home, "queue", name))
	if err != nil {
		b.t.Fatal(err)
	}
	return queue.Number(st.Sys().(*syscall.Stat_t).Ino)
}

func TestRepair(t *testing.T) {
	b := newBench(t)
	good := b.add("ann@far.example", "", "Tbob@far.example*", time.Hour)
	if got := b.ok("check"); got != "the queue is in order\n" {
		t.Fatalf("got %q", got)
	}
	wrong := b.add("ann@far.example", "Tjoe@example.org*", "", time.Hour)
	path := func(name string) string { return filepath.Join(b.home, "queue", name) }
	place := func(kind queue.Kind, s int) string { return path(fmt.Sprintf("%s/%d/%d", kind, s, wrong)) }
	for _, kind := range []queue.Kind{queue.Mess, queue.Info, queue.Local} {
		if err := os.Rename(place(kind, int(wrong%3)), place(kind, int((wrong+1)%3))); err != nil {
			t.Fatal(err)
		}
	}
	b.write("queue/mess/0/.nfs0001", "stray")
	b.write("queue/remote/1/1", "Tx@example.org*")
	b.write("queue/bounce/2", "stray")
	noSender := b.add("x", "Tjoe@example.org*", "", time.Hour)
	b.q.Remove(queue.Info, noSender)
	for _, name := range []string{"pid", "lock/trigger", "lock/tcpto"} {
		if err := os.Remove(path(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(path("info/0"), 0o755); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := b.run("check"); code != 111 || strings.Count(out, "\n") < 10 || strings.Contains(out, "repaired") {
		t.Errorf("check exits with %d\n%s", code, out)
	}
	out := b.ok("repair")
	if strings.Count(out, ": repaired\n") != strings.Count(out, "\n") {
		t.Errorf("got\n%s", out)
	}
	if got := b.ok("check"); got != "the queue is in order\n" {
		t.Errorf("after the repair: %q", got)
	}
	var got []queue.Number
	for _, m := range b.list() {
		got = append(got, m.Number)
		if len(m.Recipients) != 1 || m.Number == noSender && m.Sender != "" {
			t.Errorf("got %+v", m)
		}
	}
	slices.Sort(got)
	want := []queue.Number{good, wrong, noSender}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("messages %v, want %v", got, want)
	}
	stray, _ := filepath.Glob(path("stray/*"))
	if len(stray) != 3 {
		t.Errorf("set aside: %q", stray)
	}
}

// A queue that was copied has other inodes: numbers may even have changed places.
func TestRepairNumbers(t *testing.T) {
	b := newBench(t)
	var numbers []queue.Number
	for i := range 9 {
		numbers = append(numbers, b.add(fmt.Sprintf("%d@far.example", i), fmt.Sprintf("Tjoe%d@example.org*", i), "", time.Hour))
	}
	// Three change places in a circle, two with each other, one has another number.
	move := func(from, to queue.Number) {
		t.Helper()
		for _, kind := range []queue.Kind{queue.Mess, queue.Info, queue.Local} {
			if err := b.q.FS.Rename(b.q.Name(kind, from), b.q.Name(kind, to)); err != nil {
				t.Fatal(err)
			}
		}
	}
	move(numbers[0], 1)
	move(numbers[1], numbers[0])
	move(numbers[2], numbers[1])
	move(1, numbers[2])
	move(numbers[3], 2)
	move(numbers[4], numbers[3])
	move(2, numbers[4])
	move(numbers[5], 7)
	if code, out, _ := b.run("check"); code != 111 || strings.Count(out, "is inode") != 6 {
		t.Errorf("check exits with %d\n%s", code, out)
	}
	b.ok("repair")
	if got := b.ok("check"); got != "the queue is in order\n" {
		t.Errorf("after the repair: %q", got)
	}
	seen := map[string]bool{}
	for _, m := range b.list() {
		if b.inode(b.q.Name(queue.Mess, m.Number)) != m.Number || len(m.Recipients) != 1 || m.Recipients[0].Address[3:4] != m.Sender[:1] {
			t.Errorf("got %+v", m)
		}
		seen[m.Sender] = true
	}
	if len(seen) != 9 {
		t.Errorf("%d messages, want 9", len(seen))
	}
}

// A renaming that a crash has cut short, at any point, is finished by the next
// repair; the message is there once.
func TestRepairInterrupted(t *testing.T) {
	for links := range 4 {
		b := newBench(t)
		n := b.add("ann@far.example", "Tjoe@example.org*", "", time.Hour)
		const other = 12345
		kinds := []queue.Kind{queue.Mess, queue.Local, queue.Info}
		for _, kind := range kinds {
			if err := b.q.FS.Rename(b.q.Name(kind, n), b.q.Name(kind, other)); err != nil {
				t.Fatal(err)
			}
		}
		for _, kind := range kinds[:links] {
			if err := b.q.FS.Link(b.q.Name(kind, other), b.q.Name(kind, n)); err != nil {
				t.Fatal(err)
			}
		}
		b.ok("repair")
		messages := b.list()
		if len(messages) != 1 || messages[0].Number != n || messages[0].Sender != "ann@far.example" || len(messages[0].Recipients) != 1 {
			t.Errorf("after %d links: %+v", links, messages)
		}
	}
}

func TestRepairSplit(t *testing.T) {
	b := newBench(t)
	for i := range 20 {
		b.add(fmt.Sprintf("%d@far.example", i), "Tjoe@example.org*", "", time.Hour)
	}
	for _, split := range []string{"7", "2"} {
		b.ok("repair", "-split", split)
		if got := b.ok("check"); got != "the queue is in order\n" {
			t.Errorf("split %s: %q", split, got)
		}
		b.open()
		if got := len(b.list()); got != 20 || fmt.Sprint(b.q.Split()) != split {
			t.Errorf("%d messages, split %d, want 20, %s", got, b.q.Split(), split)
		}
	}
}

func TestNotAQueue(t *testing.T) {
	b := newBench(t)
	if err := os.Rename(filepath.Join(b.home, "queue/mess"), filepath.Join(b.home, "queue/mass")); err != nil {
		t.Fatal(err)
	}
	if code, _, errors := b.run("repair"); code != 111 || !strings.Contains(errors, "does not look like a queue") {
		t.Errorf("exits with %d, %q", code, errors)
	}
}

func FuzzOptions(f *testing.F) {
	f.Add("-older 3d -sender=a@b 17 #18")
	f.Fuzz(func(t *testing.T, line string) {
		o, err := parseOptions(strings.Fields(line))
		if err == nil && (o.filter.older < 0 || o.filter.newer < 0 || o.filter.larger < 0 || o.split < 0) {
			t.Errorf("%q is read as %+v", line, o)
		}
	})
}
