package local

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/durable"
	"goqmail/internal/fault"
)

// Whatever step fails with whatever error: the mbox is as it was, or has the
// whole message, and only then may the delivery say that it succeeded.
func TestMboxOnABadDisk(t *testing.T) {
	for _, before := range []string{"(none)", "", "From x\n\nold\n\n", "From x\n\ncut of"} {
		for _, errno := range diskErrors {
			for step := 1; ; step++ {
				h := newHome(t, "./Mailbox\n")
				if before != "(none)" {
					h.write("Mailbox", before)
				}
				disk := &badDisk{FS: h.Files, failAt: step, err: errno}
				h.Files = disk
				h.Host.Lock = disk.lock
				err := h.Deliver()
				if disk.failed == "" {
					if err != nil || step < 7 {
						t.Errorf("%d steps, %v", step-1, err)
					}
					break
				}
				checkMbox(t, disk.failed+": "+errno.Error(), before, h.read("Mailbox"), err)
			}
		}
	}
}

func checkMbox(t *testing.T, name, before, after string, err error) {
	t.Helper()
	separator := ""
	if before == "(none)" {
		before = ""
	} else if before != "" && !strings.HasSuffix(before, "\n") {
		separator = "\n\n"
	}
	if fault.IsPermanent(err) {
		t.Errorf("%s: fails for good: %v", name, err)
	}
	switch after {
	case before + separator + inMbox, before + inMbox:
		// If it could not look at the end there is no separator.
	case before, "(none)":
		if err == nil {
			t.Errorf("%s: success without delivery", name)
		}
	default:
		t.Errorf("%s: mbox has %q, was %q", name, after, before)
	}
}

// The mbox of the package comment.
func TestMboxExample(t *testing.T) {
	h := newHome(t, "./Mailbox\n")
	h.Message = strings.NewReader("Subject: lunch\n\nAt noon?\nFrom here it is not far.")
	if err := h.Deliver(); err != nil {
		t.Fatal(err)
	}
	want := `From sue@remote.example Sun Feb 01 09:08:07 2026
Return-Path: <sue@remote.example>
Delivered-To: kim@test.example
Subject: lunch

At noon?
>From here it is not far.

`
	if got := h.read("Mailbox"); got != want {
		t.Errorf("mbox has %q, want %q", got, want)
	}
}

func TestMboxSeparator(t *testing.T) {
	for _, tt := range []struct{ before, want string }{
		{"", ""},
		{"From x\n\nold\n\n", ""},
		{"From x\n\nold\n", ""},
		{"From x\n\ncut of", "\n\n"},
	} {
		h := newHome(t, "./Mailbox\n")
		h.write("Mailbox", tt.before)
		if err := h.Deliver(); err != nil {
			t.Fatal(err)
		}
		if got := h.read("Mailbox"); got != tt.before+tt.want+inMbox {
			t.Errorf("behind %q comes %q", tt.before, got[len(tt.before):])
		}
	}
}

func TestMboxKinds(t *testing.T) {
	fifo := func(h *home) {
		if err := syscall.Mkfifo(h.dir+"/box", 0o600); err != nil {
			t.Fatal(err)
		}
	}
	withReader := func(h *home) {
		fifo(h)
		r, err := os.OpenFile(h.dir+"/box", os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
	}
	tests := []struct {
		name string
		make func(*home)
		text string
	}{
		{"folder", func(h *home) { os.Mkdir(h.dir+"/box", 0o700) }, "Unable to open ./box: is a directory. (#4.2.1)"},
		{"fifo", fifo, "Unable to open ./box: device not configured. (#4.2.1)"},
		{"fifo with reader", withReader, "Unable to write ./box: invalid argument. (#4.3.0)"},
		{"full device", func(h *home) { os.Symlink("/dev/full", h.dir+"/box") }, "Unable to write ./box: out of disk space. (#4.3.0)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, "./box\n")
			tt.make(h)
			wantFault(t, h.Deliver(), tt.text, false)
		})
	}
}

func TestMboxMode(t *testing.T) {
	h := newHome(t, "./Mailbox\n")
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	if err := h.Deliver(); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(h.dir + "/Mailbox"); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("new mbox: %v, %v", st.Mode(), err)
	}
}

// lockFile locks a file as another program would, by one kind of lock.
func lockFile(t *testing.T, name string, fcntl bool) *os.File {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if fcntl {
		err = syscall.FcntlFlock(f.Fd(), setLock, &syscall.Flock_t{Type: syscall.F_WRLCK})
	} else {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMboxLocked(t *testing.T) {
	for name, fcntl := range map[string]bool{"flock": false, "fcntl": true} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t, "./Mailbox\n")
			other := lockFile(t, h.dir+"/Mailbox", fcntl)
			start := h.clock.Now()
			wantFault(t, h.Deliver(), "File has been locked for 30 seconds straight. (#4.3.0)", false)
			if waited := h.clock.Now().Sub(start); waited < lockLimit || waited > lockLimit+longestWait {
				t.Errorf("waits %v", waited)
			}
			if got := h.read("Mailbox"); got != "" {
				t.Errorf("it writes %q all the same", got)
			}
			h.clock.now = start
			h.Host.Sleep = func(time.Duration) { other.Close() }
			if err := h.Deliver(); err != nil || h.read("Mailbox") != inMbox {
				t.Errorf("when the lock is free: %v", err)
			}
		})
	}
}

