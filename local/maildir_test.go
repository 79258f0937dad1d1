package local

import (
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/fault"
)

// Whatever step fails with whatever error: the delivery fails for now, or it had
// come far enough; new has the whole message or nothing, and tmp nothing.
func TestMaildirOnABadDisk(t *testing.T) {
	for _, errno := range diskErrors {
		for step := 1; ; step++ {
			h := newHome(t, "./Maildir/\n")
			disk := &badDisk{FS: h.Files, failAt: step, err: errno}
			h.Files = disk
			err := h.Deliver()
			if disk.failed == "" {
				if err != nil || step < 6 {
					t.Errorf("%d steps, %v", step-1, err)
				}
				break
			}
			name := disk.failed + ": " + errno.Error()
			if disk.failed == "open Maildir/maildirsize" && errno == syscall.ENOENT {
				continue // there is no quota
			}
			if err == nil || fault.IsPermanent(err) {
				t.Errorf("%s: delivery says %v", name, err)
			}
			if got := h.folder("Maildir/tmp"); len(got) != 0 {
				t.Errorf("%s: tmp has %q", name, got)
			}
			if got := h.folder("Maildir/new"); len(got) != 0 {
				t.Errorf("%s: new has %q", name, got)
			}
		}
	}
}

// A message longer than the buffer meets errors in the middle.
func TestMaildirWriteFailsLater(t *testing.T) {
	h := newHome(t, "./Maildir/\n")
	h.Message = strings.NewReader(strings.Repeat("x", 3*bufferSize))
	disk := &badDisk{FS: h.Files, failAt: 4, err: diskErrors[0]}
	h.Files = disk
	wantFault(t, h.Deliver(), "Temporary error on maildir delivery. (#4.3.0)", false)
	if disk.failed != "write" || len(h.folder("Maildir/tmp"))+len(h.folder("Maildir/new")) != 0 {
		t.Errorf("failed at %q, leaves %q", disk.failed, h.folder("Maildir/tmp"))
	}
}

func TestMaildirPlaces(t *testing.T) {
	for _, line := range []string{"./Maildir/", ".//Maildir//", "././Maildir/", "./Maildir/new/../", "/Maildir/"} {
		h := newHome(t, line)
		if err := h.Deliver(); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if got := h.folder("Maildir/new"); len(got) != 1 {
			t.Errorf("%s: maildir has %q", line, got)
		}
	}
	h := newHome(t, "./\n")
	os.Mkdir(h.dir+"/tmp", 0o700)
	os.Mkdir(h.dir+"/new", 0o700)
	if err := h.Deliver(); err != nil || len(h.folder("new")) != 1 {
		t.Errorf("home as maildir: %v", err)
	}
}

func TestMaildirTimeout(t *testing.T) {
	for _, step := range []time.Duration{7, 9, 12, 25} { // hours between two looks at the clock
		h := newHome(t, "./Maildir/\n")
		calls := time.Duration(0)
		h.Host.Now = func() time.Time {
			calls++
			return h.clock.now.Add(calls * step * time.Hour)
		}
		wantFault(t, h.Deliver(), "Timeout on maildir delivery. (#4.3.0)", false)
		if len(h.folder("Maildir/tmp"))+len(h.folder("Maildir/new")) != 0 {
			t.Error("it leaves a file")
		}
	}
}

func TestMaildirNameTaken(t *testing.T) {
	h := newHome(t, "./Maildir/\n./Maildir/\n")
	h.write("Maildir/tmp/1769936887.M65P42Rabc.mail.test.example", "another's")
	wantFault(t, h.Deliver(), "Temporary error on maildir delivery. (#4.3.0)", false)
	numbers := uint64(0xabb)
	h.Host.Random = func() uint64 { numbers++; return numbers }
	if err := h.Deliver(); err != nil {
		t.Error(err)
	}
	if got := h.folder("Maildir/tmp"); len(got) != 1 || got[0] != "another's" {
		t.Errorf("tmp has %q", got)
	}
	if got := h.folder("Maildir/new"); len(got) != 2 {
		t.Errorf("new has %q", got)
	}
}

func TestUniqueName(t *testing.T) {
	clock := &clock{now: time.Unix(1769936887, 65_000)}
	for _, tt := range []struct{ host, want string }{
		{"mail.test.example", "1769936887.M65P42Rabc.mail.test.example"},
		{"a/b:c,d=e", `1769936887.M65P42Rabc.a\057b\072c\054d\075e`},
		{"\n\xff \\", `1769936887.M65P42Rabc.\012\377\040\134`},
		{"", "1769936887.M65P42Rabc."},
	} {
		h := &Host{Name: tt.host, PID: 42, Now: clock.Now, Random: func() uint64 { return 0xabc }}
		if got := h.uniqueName(); got != tt.want {
			t.Errorf("on %q: %s, want %s", tt.host, got, tt.want)
		}
	}
}

func FuzzUniqueName(f *testing.F) {
	f.Add("mail.test.example", int64(1), int64(2), 3, uint64(4))
	f.Add(strings.Repeat("/", 300), int64(-1), int64(999_999_999), -3, ^uint64(0))
	good := regexp.MustCompile(`^[0-9-]+\.M[0-9]+P[0-9-]+R[0-9a-f]+\.[A-Za-z0-9._\\-]*$`)
	f.Fuzz(func(t *testing.T, host string, sec, nsec int64, pid int, random uint64) {
		h := &Host{Name: host, PID: pid, Now: func() time.Time { return time.Unix(sec, nsec) }, Random: func() uint64 { return random }}
		name := h.uniqueName()
		if !good.MatchString(name) || len(name) > 220 {
			t.Errorf("name %q", name)
		}
	})
}

func TestMakeMaildir(t *testing.T) {
	dir := t.TempDir()
	if err := MakeMaildir(dir + "/M/"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/M", "/M/tmp", "/M/new", "/M/cur"} {
		if st, err := os.Stat(dir + name); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	wantFault(t, MakeMaildir(dir+"/M"), "unable to mkdir "+dir+"/M: file already exists", false)
	wantFault(t, MakeMaildir(dir+"/none/M"), "unable to mkdir "+dir+"/none/M: file does not exist", false)
}
