package cdb

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"goqmail/internal/durable"
)

func one(w *Writer) error { return w.Add([]byte("k"), []byte("v")) }

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "cdb"), []byte("old"), 0o600)
	os.WriteFile(filepath.Join(dir, "cdb.tmp"), []byte("left behind"), 0o600)
	if err := Replace(durable.NewDir(dir), "cdb.tmp", "cdb", one); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "cdb"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, ok, err := NewReader(f).Get([]byte("k")); string(got) != "v" || !ok || err != nil {
		t.Errorf("Get = %q, %v, %v, want v", got, ok, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "cdb.tmp")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("cdb.tmp is still there: %v", err)
	}
}

// steps records what is done to a folder and fails at one of them.
type steps struct {
	durable.FS
	done []string
	fail int // the step that fails, counted from 0
}

var errStep = errors.New("made to fail")

func (s *steps) step(name string) error {
	if s.done = append(s.done, name); len(s.done)-1 == s.fail {
		return errStep
	}
	return nil
}

func (s *steps) Create(name string, perm fs.FileMode) (durable.File, error) {
	if err := s.step("create"); err != nil {
		return nil, err
	}
	f, err := s.FS.Create(name, perm)
	return &file{f, s}, err
}

func (s *steps) Rename(from, to string) error {
	if err := s.step("rename"); err != nil {
		return err
	}
	return s.FS.Rename(from, to)
}

func (s *steps) SyncDir(folder string) error { return s.step("sync folder") }

type file struct {
	durable.File
	steps *steps
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if err := f.steps.step("write"); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

func (f *file) Sync() error { return f.steps.step("sync") }

func (f *file) Close() error {
	f.File.Close()
	return f.steps.step("close")
}

// TestReplaceFails fails each step in turn: the old file stays, but for the last
// step, and nothing is left beside it.
func TestReplaceFails(t *testing.T) {
	all := []string{"create", "write", "write", "sync", "close", "rename", "sync folder"}
	for i, fail := range all {
		t.Run(fail, func(t *testing.T) {
			dir := t.TempDir()
			os.WriteFile(filepath.Join(dir, "cdb"), []byte("old"), 0o600)
			s := &steps{FS: durable.NewDir(dir), fail: i}
			err := Replace(s, "cdb.tmp", "cdb", one)
			if !errors.Is(err, errStep) {
				t.Errorf("got %v, want the step's error", err)
			}
			if errors.Is(err, ErrCreate) != (fail == "create") || errors.Is(err, ErrRename) != (fail == "rename") {
				t.Errorf("got %v, which names the wrong step", err)
			}
			if !slices.Equal(s.done[:i+1], all[:i+1]) {
				t.Errorf("steps %q, want %q", s.done, all[:i+1])
			}
			old, _ := os.ReadFile(filepath.Join(dir, "cdb"))
			if kept := string(old) == "old"; kept != (i < len(all)-1) {
				t.Errorf("the old file is kept: %v", kept)
			}
			if _, err := os.Stat(filepath.Join(dir, "cdb.tmp")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("cdb.tmp is still there: %v", err)
			}
		})
	}
}

func TestReplaceFillFails(t *testing.T) {
	dir := t.TempDir()
	err := Replace(durable.NewDir(dir), "cdb.tmp", "cdb", func(*Writer) error { return errStep })
	if !errors.Is(err, errStep) {
		t.Errorf("got %v, want the error of fill", err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 0 {
		t.Errorf("%v is left behind", names)
	}
}
