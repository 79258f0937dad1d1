package local

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"goqmail/internal/durable"
)

// Sixteen deliveries at once to one mbox and one maildir, each with open files of
// its own as processes have them: nothing is lost, mixed or doubled.
func TestManyAtOnce(t *testing.T) {
	const workers, each = 16, 8
	shared := newHome(t, "./Mailbox\n./Maildir/\n")
	var want []string
	var wg sync.WaitGroup
	for w := range workers {
		texts := make([]string, each)
		for n := range texts {
			texts[n] = fmt.Sprintf("Subject: %d\n\n%s\nFrom here\n", w*each+n, strings.Repeat("x", w*3000))
			want = append(want, addedRP+addedDT+texts[n])
		}
		d := *shared.Delivery
		d.Host = ThisHost()
		d.Files = durable.NewDir(shared.dir)
		d.Out = &strings.Builder{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			for _, text := range texts {
				d.Message = strings.NewReader(text)
				if err := d.Deliver(); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	slices.Sort(want)
	if got := shared.folder("Maildir/new"); !slices.Equal(got, want) {
		t.Errorf("maildir has %d messages, want %d", len(got), len(want))
	}
	if got := shared.folder("Maildir/tmp"); len(got) != 0 {
		t.Errorf("tmp has %d files", len(got))
	}
	got, err := readMbox(shared.read("Mailbox"))
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("mbox has %d messages, want %d: %v", len(got), len(want), err)
	}
}

// A message is never in memory as a whole, not even a line of it.
func TestBoundedMemory(t *testing.T) {
	name := t.TempDir() + "/message"
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, 16<<20); err != nil { // one line of NULs
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := newHome(t, "./Mailbox\n./Maildir/\n&ann@remote.example\n")
	h.Message = f
	h.Queue = func([]string) (Submission, error) { return &discard{}, nil }
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := h.Deliver(); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("%d bytes of memory for a message of 16 MB", used)
	}
}

type discard struct{ submission }

func (*discard) Write(p []byte) (int, error) { return len(p), nil }
func (*discard) Close() error                { return nil }

func TestShell(t *testing.T) {
	dir := t.TempDir()
	in, err := os.CreateTemp(dir, "in")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	in.WriteString(message)
	out, err := os.CreateTemp(dir, "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	h := newHome(t, "")
	h.Message, h.Shell = in, NewShell(in, out, out)
	lines := []string{
		"|head -c 3 >/dev/null",
		"|pwd; cat",
		`|echo "$SENDER $EXT2-$ONCE" >&2`,
		"|exit 99",
	}
	h.write(".qmail", strings.Join(lines, "\n"))
	h.Env = []string{"PATH=" + os.Getenv("PATH"), "ONCE=upon"}
	if err := h.Deliver(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out.Name())
	if want := h.dir + "\n" + message + "sue@remote.example -upon\n"; err != nil || string(got) != want {
		t.Errorf("programs say %q, %v, want %q", got, err, want)
	}
	for _, tt := range []struct {
		line, text string
		perm       bool
	}{
		{"|exit 100", "", true},
		{"|exit 112", "", true},
		{"|exit 1", "", false},
		{"|no-such-program-anywhere 2>/dev/null", "", false},
		{"|kill -9 $$", "Aack, child crashed. (#4.3.0)", false},
		{"|kill -PIPE $$", "Aack, child crashed. (#4.3.0)", false},
	} {
		h.write(".qmail", tt.line)
		wantFault(t, h.Deliver(), tt.text, tt.perm)
	}
	h.Home = "/nonexistent"
	if _, err := h.Shell("true", h.Home, nil); err == nil {
		t.Error("a program runs in a folder that is not there")
	}
}

func BenchmarkMaildir(b *testing.B) { benchmark(b, "./Maildir/\n") }
func BenchmarkMbox(b *testing.B)    { benchmark(b, "./Mailbox\n") }

// benchmark delivers 4 kB messages, syncs included.
func benchmark(b *testing.B, lines string) {
	h := newHome(b, lines)
	h.Host.Now, h.Host.Random = time.Now, ThisHost().Random
	h.Message = strings.NewReader("Subject: x\n\n" + strings.Repeat(strings.Repeat("x", 71)+"\n", 56))
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Deliver(); err != nil {
			b.Fatal(err)
		}
	}
}
