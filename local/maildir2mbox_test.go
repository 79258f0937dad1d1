package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/durable"
	"goqmail/internal/fault"
)

// mailAt is when the messages of these tests were delivered.
var mailAt = time.Date(2026, 2, 1, 8, 7, 6, 0, time.UTC)

// toMbox makes a home whose maildir has these messages, all in new, and what moves
// them.
func toMbox(t testing.TB, messages ...string) (*home, *ToMbox, *[]string) {
	t.Helper()
	h := newHome(t, "")
	for i, text := range messages {
		h.mail(fmt.Sprintf("Maildir/new/%d", i), text, mailAt.Add(time.Duration(i)*time.Minute))
	}
	warnings := &[]string{}
	return h, &ToMbox{
		Host: h.Host, Files: durable.NewDir(h.dir + "/Maildir"), Mbox: "../Mailbox", Temporary: "../Mailbox.tmp",
		Warn: func(text string) { *warnings = append(*warnings, text) },
	}, warnings
}

func (h *home) mail(name, text string, at time.Time) {
	h.t.Helper()
	h.write(name, text)
	if err := os.Chtimes(h.dir+"/"+name, at, at); err != nil {
		h.t.Fatal(err)
	}
}

func TestToMbox(t *testing.T) {
	const date = " Sun Feb 01 08:07:06 2026\n"
	for _, tt := range []struct{ name, before, message, want string }{
		{"usual", "", "Return-Path: <sue@remote.example>\nSubject: x\n\nb\n", "From sue@remote.example" + date + "Return-Path: <sue@remote.example>\nSubject: x\n\nb\n\n"},
		{"behind others", "From x\n\nold\n\n", "Subject: x\n", "From x\n\nold\n\nFrom XXX" + date + "Subject: x\n\n"},
		{"behind one without end", "From x\n\nold", "Subject: x\n", "From x\n\nold\n\nFrom XXX" + date + "Subject: x\n\n"},
		{"without end", "", "Subject: x\n\nlast", "From XXX" + date + "Subject: x\n\nlast\n\n"},
		{"one line without end", "", "Return-Path: <a@b>", "From a@b" + date + "Return-Path: <a@b>\n\n"},
		{"empty", "", "", "From XXX" + date + "\n"},
		{"quoted", "", "From x\n>From y\n\nFrom z", "From XXX" + date + ">From x\n>>From y\n\n>From z\n\n"},
		{"null sender", "", "Return-Path: <>\n", "From MAILER-DAEMON" + date + "Return-Path: <>\n\n"},
		{"blanks", "", "Return-Path: <\"a b\tc\"@d>\r\n", "From \"a-b-c\"@d" + date + "Return-Path: <\"a b\tc\"@d>\r\n\n"},
		{"second line", "", "X: y\nReturn-Path: <a@b>\n", "From XXX" + date + "X: y\nReturn-Path: <a@b>\n\n"},
		{"long line", "", "Return-Path: <" + strings.Repeat("a", 2*bufferSize) + ">\n", ""},
		{"long message", "", strings.Repeat("line\n", bufferSize), "From XXX" + date + strings.Repeat("line\n", bufferSize) + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, move, warnings := toMbox(t, tt.message)
			if tt.before != "" {
				h.write("Mailbox", tt.before)
			}
			if err := move.Move(); err != nil {
				t.Fatal(err)
			}
			got := h.read("Mailbox")
			if tt.want == "" && !strings.HasSuffix(got, date+tt.message+"\n") || tt.want != "" && got != tt.want {
				t.Errorf("mbox has %.200q, want %.200q", got, tt.want)
			}
			if left := h.folder("Maildir/new"); len(left) != 0 || len(*warnings) != 0 {
				t.Errorf("%d messages left, warnings %q", len(left), *warnings)
			}
		})
	}
}

// Whatever step fails, each message is in the maildir or in the mbox, and the mbox
// has all that it had.
func TestToMboxOnABadDisk(t *testing.T) {
	const one, two = "Subject: one\n\n1\n", "Subject: two\n\n2\n"
	for _, before := range []string{"", "From x\n\nold\n\n"} {
		for step := 1; ; step++ {
			h, move, warnings := toMbox(t, one, two)
			if before != "" {
				h.write("Mailbox", before)
			}
			disk := &removingDisk{&badDisk{FS: move.Files, failAt: step, err: syscall.EIO}}
			move.Files = disk
			h.Host.Lock = disk.lock
			err := move.Move()
			left := strings.Join(h.folder("Maildir/new"), "")
			got := h.read("Mailbox")
			if disk.failed == "" {
				if err != nil || step < 15 {
					t.Errorf("%d steps, %v", step-1, err)
				}
				break
			}
			if fault.IsPermanent(err) || !strings.HasPrefix(got, before) && got != "(none)" {
				t.Errorf("%s: %v, mbox has %q", disk.failed, err, got)
			}
			for _, message := range []string{one, two} {
				inMaildir, inMbox := strings.Contains(left, message), strings.Contains(got, message)
				if !inMaildir && !inMbox {
					t.Errorf("%s: %q is lost", disk.failed, message)
				}
				if inMaildir && inMbox && err == nil && len(*warnings) == 0 {
					t.Errorf("%s: %q is in both, and nobody is told", disk.failed, message)
				}
			}
		}
	}
}

