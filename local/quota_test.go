package local

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/durable"
	"goqmail/internal/fault"
)

// newFull makes a home whose maildir has those sizes.
func newFull(t *testing.T, sizes string) *home {
	h := newHome(t, "./Maildir/\n")
	h.write("Maildir/maildirsize", sizes)
	h.age("Maildir/maildirsize", 0)
	return h
}

// age sets when a file was last written, by the clock of the deliveries.
func (h *home) age(name string, d time.Duration) {
	h.t.Helper()
	then := h.clock.Now().Add(-d)
	if err := os.Chtimes(h.dir+"/"+name, then, then); err != nil {
		h.t.Fatal(err)
	}
}

func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

const full = "Recipient's mailbox is full, message returned to sender. (#5.2.2)"

func TestQuota(t *testing.T) {
	size := len(inFolder)
	one := fmt.Sprintf("%d 1\n", size)
	tests := []struct {
		name, sizes string
		age         time.Duration
		ok          bool
		left        string // maildirsize afterwards
	}{
		{"room", "1000S\n10 1\n", 0, true, "1000S\n10 1\n" + one},
		{"room to the byte", fmt.Sprintf("%dS\n10 1\n", size+10), 0, true, fmt.Sprintf("%dS\n10 1\n", size+10) + one},
		{"a byte too much", fmt.Sprintf("%dS\n10 1\n", size+9), 0, false, fmt.Sprintf("%dS\n10 1\n", size+9)},
		{"messages", "2C\n0 1\n", 0, true, "2C\n0 1\n" + one},
		{"too many messages", "2C\n0 2\n", 0, false, "2C\n0 2\n"},
		{"both", "1000S,2C\n0 2\n", 0, false, "1000S,2C\n0 2\n"},
		{"neither", "0S,0C\n9999999 999\n", 0, true, "0S,0C\n9999999 999\n" + one},
		{"no words of ours", "NOQUOTA\n1 1\n", 0, true, "NOQUOTA\n1 1\n" + one},
		{"full by several lines", "200S\n900 1\n-100 -1\n", 0, true, "200S\n0 0\n" + one},
		{"full for long", "200S\n900 1\n", time.Hour, true, "200S\n0 0\n" + one},
		{"full indeed", "10S\n900 1\n", time.Hour, false, "10S\n0 0\n"},
		{"no numbers", "200S\n", 0, true, "200S\n0 0\n" + one},
		{"empty", "", 0, true, "\n0 0\n" + one},
		{"garbage", "200S\nx y z\n", 0, true, "200S\n0 0\n" + one},
		{"cut off", "200S\n10 ", 0, true, "200S\n0 0\n" + one},
		{"less than nothing", "200S\n-10 1\n", 0, true, "200S\n0 0\n" + one},
		{"long", "200S\n" + strings.Repeat("0 0\n", 2000), 0, true, "200S\n0 0\n" + one},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newFull(t, tt.sizes)
			h.age("Maildir/maildirsize", tt.age)
			err := h.Deliver()
			if tt.ok && err != nil {
				t.Fatal(err)
			}
			want := []string{fmt.Sprintf("1769936887.M65P42Rabc.mail.test.example,S=%d", size)}
			if !tt.ok {
				wantFault(t, err, full, true)
				want = nil
			}
			if got := names(t, h.dir+"/Maildir/new"); strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("new has %q, want %q", got, want)
			}
			if got := h.read("Maildir/maildirsize"); got != tt.left {
				t.Errorf("maildirsize is %q, want %q", got, tt.left)
			}
			if got := h.folder("Maildir/tmp"); len(got) != 0 {
				t.Errorf("tmp has %q", got)
			}
		})
	}
}

// What counts when a maildir is counted: sizes in names before those of files, not
// what is marked for removal, nor the trash.
func TestQuotaCounts(t *testing.T) {
	h := newFull(t, "5000S,99C\n")
	for _, name := range []string{"Maildir/.Junk", "Maildir/.Trash", "Maildir/.half"} {
		if err := MakeMaildir(h.dir + "/" + name); err != nil {
			t.Fatal(err)
		}
	}
	os.RemoveAll(h.dir + "/Maildir/.half/new")
	h.write("Maildir/.file", "no folder")
	h.write("Maildir/.Junk/maildirfolder", "")
	h.write("Maildir/new/1.a,S=1000", "")
	h.write("Maildir/new/2.b", "ten bytes.")
	h.write("Maildir/cur/3.c,S=200:2,S", "")
	h.write("Maildir/cur/4.d,S=9999:2,ST", "")
	h.write("Maildir/cur/5.e,S=300,W=310:2,", "")
	h.write("Maildir/cur/6.f,S=x:2,", "four")
	h.write("Maildir/cur/.hidden", "not a message")
	h.write("Maildir/.Junk/cur/7.g,S=40:2,", "")
	h.write("Maildir/.Trash/new/8.h,S=9999", "")
	h.write("Maildir/.half/cur/9.i,S=5:2,", "")
	h.write(".qmail", "./Maildir/.Junk/\n")
	if err := h.Deliver(); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("5000S,99C\n%d 7\n%d 1\n", 1000+10+200+300+4+40+5, len(inFolder))
	if got := h.read("Maildir/maildirsize"); got != want {
		t.Errorf("maildirsize is %q, want %q", got, want)
	}
	if got := names(t, h.dir+"/Maildir/.Junk/new"); len(got) != 1 || !strings.HasSuffix(got[0], ",S="+fmt.Sprint(len(inFolder))) {
		t.Errorf("the folder has %q", got)
	}
}

