package queue

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"goqmail/internal/durable"
	"goqmail/internal/exitcode"
)

var who = Origin{UID: 1000, PID: 4711, Time: time.Date(2026, 11, 21, 18, 4, 7, 0, time.UTC)}

const (
	goodEnvelope = "Fann@example.org\x00Tjoe@example.org\x00Teve@example.net\x00\x00"
	receivedLine = "Received: (qmail 4711 invoked by uid 1000); 21 Nov 2026 18:04:07 -0000\n"
)

// newQueue makes an empty queue and returns its folder too.
func newQueue(t *testing.T, split int) (*Queue, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "queue")
	if err := Make(dir, split); err != nil {
		t.Fatal(err)
	}
	q, err := Open(durable.NewDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	return q, dir
}

// contents returns what is in the queue, by name, locks aside.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.Contains(path, "/lock/") {
			data, _ := os.ReadFile(path)
			found[strings.TrimPrefix(path, dir+"/")] = string(data)
		}
		return nil
	})
	return found
}

func TestSubmit(t *testing.T) {
	q, dir := newQueue(t, 23)
	n, err := q.Submit(strings.NewReader("Subject: s\n\nbody"), strings.NewReader(goodEnvelope+"rest"), who)
	if err != nil {
		t.Fatal(err)
	}
	envelope := "u1000\x00p4711\x00" + strings.TrimSuffix(goodEnvelope, "\x00")
	want := map[string]string{
		q.Name(Mess, n): receivedLine + "Subject: s\n\nbody",
		q.Name(Intd, n): envelope,
		q.Name(Todo, n): envelope,
	}
	got := contents(t, dir)
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s = %q, want %q", name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("the queue has %d files, want %d: %q", len(got), len(want), got)
	}
	st, err := os.Stat(filepath.Join(dir, q.Name(Mess, n)))
	if err != nil || st.Sys().(*syscall.Stat_t).Ino != uint64(n) {
		t.Errorf("message %d is not called after its inode", n)
	}
}

func TestReceived(t *testing.T) {
	for account, want := range map[string]string{
		"":       "invoked by uid 1000)",
		"alias":  "invoked by alias)",
		"qmaild": "invoked from network)",
		"qmails": "invoked for bounce)",
	} {
		o := who
		o.Account = account
		if got := o.received(); !strings.Contains(got, want) {
			t.Errorf("Received line for %q is %q, want %q in it", account, got, want)
		}
	}
}

func TestSubmitRefuses(t *testing.T) {
	long := strings.Repeat("a", MaxAddress+1)
	broken := errors.New("broken")
	for _, tt := range []struct {
		name     string
		message  io.Reader
		envelope string
		want     int
	}{
		{"empty envelope", nil, "", exitcode.QueueRead},
		{"no final NUL", nil, strings.TrimSuffix(goodEnvelope, "\x00"), exitcode.QueueRead},
		{"cut in recipient", nil, "Fa\x00Tb", exitcode.QueueRead},
		{"sender only", nil, "Fa\x00", exitcode.QueueRead},
		{"no F", nil, "a\x00\x00", exitcode.QueueEnvelope},
		{"NUL first", nil, "\x00\x00", exitcode.QueueEnvelope},
		{"no T", nil, "Fa\x00Bb\x00\x00", exitcode.QueueEnvelope},
		{"long sender", nil, "F" + long + "\x00\x00", exitcode.QueueAddressTooLong},
		{"long recipient, not ended", nil, "Fa\x00T" + long, exitcode.QueueAddressTooLong},
		{"longest recipient, not ended", nil, "Fa\x00T" + long[1:], exitcode.QueueRead},
		{"message unreadable", iotest.ErrReader(broken), goodEnvelope, exitcode.QueueRead},
	} {
		q, dir := newQueue(t, 3)
		message := tt.message
		if message == nil {
			message = strings.NewReader("m")
		}
		_, err := q.Submit(message, strings.NewReader(tt.envelope), who)
		var f *Failure
		if !errors.As(err, &f) || f.Code != tt.want {
			t.Errorf("%s: %v, want exit code %d", tt.name, err, tt.want)
		}
		if left := contents(t, dir); len(left) != 0 {
			t.Errorf("%s: %q is left", tt.name, left)
		}
	}
}

