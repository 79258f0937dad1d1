package maildirs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"goqmail/internal/durable"
)

var now = time.Date(2026, 2, 1, 9, 8, 7, 500_000_000, time.UTC)

// fill makes a maildir with files of these ages.
func fill(t *testing.T, ages map[string]time.Duration) string {
	t.Helper()
	dir := t.TempDir()
	for _, folder := range []string{"tmp", "new", "cur"} {
		os.Mkdir(filepath.Join(dir, folder), 0o700)
	}
	for name, age := range ages {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte("x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestScan(t *testing.T) {
	dir := fill(t, map[string]time.Duration{
		"new/3": time.Hour, "cur/2:2,S": 2 * time.Hour, "new/1": 3 * time.Hour,
		"cur/5": time.Minute, "new/4": time.Minute,
		"new/.hidden": time.Hour, "new/now": 500 * time.Millisecond, "new/later": -time.Hour, "new/justnow": 501 * time.Millisecond,
		"tmp/6": time.Hour,
	})
	os.Symlink("none", filepath.Join(dir, "new/dangling"))
	got, err := Scan(durable.NewDir(dir), now, "new", "cur")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range got {
		names = append(names, m.Name)
		if m.Size != 2 {
			t.Errorf("%s: size %d", m.Name, m.Size)
		}
	}
	if want := []string{"new/1", "cur/2:2,S", "new/3", "new/4", "cur/5", "new/justnow"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

func TestScanMissing(t *testing.T) {
	dir := fill(t, nil)
	os.Remove(filepath.Join(dir, "cur"))
	_, err := Scan(durable.NewDir(dir), now, "new", "cur")
	var bad *ScanError
	if !errors.As(err, &bad) || bad.Folder != "cur" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestClean(t *testing.T) {
	dir := fill(t, map[string]time.Duration{
		"tmp/old": 36*time.Hour + time.Second, "tmp/young": 36 * time.Hour, "tmp/.hidden": 1000 * time.Hour,
		"new/old": 1000 * time.Hour, "tmp/read": 1000 * time.Hour, "tmp/written": 1000 * time.Hour,
	})
	os.Chtimes(filepath.Join(dir, "tmp/read"), now, time.Time{})
	os.Chtimes(filepath.Join(dir, "tmp/written"), time.Time{}, now)
	Clean(durable.NewDir(dir), now)
	left, err := filepath.Glob(dir + "/*/*")
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 5 || slices.Contains(left, dir+"/tmp/old") {
		t.Errorf("left are %q", left)
	}
	Clean(durable.NewDir(dir+"/none"), now)
}
