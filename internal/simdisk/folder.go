package simdisk

import (
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"syscall"
	"time"

	"goqmail/internal/durable"
)

// folder implements durable.FS for a folder of the disk.
type folder struct {
	disk *Disk
	root string
	skip func(sync string) bool
}

// split returns the folder and the name of a file.
func (f *folder) split(name string) (dir, base string) {
	full := path.Join(f.root, name)
	return path.Dir(full), path.Base(full)
}

func fail(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

// find returns a file, or why there is none.
func (f *folder) find(op, name string) (*inode, error) {
	dir, base := f.split(name)
	i := f.disk.names(dir)[base]
	if i == nil {
		return nil, fail(op, name, syscall.ENOENT)
	}
	return i, nil
}

func (f *folder) Create(name string, perm fs.FileMode) (durable.File, error) {
	return f.Open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
}

func (f *folder) Open(name string, flag int, perm fs.FileMode) (durable.File, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	dir, base := f.split(name)
	names := f.disk.names(dir)
	if names == nil {
		return nil, fail("open", name, syscall.ENOENT)
	}
	i := names[base]
	switch {
	case i != nil && flag&os.O_EXCL != 0:
		return nil, fail("open", name, syscall.EEXIST)
	case i == nil && flag&os.O_CREATE == 0:
		return nil, fail("open", name, syscall.ENOENT)
	case i == nil:
		now := time.Now()
		i = &inode{number: f.disk.number(), links: 1, content: content{perm: perm, atime: now, mtime: now}}
		names[base] = i
		f.disk.named(op{kind: create, inode: i, folder: dir, name: base, content: i.content.clone()})
	}
	i.open++
	return &file{folder: f, inode: i, name: name, appending: flag&os.O_APPEND != 0}, nil
}

func (f *folder) Link(from, to string) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	i, err := f.find("link", from)
	if err != nil {
		return err
	}
	dir, base := f.split(to)
	names := f.disk.names(dir)
	if names == nil {
		return fail("link", to, syscall.ENOENT)
	}
	if names[base] != nil {
		return fail("link", to, syscall.EEXIST)
	}
	i.links++
	names[base] = i
	f.disk.named(op{kind: link, inode: i, folder: dir, name: base})
	return nil
}

func (f *folder) Rename(from, to string) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	i, err := f.find("rename", from)
	if err != nil {
		return err
	}
	dir, base := f.split(from)
	toDir, toBase := f.split(to)
	names := f.disk.names(toDir)
	if names == nil {
		return fail("rename", to, syscall.ENOENT)
	}
	replaced := names[toBase]
	if replaced == i {
		return nil
	}
	delete(f.disk.names(dir), base)
	names[toBase] = i
	if replaced != nil {
		replaced.links--
		f.disk.drop(replaced)
	}
	f.disk.named(op{kind: rename, inode: i, replaced: replaced, folder: dir, name: base, to: toDir, toName: toBase})
	return nil
}

func (f *folder) Remove(name string) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	i, err := f.find("unlink", name)
	if err != nil {
		return err
	}
	dir, base := f.split(name)
	delete(f.disk.names(dir), base)
	i.links--
	f.disk.drop(i)
	f.disk.named(op{kind: unlink, inode: i, folder: dir, name: base})
	return nil
}

func (f *folder) Stat(name string) (fs.FileInfo, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if full := path.Join(f.root, name); f.disk.names(full) != nil || f.disk.hasBelow(full) {
		return &info{name: path.Base(full), mode: fs.ModeDir | 0o700, mtime: f.disk.touched[full]}, nil
	}
	i, err := f.find("stat", name)
	if err != nil {
		return nil, err
	}
	return i.info(name), nil
}

// hasBelow reports whether there are folders below a path.
func (d *Disk) hasBelow(full string) bool {
	for name := range d.folders {
		if isBelow(name, full) {
			return true
		}
	}
	return false
}

func (f *folder) Names(name string, yield func(string) bool) error {
	f.disk.mu.Lock()
	full := path.Join(f.root, name)
	names := f.disk.names(full)
	var all []string
	for n := range names {
		all = append(all, n)
	}
	for other := range f.disk.folders {
		if path.Dir(other) == full {
			all = append(all, path.Base(other))
		}
	}
	f.disk.mu.Unlock()
	if names == nil && len(all) == 0 {
		return fail("open", name, syscall.ENOENT)
	}
	slices.Sort(all)
	for _, n := range slices.Compact(all) {
		if !yield(n) {
			break
		}
	}
	return nil
}

func (f *folder) Chtimes(name string, atime, mtime time.Time) error {
	return f.set("chtimes", name, func(c *content) { c.atime, c.mtime = atime, mtime })
}

func (f *folder) Chmod(name string, perm fs.FileMode) error {
	return f.set("chmod", name, func(c *content) { c.perm = perm })
}