// Whatever step fails while the maildir has to be counted: the delivery fails for
// now and leaves nothing, or the message is there.
func TestQuotaOnABadDisk(t *testing.T) {
	for _, errno := range diskErrors {
		for step := 1; ; step++ {
			h := newFull(t, "1000S\n990 1\n0 0\n")
			h.write("Maildir/cur/1.a", "four")
			disk := &badDisk{FS: h.Files, failAt: step, err: errno}
			h.Files = disk
			err := h.Deliver()
			if disk.failed == "" {
				if err != nil || step < 12 {
					t.Errorf("%d steps, %v", step-1, err)
				}
				break
			}
			name := disk.failed + ": " + errno.Error()
			arrived := len(h.folder("Maildir/new"))
			if fault.IsPermanent(err) || (err == nil) != (arrived == 1) {
				t.Errorf("%s: delivery says %v, and there are %d messages", name, err, arrived)
			}
			if got := h.folder("Maildir/tmp"); len(got) != 0 {
				t.Errorf("%s: tmp has %q", name, got)
			}
			if got := h.read("Maildir/maildirsize"); !strings.HasPrefix(got, "1000S\n") {
				t.Errorf("%s: maildirsize is %q", name, got)
			}
		}
	}
}

func TestQuotaIsNoFile(t *testing.T) {
	h := newHome(t, "./Maildir/\n")
	if err := syscall.Mkfifo(h.dir+"/Maildir/maildirsize", 0o600); err != nil {
		t.Fatal(err)
	}
	wantFault(t, h.Deliver(), "Temporary error on maildir delivery. (#4.3.0)", false)
}

// Deliveries at once to a maildir that is almost full, while a reader removes what
// came: nobody is refused while there is room, and what the file says is in the end
// no less than what is there, but for messages that came while it was counted anew.
func TestQuotaManyAtOnce(t *testing.T) {
	const workers, each = 8, 40
	shared := newHome(t, "./Maildir/\n")
	size := len(inFolder)
	definition := fmt.Sprintf("%dS", size*(workers*each+workers))
	shared.write("Maildir/maildirsize", definition+"\n")
	var wg sync.WaitGroup
	for range workers {
		d := *shared.Delivery
		d.Host = ThisHost()
		d.Files = durable.NewDir(shared.dir)
		d.Out = &strings.Builder{}
		wg.Go(func() {
			for range each {
				d.Message = strings.NewReader(message)
				if err := d.Deliver(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := len(names(t, shared.dir+"/Maildir/new")); got != workers*each {
		t.Errorf("there are %d messages, want %d", got, workers*each)
	}
	s := parseSizes(shared.read("Maildir/maildirsize"))
	if s.definition != definition || s.valid && s.used.messages <= workers*(each-1) {
		t.Errorf("maildirsize says %+v, want about %d messages", s, workers*each)
	}
	q := quota{durable.NewDir(shared.dir), "Maildir/", time.Now, ThisHost().uniqueName}
	used, err := q.recount(definition)
	if want := (usage{int64(size * workers * each), workers * each}); err != nil || used != want {
		t.Errorf("counted anew it has %+v, %v, want %+v", used, err, want)
	}
}

func FuzzSizes(f *testing.F) {
	f.Add("1000S,10C\n10 1\n-10 -1\n")
	f.Add("S\n\n")
	f.Add("9223372036854775807S\n9223372036854775807 1\n9223372036854775807 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		s := parseSizes(text)
		if s.valid && (s.used.bytes < 0 || s.used.messages < 0) {
			t.Errorf("%q comes to %+v", text, s.used)
		}
		again := parseSizes(s.definition + "\n" + s.used.line())
		if s.valid && s.used.bytes <= mostUsage && s.used.messages <= mostUsage && (again.used != s.used || again.limit != s.limit) {
			t.Errorf("%q read back is %+v, want %+v", text, again, s)
		}
	})
}

func FuzzSizeInName(f *testing.F) {
	f.Add("1.a,S=12:2,S", int64(12))
	f.Add("x", int64(0))
	f.Fuzz(func(t *testing.T, name string, size int64) {
		sizeInName(name)
		if strings.ContainsAny(name, ",:") || size < 0 || size > mostUsage {
			return
		}
		if got, ok := sizeInName(fmt.Sprintf("%s,S=%d,W=1:2,RS", name, size)); !ok || got != size {
			t.Errorf("size of %q is %d, %v, want %d", name, got, ok, size)
		}
	})
}
