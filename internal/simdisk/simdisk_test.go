package simdisk

import (
	"errors"
	"maps"
	"os"
	"slices"
	"syscall"
	"testing"

	"goqmail/internal/durable"
)

// found are the different contents of a folder that a power cut may leave after all
// that do does: the files' names and what is in them.
func found(t *testing.T, do func(d *Disk)) []string {
	t.Helper()
	d := New("a", "b")
	do(d)
	d.Mark("done")
	all := map[string]bool{}
	for c := range d.Trace().Crashes() {
		if len(c.Marks) == 0 {
			continue
		}
		text := ""
		files := c.Disk.Files("a")
		maps.Copy(files, c.Disk.Files("b"))
		for _, name := range slices.Sorted(maps.Keys(files)) {
			text += name + "=" + files[name] + " "
		}
		all[text] = true
	}
	return slices.Sorted(maps.Keys(all))
}

func write(t *testing.T, d *Disk, name, text string, sync bool) {
	t.Helper()
	f, err := d.Folder("", nil).Create(name, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if sync {
		f.Sync()
	}
	f.Close()
}

func TestCrashes(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(d *Disk)
		want []string
	}{
		{"nothing synced", func(d *Disk) { write(t, d, "a/x", "1234", false) },
			[]string{"", "a/x=\x00\x00\x00\x00 ", "a/x= ", "a/x=12 ", "a/x=1234 "}},
		{"file synced", func(d *Disk) { write(t, d, "a/x", "1234", true) },
			[]string{"", "a/x=1234 "}},
		{"folder synced", func(d *Disk) {
			write(t, d, "a/x", "12", false)
			d.Folder("a", nil).SyncDir(".")
		}, []string{"a/x=\x00\x00 ", "a/x= ", "a/x=1 ", "a/x=12 "}},
		{"both synced", func(d *Disk) {
			write(t, d, "a/x", "12", true)
			d.Folder("a", nil).SyncDir(".")
		}, []string{"a/x=12 "}},
		{"renamed within a folder", func(d *Disk) {
			write(t, d, "a/x", "12", true)
			d.Folder("", nil).SyncDir("a")
			d.Folder("", nil).Rename("a/x", "a/y")
		}, []string{"a/x=12 ", "a/y=12 "}},
		{"renamed to another folder", func(d *Disk) {
			write(t, d, "a/x", "12", true)
			d.Folder("", nil).SyncDir("a")
			d.Folder("", nil).Rename("a/x", "b/y")
			d.Folder("", nil).SyncDir("b")
		}, []string{"a/x=12 b/y=12 ", "b/y=12 "}},
		{"removed", func(d *Disk) {
			write(t, d, "a/x", "12", true)
			d.Folder("", nil).SyncDir("a")
			d.Folder("", nil).Remove("a/x")
		}, []string{"", "a/x=12 "}},
		{"a sync that is skipped", func(d *Disk) {
			write(t, d, "a/x", "12", true)
			d.Folder("", func(sync string) bool { return sync == "folder a" }).SyncDir("a")
		}, []string{"", "a/x=12 "}},
	} {
		if got := found(t, tt.do); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestNumbers uses an inode number again.
func TestNumbers(t *testing.T) {
	d := New("a")
	write(t, d, "a/x", "1", true)
	first := d.folders["a"]["x"].number
	if err := d.Folder("a", nil).Remove("x"); err != nil {
		t.Fatal(err)
	}
	write(t, d, "a/y", "2", true)
	if again := d.folders["a"]["y"].number; again != first {
		t.Errorf("the number is %d, want %d", again, first)
	}
}

// TestLock has two open files of one mailbox: the second one gets the lock, and appends,
// when the first one is closed.
func TestLock(t *testing.T) {
	f := New("a").Folder("a", nil)
	open := func() durable.File {
		file, err := f.Open("box", os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	one, two := open(), open()
	if err := Lock(one); err != nil {
		t.Fatal(err)
	}
	if err := Lock(two); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("the second one: %v", err)
	}
	one.Close()
	if err := Lock(two); err != nil {
		t.Errorf("when the first one is closed: %v", err)
	}
}