func (f *folder) set(what, name string, edit func(*content)) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	i, err := f.find(what, name)
	if err != nil {
		return err
	}
	edit(&i.content)
	f.disk.changed(i)
	return nil
}

func (d *Disk) changed(i *inode) {
	d.trace = append(d.trace, op{kind: change, inode: i, content: i.content.clone()})
}

func (f *folder) SyncDir(name string) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	full := path.Join(f.root, name)
	if f.disk.names(full) == nil {
		return fail("open", name, syscall.ENOENT)
	}
	what := "folder " + name
	if f.disk.onlyLost(full) {
		what += ", names gone"
	}
	if f.skip == nil || !f.skip(what) {
		f.disk.trace = append(f.disk.trace, op{kind: syncFolder, folder: full})
	}
	return nil
}

// onlyLost reports whether a folder has lost names since its last sync, and nothing
// else.
func (d *Disk) onlyLost(folder string) bool {
	lost := false
	for _, o := range slices.Backward(d.trace) {
		switch {
		case o.kind == syncFolder && o.folder == folder:
			return lost
		case o.to == folder, o.folder == folder && (o.kind == create || o.kind == link):
			return false
		case o.folder == folder && (o.kind == unlink || o.kind == rename):
			lost = true
		}
	}
	return lost
}

// file is an open file.
type file struct {
	*folder
	inode     *inode
	name      string
	offset    int64
	appending bool
	closed    bool
}

func (f *file) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.offset)
	f.offset += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.closed {
		return 0, os.ErrClosed
	}
	if offset >= int64(len(f.inode.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.inode.data[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Write(p []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.appending {
		f.offset = int64(len(f.inode.data))
	}
	n, err := f.writeAt(p, f.offset)
	f.offset += int64(n)
	return n, err
}

func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return f.writeAt(p, offset)
}

func (f *file) writeAt(p []byte, offset int64) (int, error) {
	if f.closed {
		return 0, os.ErrClosed
	}
	i := f.inode
	if more := int(offset) + len(p) - len(i.data); more > 0 {
		i.data = append(i.data, make([]byte, more)...)
	}
	copy(i.data[offset:], p)
	i.mtime = time.Now()
	f.disk.changed(i)
	return len(p), nil
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		f.disk.mu.Lock()
		offset += int64(len(f.inode.data))
		f.disk.mu.Unlock()
	}
	f.offset = offset
	return offset, nil
}

func (f *file) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	data := f.inode.data
	if more := int(size) - len(data); more > 0 {
		data = append(data, make([]byte, more)...)
	}
	f.inode.data = data[:size]
	f.disk.changed(f.inode)
	return nil
}

func (f *file) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.skip == nil || !f.skip("file "+f.name) {
		f.disk.trace = append(f.disk.trace, op{kind: syncFile, inode: f.inode})
	}
	return nil
}

// Blank implements [durable.Blank] as a file system that keeps the blocks.
func (f *file) Blank() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.inode.data = make([]byte, len(f.inode.data))
	f.disk.changed(f.inode)
	return nil
}

// Lock is flock(2) on a file of a simulated disk: the lock lasts until the file is
// closed, and who finds it taken does not wait.
func Lock(f durable.File) error {
	s, ok := f.(*file)
	if !ok {
		return syscall.EOPNOTSUPP
	}
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if s.inode.locked != nil && s.inode.locked != s {
		return syscall.EWOULDBLOCK
	}
	s.inode.locked = s
	return nil
}

// OnlyOpen implements [durable.OnlyOpen].
func (f *file) OnlyOpen() bool {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return f.inode.open == 1
}

func (f *file) Stat() (fs.FileInfo, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return f.inode.info(f.name), nil
}

func (f *file) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.closed {
		return os.ErrClosed
	}
	f.closed = true
	if f.inode.locked == f {
		f.inode.locked = nil
	}
	f.inode.open--
	f.disk.drop(f.inode)
	return nil
}

// info is what is known of a file.
type info struct {
	name  string
	size  int64
	mode  fs.FileMode
	mtime time.Time
	sys   syscall.Stat_t
}

func (i *inode) info(name string) fs.FileInfo {
	return &info{
		name: path.Base(name), size: int64(len(i.data)), mode: i.perm, mtime: i.mtime,
		sys: syscall.Stat_t{Ino: i.number, Nlink: uint64(i.links), Gid: uint32(os.Getegid()), Atim: syscall.NsecToTimespec(i.atime.UnixNano()), Mtim: syscall.NsecToTimespec(i.mtime.UnixNano())},
	}
}

func (i *info) Name() string       { return i.name }
func (i *info) Size() int64        { return i.size }
func (i *info) Mode() fs.FileMode  { return i.mode }
func (i *info) ModTime() time.Time { return i.mtime }
func (i *info) IsDir() bool        { return i.mode.IsDir() }
func (i *info) Sys() any           { return &i.sys }