func TestSubmitWithoutFolders(t *testing.T) {
	for folder, want := range map[string]int{
		"pid": exitcode.QueuePid, "mess/0": exitcode.QueueMess, "intd": exitcode.QueueIntd, "todo": exitcode.QueueTodo,
	} {
		q, dir := newQueue(t, 1)
		os.Remove(filepath.Join(dir, folder))
		_, err := q.Submit(strings.NewReader("m"), strings.NewReader(goodEnvelope), who)
		var f *Failure
		if !errors.As(err, &f) || f.Code != want {
			t.Errorf("without %s: %v, want exit code %d", folder, err, want)
		}
		if left := contents(t, dir); len(left) != 0 {
			t.Errorf("without %s: %q is left", folder, left)
		}
	}
}

// A queue that was copied has messages whose numbers are the inodes of others.
func TestSubmitPassesOverNumbersInUse(t *testing.T) {
	q, dir := newQueue(t, 1)
	probe := filepath.Join(dir, "pid/probe")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	st, _ := os.Stat(probe)
	next := Number(st.Sys().(*syscall.Stat_t).Ino)
	os.Remove(probe)
	for i, kind := range []Kind{Mess, Todo} {
		for k := range Number(50) {
			os.WriteFile(filepath.Join(dir, q.Name(kind, next+k+Number(i)*50)), []byte("old"), 0o600)
		}
	}
	for range 20 {
		n, err := q.Submit(strings.NewReader("new"), strings.NewReader(goodEnvelope), who)
		if err != nil {
			t.Fatal(err)
		}
		if data, _ := os.ReadFile(filepath.Join(dir, q.Name(Todo, n))); string(data) == "old" {
			t.Fatalf("message %d has somebody else's envelope", n)
		}
	}
}

func TestSplits(t *testing.T) {
	for _, split := range []int{1, 23, 101} {
		q, _ := newQueue(t, split)
		if q.Split() != split {
			t.Errorf("a queue split %d times is found to be split %d times", split, q.Split())
		}
	}
	q, dir := newQueue(t, 7)
	for _, d := range []string{"todo/0", "todo/1", "intd/0", "intd/1"} {
		os.Mkdir(filepath.Join(dir, d), 0o700)
	}
	q, err := Open(q.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		kind Kind
		want string
	}{{Mess, "mess/1/8"}, {Todo, "todo/1/8"}, {Intd, "intd/1/8"}, {Bounce, "bounce/8"}} {
		if got := q.Name(tt.kind, 8); got != tt.want {
			t.Errorf("the name of message 8 is %s, want %s", got, tt.want)
		}
	}
	if got := q.SplitName(8); got != "1/8" {
		t.Errorf("spawners know message 8 as %s, want 1/8", got)
	}
	if _, err := Open(durable.NewDir(t.TempDir())); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening no queue: %v, want ErrNotExist", err)
	}
}