type removingDisk struct{ *badDisk }

func (d *removingDisk) Remove(name string) error {
	if err := d.step("remove " + name); err != nil {
		return err
	}
	return d.FS.Remove(name)
}

func (d *removingDisk) Names(folder string, yield func(string) bool) error {
	if err := d.step("names " + folder); err != nil {
		return err
	}
	return d.FS.Names(folder, yield)
}

func TestToMboxRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(h *home, move *ToMbox)
		want string
	}{
		{"no cur", func(h *home, _ *ToMbox) { os.Remove(h.dir + "/Maildir/cur") },
			"unable to scan $MAILDIR/cur: file does not exist"},
		{"mbox is a folder", func(h *home, _ *ToMbox) { os.Mkdir(h.dir+"/Mailbox", 0o700) },
			"unable to lock ../Mailbox: is a directory"},
		{"mbox is locked", func(h *home, _ *ToMbox) { h.Host.Lock = func(durable.File) error { return errLocked } },
			"unable to lock ../Mailbox: temporary failure"},
		{"mbox is a device", func(_ *home, move *ToMbox) { move.Mbox = "../null" },
			"unable to read ../null: invalid argument"},
		{"temporary is the mbox", func(h *home, move *ToMbox) { h.write("Mailbox", "From x\n"); move.Temporary = "../Mailbox" },
			"unable to create ../Mailbox: file already exists"},
		{"temporary is a link to the mbox", func(h *home, _ *ToMbox) {
			h.write("Mailbox", "From x\n")
			os.Link(h.dir+"/Mailbox", h.dir+"/Mailbox.tmp")
		}, "unable to create ../Mailbox.tmp: file already exists"},
		{"temporary is a folder", func(h *home, _ *ToMbox) { os.Mkdir(h.dir+"/Mailbox.tmp", 0o700) },
			"unable to create ../Mailbox.tmp: is a directory"},
		{"temporary in no folder", func(_ *home, move *ToMbox) { move.Temporary = "../no/mbox" },
			"unable to create ../no/mbox: file does not exist"},
		{"message is a folder", func(h *home, _ *ToMbox) { h.folderOfAge("Maildir/new/9") },
			"unable to read $MAILDIR/new/9: is a directory"},
		{"message is a FIFO", func(h *home, _ *ToMbox) {
			syscall.Mkfifo(h.dir+"/Maildir/new/9", 0o600)
			os.Chtimes(h.dir+"/Maildir/new/9", mailAt, mailAt)
		}, "unable to read $MAILDIR/new/9: invalid argument"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, move, _ := toMbox(t, "Subject: x\n")
			if err := os.Symlink("/dev/null", h.dir+"/null"); err != nil {
				t.Fatal(err)
			}
			tt.do(h, move)
			wantFault(t, move.Move(), tt.want, false)
			if _, err := os.Stat(h.dir + "/Maildir/new/0"); err != nil {
				t.Error("the message is gone")
			}
			if info, err := os.Lstat(h.dir + "/Mailbox.tmp"); err == nil && info.Mode().IsRegular() && !strings.Contains(tt.name, "link") {
				t.Error("the temporary file is left")
			}
		})
	}
}

func (h *home) folderOfAge(name string) {
	os.Mkdir(h.dir+"/"+name, 0o700)
	os.Chtimes(h.dir+"/"+name, mailAt, mailAt)
}

// What a reader takes away meanwhile is no reason to fail.
func TestToMboxRaces(t *testing.T) {
	h, move, _ := toMbox(t, "Subject: one\n", "Subject: two\n")
	lock := h.Host.Lock
	h.Host.Lock = func(f durable.File) error {
		os.Rename(h.dir+"/Maildir/new/0", h.dir+"/elsewhere")
		return lock(f)
	}
	if err := move.Move(); err != nil {
		t.Fatal(err)
	}
	if got := h.read("Mailbox"); strings.Contains(got, "one") || !strings.Contains(got, "two") {
		t.Errorf("mbox has %q", got)
	}
	if _, err := os.Stat(h.dir + "/elsewhere"); errors.Is(err, fs.ErrNotExist) {
		t.Error("the other message is gone")
	}
}

func FuzzSenderOf(f *testing.F) {
	for _, line := range []string{"Return-Path: <a@b>\n", "Return-Path: <>\n", "Return-Path: <a b", "Return-Path: <", "X\n", ""} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		line, _, _ = strings.Cut(line, "\n")
		from := fromLine(senderOf([]byte(line+"\n")), mailAt)
		const date = " Sun Feb 01 08:07:06 2026\n"
		sender, ok := strings.CutSuffix(strings.TrimPrefix(from, "From "), date)
		if !ok || strings.ContainsAny(sender, " \t\n") {
			t.Errorf("%q: %q", line, from)
		}
	})
}
