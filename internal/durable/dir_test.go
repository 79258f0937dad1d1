package durable

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"testing"
)

func TestDir(t *testing.T) {
	var dir FS = NewDir(t.TempDir())
	f, err := dir.Create("a", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("text")); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Create("a", 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("creating a file twice: %v, want ErrExist", err)
	}
	if err := dir.Link("a", "b"); err != nil {
		t.Error(err)
	}
	if err := dir.Link("a", "b"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("linking to a name in use: %v, want ErrExist", err)
	}
	if err := dir.SyncDir(""); err != nil {
		t.Error(err)
	}
	if err := dir.Remove("a"); err != nil {
		t.Error(err)
	}
	if err := dir.Remove("a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removing twice: %v, want ErrNotExist", err)
	}
	var names []string
	if err := dir.Names("", func(n string) bool { names = append(names, n); return true }); err != nil || len(names) != 1 || names[0] != "b" {
		t.Errorf("Names gives %q, %v, want b", names, err)
	}
	if _, err := dir.Open("none", os.O_RDONLY, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening what is not there: %v, want ErrNotExist", err)
	}
}

func TestRemoveLeavesFolders(t *testing.T) {
	root := t.TempDir()
	os.Mkdir(root+"/d", 0o700)
	if err := NewDir(root).Remove("d"); err == nil {
		t.Error("Remove takes a folder away")
	}
}

func TestSyncDirTogether(t *testing.T) {
	dir := NewDir(t.TempDir())
	var wg sync.WaitGroup
	for range 100 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := dir.SyncDir(""); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if err := dir.SyncDir("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("syncing a folder that is not there: %v, want ErrNotExist", err)
	}
	s := dir.syncs[""]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running || s.next != nil {
		t.Error("a sync is left over")
	}
}

func TestNamesAreNotSimplified(t *testing.T) {
	root := t.TempDir()
	os.MkdirAll(root+"/real/inner", 0o700)
	os.Symlink("real/inner", root+"/link")
	os.WriteFile(root+"/real/file", []byte("x"), 0o600)
	os.WriteFile(root+"/top", []byte("x"), 0o600)
	dir := NewDir(root)
	if _, err := dir.Stat("link/../file"); err != nil {
		t.Errorf("beside what the link points to: %v", err)
	}
	if _, err := dir.Stat("top/."); err == nil {
		t.Error("a file passes for a folder")
	}
}

// TestBlank has a file read as zeros, or empty where it cannot keep its blocks.
func TestBlank(t *testing.T) {
	d := NewDir(t.TempDir())
	for _, size := range []int{0, 1, 4096, 10000} {
		name := strconv.Itoa(size)
		f, err := d.Create(name, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(bytes.Repeat([]byte("x"), size)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Sync(), Blank(f)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(d.path(name))
		if err != nil || len(got) != 0 && !bytes.Equal(got, make([]byte, size)) {
			t.Errorf("of %d bytes %q are left, %v", size, got, err)
		}
		f.Close()
		if Blank(f) == nil {
			t.Error("a closed file is made blank")
		}
	}
}
