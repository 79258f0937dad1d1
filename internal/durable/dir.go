package durable

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"
)

// Dir is a folder of the host's own file system; [NewDir] makes one.
type Dir struct {
	root string

	mu    sync.Mutex
	syncs map[string]*folderSync
}

// NewDir returns the folder called root, which need not exist yet.
func NewDir(root string) *Dir {
	return &Dir{root: root, syncs: map[string]*folderSync{}}
}

// path leaves the name as it is: "a/../b" and "a/." ask the system what a is,
// which may be a symbolic link, or missing, or closed to the user.
func (d *Dir) path(name string) string {
	if d.root == "" {
		return name
	}
	return d.root + "/" + name
}

func (d *Dir) Create(name string, perm fs.FileMode) (File, error) {
	return open(d.path(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
}

func (d *Dir) Open(name string, flag int, perm fs.FileMode) (File, error) {
	return open(d.path(name), flag|syscall.O_NONBLOCK, perm)
}

func (d *Dir) Link(from, to string) error { return os.Link(d.path(from), d.path(to)) }

// Rename is rename(2). Unlike os.Rename it does not look first whether there is a
// folder in the way, and so says what the system says.
func (d *Dir) Rename(from, to string) error {
	from, to = d.path(from), d.path(to)
	for {
		err := syscall.Rename(from, to)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
		}
	}
}

// Remove unlinks a file. Unlike os.Remove it leaves an empty folder alone.
func (d *Dir) Remove(name string) error {
	path := d.path(name)
	for {
		err := syscall.Unlink(path)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return &fs.PathError{Op: "unlink", Path: path, Err: err}
		}
	}
}

func (d *Dir) Stat(name string) (fs.FileInfo, error) { return os.Stat(d.path(name)) }

func (d *Dir) Chtimes(name string, atime, mtime time.Time) error {
	return os.Chtimes(d.path(name), atime, mtime)
}

func (d *Dir) Chmod(name string, perm fs.FileMode) error { return os.Chmod(d.path(name), perm) }

// namesSize bounds how much of a large folder is in memory: about 1,000 names.
const namesSize = 32 << 10

func (d *Dir) Names(folder string, yield func(string) bool) error {
	path := d.path(folder)
	fd, err := retry(func() (int, error) {
		return syscall.Open(path, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	})
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	buf := make([]byte, namesSize)
	for {
		n, err := retry(func() (int, error) { return syscall.ReadDirent(fd, buf) })
		if err != nil {
			return &fs.PathError{Op: "readdir", Path: path, Err: err}
		}
		if n <= 0 {
			return nil
		}
		_, _, names := syscall.ParseDirent(buf[:n], -1, nil)
		for _, name := range names {
			if !yield(name) {
				return nil
			}
		}
	}
}

// SyncDir syncs a folder. Of calls that come while a sync of the same folder is
// under way, one more sync serves all.
func (d *Dir) SyncDir(folder string) error {
	d.mu.Lock()
	s := d.syncs[folder]
	if s == nil {
		s = &folderSync{path: d.path(folder)}
		d.syncs[folder] = s
	}
	d.mu.Unlock()
	return s.sync()
}

// folderSync lets concurrent callers share syncs of one folder. A caller may
// use a sync that begins after it called, never one that was under way.
type folderSync struct {
	path string

	mu      sync.Mutex
	running bool
	next    *syncResult // what callers wait for that came during the running one
}

type syncResult struct {
	done chan struct{}
	err  error
}

func (s *folderSync) sync() error {
	s.mu.Lock()
	if s.running {
		if s.next == nil {
			s.next = &syncResult{done: make(chan struct{})}
		}
		r := s.next
		s.mu.Unlock()
		<-r.done
		return r.err
	}
	s.running = true
	s.mu.Unlock()
	err := syncPath(s.path)
	s.mu.Lock()
	next := s.next
	s.next = nil
	s.running = next != nil
	s.mu.Unlock()
	if next != nil {
		go s.serve(next)
	}
	return err
}

// serve does the syncs that others wait for, until nobody does.
func (s *folderSync) serve(r *syncResult) {
	for r != nil {
		r.err = syncPath(s.path)
		close(r.done)
		s.mu.Lock()
		r = s.next
		s.next = nil
		s.running = r != nil
		s.mu.Unlock()
	}
}

func syncPath(path string) error {
	f, err := open(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
