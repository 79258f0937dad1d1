package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestWatch changes files in every way, right after a look at them, and when they have
// been as they are for an hour.
func TestWatch(t *testing.T) {
	folder, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
	file := func(name string) string { return filepath.Join(folder, name) }
	write := func(path, text string) func() error {
		return func() error { return os.WriteFile(path, []byte(text), 0o644) }
	}
	hourAgo := func(path string) error {
		old := time.Now().Add(-time.Hour)
		return os.Chtimes(path, old, old)
	}
	for _, later := range []time.Duration{0, time.Hour} {
		w := watch{folder: folder, now: func() time.Time { return time.Now().Add(later) }}
		for _, step := range []struct {
			name string
			do   func() error
		}{
			{"the first file", write(file("me"), "me")},
			{"another file", write(file("smtproutes"), "")},
			{"a longer file", write(file("smtproutes"), ":relay")},
			{"another time", func() error { return hourAgo(file("me")) }},
			{"a new name", func() error { return os.Rename(file("smtproutes"), file("helohost")) }},
			{"what a link leads to", write(other, "a")},
			{"a link", func() error { return os.Symlink(other, file("link")) }},
			{"what it leads to is another", func() error { return os.WriteFile(other, []byte("ab"), 0o644) }},
			{"a file less", func() error { return os.Remove(file("helohost")) }},
			{"another in its place", write(file("helohost"), "x")},
			{"and away", func() error { return os.Remove(file("helohost")) }},
			{"the link away", func() error { return os.Remove(file("link")) }},
			{"all away", func() error { return os.Remove(file("me")) }},
		} {
			w.changed()
			if later > 0 {
				if err := hourAgo(folder); err != nil {
					t.Fatal(err)
				}
				w.listed = stateOf(folder)
			}
			seen := step.name != "what a link leads to"
			if w.changed() && later > 0 {
				t.Errorf("before %s: changed without a change", step.name)
			}
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
			switch changed := w.changed(); {
			case later == 0 && seen && !changed:
				t.Errorf("right after %s: nothing has changed", step.name)
			case later > 0 && changed != seen:
				t.Errorf("%s: changed is %v", step.name, changed)
			}
		}
	}
	w := watch{folder: "/nonexistent", now: time.Now}
	for range 2 {
		if !w.changed() {
			t.Error("a folder that is not there has not changed")
		}
	}
}

// TestWatchFresh looks at a file just after it was written, and much later: it may have
// been written once more in the same tick.
func TestWatchFresh(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "me"), []byte("me"), 0o644); err != nil {
		t.Fatal(err)
	}
	later := time.Duration(0)
	w := watch{folder: folder, now: func() time.Time { return time.Now().Add(later) }}
	for _, want := range []bool{true, true, true} {
		if got := w.changed(); got != want {
			t.Errorf("right after: changed is %v", got)
		}
	}
	later = time.Hour
	for i, want := range []bool{true, false, false} {
		if got := w.changed(); got != want {
			t.Errorf("look %d an hour later: changed is %v", i, got)
		}
	}
}
