package main

import (
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/remote"
)

// cachedSettings are the control files, read again when one of them is another.
type cachedSettings struct {
	mu       sync.Mutex
	settings *remote.Settings
	files    watch
}

func (c *cachedSettings) read() (*remote.Settings, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if changed := c.files.changed(); !changed && c.settings != nil {
		return c.settings, nil
	}
	s, err := remote.ReadSettings(c.files.folder)
	c.settings = s // nil if they cannot be read
	return s, err
}

// watch tells when a file in a folder changes, or what a link there leads to. It is asked
// for each message, so it lists the folder only if that has changed.
type watch struct {
	folder string
	now    func() time.Time
	listed state // of the folder, when it was listed; zero if it has to be listed again
	files  []watched
}

type watched struct {
	path  string
	state state
}

// state is what changes with a file. It is zero for one that is not there.
type state struct {
	device, inode    uint64
	size             int64
	written, changed unix.Timespec
	fresh            bool // it may change again and look the same
}

func stateOf(path string) state {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return state{}
	}
	return state{device: uint64(st.Dev), inode: uint64(st.Ino), size: st.Size, written: st.Mtim, changed: st.Ctim}
}

// settled is how long ago something must have changed for its times to tell of the next
// change: they are those of a clock that ticks, on some file systems once in two seconds.
const settled = 3 * time.Second

// look returns the state of a file.
func (w *watch) look(path string) state {
	s := stateOf(path)
	s.fresh = s != (state{}) && w.now().Sub(time.Unix(s.changed.Unix())).Abs() < settled
	return s
}

// changed reports whether something has changed since it was called last, or may have.
func (w *watch) changed() bool {
	if folder := w.look(w.folder); folder != w.listed || folder.fresh || folder == (state{}) {
		return w.list(folder)
	}
	changed := false
	for i, f := range w.files {
		if s := w.look(f.path); s != f.state || s.fresh {
			w.files[i].state = s
			changed = true
		}
	}
	return changed
}

// list looks at all files anew.
func (w *watch) list(folder state) bool {
	old := w.files
	w.files, w.listed = nil, state{}
	entries, err := os.ReadDir(w.folder)
	if err != nil {
		return true
	}
	changed := len(entries) != len(old)
	for i, e := range entries {
		path := filepath.Join(w.folder, e.Name())
		f := watched{path, w.look(path)}
		changed = changed || f != old[i] || f.state.fresh
		w.files = append(w.files, f)
	}
	w.listed = folder
	return changed
}
