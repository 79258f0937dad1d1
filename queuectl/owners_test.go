package queuectl

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Owners and modes are those that qmail's install gives to an empty queue.
func TestWant(t *testing.T) {
	b := newBench(t)
	b.write("queue/lock/send/local/1/7", "x")
	b.write("queue/info/1/7", "x")
	b.write("queue/mess/1/7", "x")
	if err := os.Chmod(filepath.Join(b.home, "queue/mess/1/7"), 0o200); err != nil {
		t.Fatal(err)
	}
	const q, s, r = 1, 2, 3
	o := owners{queue: q, send: s, remote: r}
	for _, tt := range []struct {
		name string
		uid  int
		mode fs.FileMode
	}{
		{".", q, 0o751}, {"pid", q, 0o700}, {"intd", q, 0o700}, {"todo", q, 0o750}, {"bounce", s, 0o700},
		{"mess", q, 0o750}, {"mess/2", q, 0o750}, {"info", s, 0o700}, {"info/2", s, 0o700}, {"local/0", s, 0o700}, {"remote/0", s, 0o700},
		{"lock", q, 0o750}, {"lock/tcpto", r, 0o644}, {"lock/sendmutex", s, 0o600}, {"lock/trigger", s, 0o622},
		{"lock/send", s, 0o700}, {"lock/send/local", s, 0o700}, {"lock/send/local/1/7", s, 0o600},
		{"info/1/7", s, 0o600}, {"mess/1/7", q, 0o644},
	} {
		st, err := os.Lstat(filepath.Join(b.home, "queue", tt.name))
		if err != nil {
			t.Fatal(err)
		}
		if uid, mode := o.want(tt.name, st); uid != tt.uid || mode != tt.mode {
			t.Errorf("want(%s) = %d, %o, want %d, %o", tt.name, uid, mode, tt.uid, tt.mode)
		}
	}
}

// What is put in the place of a file is not followed.
func TestChmodFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	victim, link := filepath.Join(dir, "victim"), filepath.Join(dir, "link")
	if err := os.WriteFile(victim, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, link); err != nil {
		t.Fatal(err)
	}
	if err := chmod(link, 0o777); err == nil {
		t.Error("a link was followed")
	}
	if st, err := os.Stat(victim); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v", st.Mode())
	}
}