// A reader that has the lock may put another file in the mbox's place.
func TestMboxReplaced(t *testing.T) {
	h := newHome(t, "./Mailbox\n")
	h.write("Mailbox", "old\n")
	locks := 0
	h.Host.Lock = func(f durable.File) error {
		if locks++; locks == 1 {
			os.Rename(h.dir+"/Mailbox", h.dir+"/read")
		}
		return Lock(f)
	}
	if err := h.Deliver(); err != nil {
		t.Fatal(err)
	}
	if h.read("read") != "old\n" || h.read("Mailbox") != inMbox {
		t.Errorf("mbox %q, moved away %q", h.read("Mailbox"), h.read("read"))
	}
}

func TestLockUnknown(t *testing.T) {
	h := newHome(t, "./Mailbox\n")
	h.Host.Lock = func(f durable.File) error { return Lock(&badFile{f, nil}) }
	wantFault(t, h.Deliver(), "Unable to lock ./Mailbox: operation not supported. (#4.3.0)", false)
	h.Host.Lock = func(durable.File) error { return syscall.ENOLCK }
	wantFault(t, h.Deliver(), "Unable to lock ./Mailbox: no locks available. (#4.3.0)", false)
}

func TestDotLock(t *testing.T) {
	const spool = "var/mail"
	newSpool := func(t *testing.T) *home {
		h := newHome(t, "/var/mail/kim\n")
		if err := os.MkdirAll(h.dir+"/"+spool, 0o700); err != nil {
			t.Fatal(err)
		}
		return h
	}
	age := func(h *home, age time.Duration) {
		h.write(spool+"/kim.lock", "1\n")
		then := h.clock.Now().Add(-age)
		os.Chtimes(h.dir+"/"+spool+"/kim.lock", then, then)
	}
	check := func(t *testing.T, h *home, lock string) {
		t.Helper()
		if err := h.Deliver(); err != nil {
			t.Error(err)
		}
		if h.read(spool+"/kim") != inMbox || h.read(spool+"/kim.lock") != lock {
			t.Errorf("mbox %q, lock %q", h.read(spool+"/kim"), h.read(spool+"/kim.lock"))
		}
	}
	t.Run("made and removed", func(t *testing.T) {
		h := newSpool(t)
		made := false
		h.Message = &watchedMessage{strings.NewReader(message), func() { made = made || h.read(spool+"/kim.lock") == "42\n" }}
		check(t, h, "(none)")
		if !made {
			t.Error("no dot-lock while it writes")
		}
	})
	t.Run("held", func(t *testing.T) {
		h := newSpool(t)
		age(h, time.Minute)
		wantFault(t, h.Deliver(), "File has been locked for 30 seconds straight. (#4.3.0)", false)
		if h.read(spool+"/kim") != "" || h.read(spool+"/kim.lock") != "1\n" {
			t.Errorf("mbox %q, lock %q", h.read(spool+"/kim"), h.read(spool+"/kim.lock"))
		}
	})
	t.Run("given back", func(t *testing.T) {
		h := newSpool(t)
		age(h, 0)
		h.Host.Sleep = func(time.Duration) { os.Remove(h.dir + "/" + spool + "/kim.lock") }
		check(t, h, "(none)")
	})
	t.Run("left behind", func(t *testing.T) {
		h := newSpool(t)
		age(h, time.Hour)
		check(t, h, "(none)")
	})
	t.Run("after failure", func(t *testing.T) {
		h := newSpool(t)
		h.Message = &badMessage{*strings.NewReader("\n")}
		if err := h.Deliver(); err == nil || h.read(spool+"/kim.lock") != "(none)" {
			t.Errorf("lock %q, %v", h.read(spool+"/kim.lock"), err)
		}
	})
	t.Run("not allowed", func(t *testing.T) {
		h := newSpool(t)
		h.Host.Root = &badDisk{FS: h.Host.Root, failAt: 4, err: syscall.EACCES}
		h.Host.Lock = func(f durable.File) error { return Lock(f.(*badFile).File) }
		h.write(spool+"/kim.lock", "1\n")
		check(t, h, "1\n")
	})
	t.Run("elsewhere", func(t *testing.T) {
		h := newHome(t, "./Mailbox\n")
		h.write("Mailbox.lock", "1\n")
		if err := h.Deliver(); err != nil || h.read("Mailbox.lock") != "1\n" {
			t.Errorf("%v, lock %q", err, h.read("Mailbox.lock"))
		}
	})
}

// watchedMessage tells when it is read.
type watchedMessage struct {
	*strings.Reader
	read func()
}

func (m *watchedMessage) Read(p []byte) (int, error) {
	m.read()
	return m.Reader.Read(p)
}