func TestRecipients(t *testing.T) {
	q, dir := newQueue(t, 1)
	name := filepath.Join(dir, q.Name(Local, 5))
	os.WriteFile(name, []byte("Ta@x\x00Db@x\x00Tc@x\x00Tcut"), 0o600)
	r, err := q.OpenRecipients(Local, 5)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, want := range []Recipient{{"a@x", false, 0}, {"b@x", true, 5}, {"c@x", false, 10}} {
		if got, err := r.Next(); got != want || err != nil {
			t.Errorf("Next() = %v, %v, want %v", got, err, want)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("after the last recipient: %v, want EOF", err)
	}
	if err := q.MarkDone(Local, 5, 10); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(name); string(got) != "Ta@x\x00Db@x\x00Dc@x\x00Tcut" {
		t.Errorf("marked, the file is %q", got)
	}
}

func TestInfo(t *testing.T) {
	q, dir := newQueue(t, 1)
	name := filepath.Join(dir, q.Name(Info, 5))
	for text, ok := range map[string]bool{"Fann@x\x00": true, "F\x00": true, "ann\x00": false, "Fann": false, "": false} {
		os.WriteFile(name, []byte(text), 0o600)
		sender, birth, err := q.ReadInfo(5)
		if (err == nil) != ok {
			t.Errorf("info %q: %v", text, err)
		}
		if ok && (sender != strings.Trim(text, "F\x00") || birth.IsZero()) {
			t.Errorf("info %q: sender %q, birth %v", text, sender, birth)
		}
	}
}

func TestClean(t *testing.T) {
	q, dir := newQueue(t, 1)
	for _, name := range []string{"mess/0/5", "intd/5", "todo/5", "info/0/5", "todo/6", "intd/6", "mess/0/6"} {
		os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600)
	}
	commands := "foop/5\x00todo/6\x00bad\x00foop/\x00foop/x\x00mess/6\x00foop/99\x00foop/" + strings.Repeat("0", 200) + "6\x00foop/6"
	var answers strings.Builder
	if err := q.Clean(strings.NewReader(commands), &answers, time.Now, nil); err != nil {
		t.Fatal(err)
	}
	if answers.String() != "++xxxx+x" {
		t.Errorf("answers are %q", answers.String())
	}
	left := contents(t, dir)
	for _, name := range []string{"todo/5", "info/0/5", "mess/0/6"} {
		if left[name] == "" {
			t.Errorf("%s is gone", name)
		}
		delete(left, name)
	}
	if len(left) != 0 {
		t.Errorf("%q are left", left)
	}
}

func TestCleanPid(t *testing.T) {
	q, dir := newQueue(t, 1)
	now := time.Now()
	for name, age := range map[string]time.Duration{"pid/old": 37 * time.Hour, "pid/young": 35 * time.Hour} {
		os.WriteFile(filepath.Join(dir, name), nil, 0o600)
		os.Chtimes(filepath.Join(dir, name), now.Add(-age), now)
	}
	q.Clean(strings.NewReader(""), io.Discard, func() time.Time { return now }, nil)
	if left := contents(t, dir); len(left) != 1 {
		t.Errorf("%q are left, want pid/young", left)
	}
}

func TestTrigger(t *testing.T) {
	_, dir := newQueue(t, 1)
	PullTrigger(dir) // nobody listens
	trigger, err := OpenTrigger(dir)
	if err != nil {
		t.Fatal(err)
	}
	PullTrigger(dir)
	PullTrigger(dir)
	if err := trigger.Wait(); err != nil {
		t.Error(err)
	}
	waited := make(chan error)
	go func() { waited <- trigger.Wait() }()
	PullTrigger(dir)
	if err := <-waited; err != nil {
		t.Error(err)
	}
	go func() { waited <- trigger.Wait() }()
	trigger.Close()
	if err := <-waited; err == nil {
		t.Error("Wait succeeds after Close")
	}
}

func TestLock(t *testing.T) {
	_, dir := newQueue(t, 1)
	lock, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); err != ErrLocked {
		t.Errorf("second lock: %v, want ErrLocked", err)
	}
	lock.Close()
	if lock, err = Lock(dir); err != nil {
		t.Errorf("lock after unlock: %v", err)
	}
	lock.Close()
}

func TestMakeKeeps(t *testing.T) {
	_, dir := newQueue(t, 2)
	name := filepath.Join(dir, "mess/1/7")
	os.WriteFile(name, []byte("mail"), 0o600)
	if err := Make(dir, 2); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(name); string(data) != "mail" {
		t.Error("making a queue again loses mail")
	}
}

