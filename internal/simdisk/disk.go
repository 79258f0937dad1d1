// Package simdisk is a disk for tests. It implements durable.FS in memory, records
// every operation, and knows what of it a crash may undo: [Trace.Crashes] makes the
// disks that the host may find after its power went at any moment.
//
// # What lasts
//
// The rules are those that goqmail/internal/durable states, and no kinder:
//
//   - of what was written to a file since its last sync, a crash leaves all, nothing,
//     or a part: the first half, or a file of the new size with zeros in it;
//   - of the names that were made, changed or removed in a folder since its last sync,
//     a crash undoes any number, the latest first. Folders are independent of each
//     other (POSIX), or all follow one journal (ext4): both are tried;
//   - times and permissions that were set since the file's last sync last or not, with
//     the rest of the file.
//
// Inode numbers are used again as soon as they are free, the lowest first.
package simdisk

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"
	"time"

	"goqmail/internal/durable"
)

// Disk is a disk under use. Its folders are fixed. Its methods may be called by many
// goroutines at a time.
type Disk struct {
	mu      sync.Mutex
	folders map[string]map[string]*inode // by path, then by name
	touched map[string]time.Time         // when names in a folder last changed
	free    []uint64                     // inode numbers that were used
	next    uint64
	trace   []op
}

// inode is a file.
type inode struct {
	number uint64
	links  int
	open   int
	locked *file // by whom
	content
}

// content is what a sync of a file makes durable.
type content struct {
	data         []byte
	perm         fs.FileMode
	atime, mtime time.Time
}

func (c content) clone() content {
	c.data = slices.Clone(c.data)
	return c
}

// kind is what an operation does.
type kind int

const (
	create kind = iota // make a file, and give it a name
	link               // give a file a name, in place of one that had it
	unlink
	rename
	change // the content of a file
	syncFile
	syncFolder
	mark // something happened beside the disk
)

// op is one operation on the disk.
type op struct {
	kind         kind
	inode        *inode  // the file
	replaced     *inode  // the file that lost its name by link or rename
	content      content // after a change
	folder, name string
	to, toName   string // of a rename
	note         string // of a mark
}

// New makes an empty disk with these folders.
func New(folders ...string) *Disk {
	d := &Disk{folders: map[string]map[string]*inode{}, touched: map[string]time.Time{}, next: 100}
	for _, f := range folders {
		d.folders[f] = map[string]*inode{}
	}
	return d
}

// Mark notes that something has happened, between the operations.
func (d *Disk) Mark(note string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trace = append(d.trace, op{kind: mark, note: note})
}

// Folder is a folder of the disk, with those below it. Syncs that skip is true for
// are not done, though they say that they are. It is called with "file" or "folder",
// the name below this folder, and ", names gone" if that is all that the sync is for.
func (d *Disk) Folder(name string, skip func(sync string) bool) durable.FS {
	return &folder{disk: d, root: name, skip: skip}
}

// Files are the files below a folder and their content, by path.
func (d *Disk) Files(below string) map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	files := map[string]string{}
	for f, names := range d.folders {
		if f != below && !isBelow(f, below) {
			continue
		}
		for name, i := range names {
			files[path.Join(f, name)] = string(i.data)
		}
	}
	return files
}

func isBelow(name, folder string) bool {
	return len(name) > len(folder) && name[:len(folder)] == folder && name[len(folder)] == '/'
}

// number gives out an inode number.
func (d *Disk) number() uint64 {
	if len(d.free) > 0 {
		slices.Sort(d.free)
		n := d.free[0]
		d.free = d.free[1:]
		return n
	}
	d.next++
	return d.next - 1
}

// named notes a change of names.
func (d *Disk) named(o op) {
	d.touched[o.folder] = time.Now()
	if o.to != "" {
		d.touched[o.to] = time.Now()
	}
	d.trace = append(d.trace, o)
}

// drop takes the inode's number back if nobody has the file any more.
func (d *Disk) drop(i *inode) {
	if i.links == 0 && i.open == 0 {
		d.free = append(d.free, i.number)
	}
}

// names returns what is in a folder, or nil.
func (d *Disk) names(folder string) map[string]*inode { return d.folders[folder] }

// sortedFolders are the paths of all folders.
func sortedFolders(folders map[string]map[string]*inode) []string {
	return slices.Sorted(maps.Keys(folders))
}

// Marks are the notes so far.
func (d *Disk) Marks() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var notes []string
	for _, o := range d.trace {
		if o.kind == mark {
			notes = append(notes, o.note)
		}
	}
	return notes
}