// FuzzTodo checks that what is read from an envelope is what stands in it.
func FuzzTodo(f *testing.F) {
	f.Add([]byte("u1000\x00p4711\x00Fann@example.org\x00Tjoe@example.org\x00Teve@example.net\x00"))
	f.Add([]byte("Fa\x00X\x00"))
	f.Add([]byte("\x00\x00T"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var again strings.Builder
		err := ReadTodo(strings.NewReader(string(data)),
			func(e Envelope) error { again.WriteString("F" + e.Sender + "\x00"); return nil },
			func(r string) error { again.WriteString("T" + r + "\x00"); return nil })
		if err != nil {
			return
		}
		var want strings.Builder
		for record := range strings.SplitAfterSeq(string(data), "\x00") {
			if strings.HasSuffix(record, "\x00") && (record[0] == 'F' || record[0] == 'T') {
				want.WriteString(record)
			}
		}
		if again.String() != want.String() {
			t.Errorf("%q is read as %q", data, again.String())
		}
	})
}

// FuzzSubmitEnvelope checks that an envelope that is taken is one that is read
// back the same, and that nothing is left of others.
func FuzzSubmitEnvelope(f *testing.F) {
	f.Add([]byte(goodEnvelope))
	f.Add([]byte("F\x00T\x00\x00"))
	dir := filepath.Join(f.TempDir(), "queue")
	if err := Make(dir, 1); err != nil {
		f.Fatal(err)
	}
	q, err := Open(durable.NewDir(dir))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := q.Submit(strings.NewReader(""), strings.NewReader(string(data)), who)
		if err != nil {
			return
		}
		var again strings.Builder
		todo, err := os.Open(filepath.Join(dir, q.Name(Todo, n)))
		if err != nil {
			t.Fatal(err)
		}
		defer todo.Close()
		if err := ReadTodo(todo,
			func(e Envelope) error { again.WriteString("F" + e.Sender + "\x00"); return nil },
			func(r string) error { again.WriteString("T" + r + "\x00"); return nil }); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(data), again.String()+"\x00") {
			t.Errorf("envelope %q is queued as %q", data, again.String())
		}
		for _, kind := range []Kind{Todo, Intd, Mess} {
			if err := q.Remove(kind, n); err != nil {
				t.Error(err)
			}
		}
	})
}

// Tools that repair queues (queue-fix and its kin) know these modes.
func TestMakeModes(t *testing.T) {
	_, dir := newQueue(t, 2)
	for name, want := range map[string]fs.FileMode{
		"mess": 0o750, "mess/1": 0o750, "todo": 0o750, "lock": 0o750,
		"intd": 0o700, "pid": 0o700, "bounce": 0o700, "info/0": 0o700, "local/0": 0o700, "remote/1": 0o700,
		"lock/trigger": 0o622, "lock/sendmutex": 0o600, "lock/tcpto": 0o644,
	} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v (%v)", name, st.Mode().Perm(), want, err)
		}
	}
	if st, err := os.Stat(filepath.Join(dir, "lock/tcpto")); err != nil || st.Size() != tcptoSize {
		t.Errorf("lock/tcpto is not as long as its readers expect: %v", err)
	}
}

// FuzzRecipients checks that the records of local and remote are read as they
// stand there, each at its place.
func FuzzRecipients(f *testing.F) {
	f.Add([]byte("Ta@x\x00Db@x\x00Tcut"))
	f.Add([]byte("\x00X\x00"))
	dir := filepath.Join(f.TempDir(), "queue")
	if err := Make(dir, 1); err != nil {
		f.Fatal(err)
	}
	q, err := Open(durable.NewDir(dir))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, kind := range []Kind{Local, Info} {
			if err := os.WriteFile(filepath.Join(dir, q.Name(kind, 5)), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r, err := q.OpenRecipients(Local, 5)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for recipient, err := r.Next(); err == nil; recipient, err = r.Next() {
			letter := "T"
			if recipient.Done {
				letter = "D"
			}
			if record := letter + recipient.Address + "\x00"; !strings.HasPrefix(string(data[recipient.Place:]), record) {
				t.Errorf("%q at %d is read of %q", record, recipient.Place, data)
			}
		}
		if sender, _, err := q.ReadInfo(5); err == nil && !strings.HasPrefix(string(data), "F"+sender+"\x00") {
			t.Errorf("the sender %q is read of %q", sender, data)
		}
	})
}
