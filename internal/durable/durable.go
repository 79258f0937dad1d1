// Package durable is the one place that knows how a file is made to survive a
// crash.
//
// Everything that must not be lost goes through an [FS], which is handed in, so
// that a test can put a simulated disk in its place and cut the power. POSIX
// promises little, and this is what the callers rely on:
//
//   - what was written to a file survives once [File.Sync] has returned;
//   - that a name exists, is gone or names another file survives once
//     [FS.SyncDir] of its folder has returned; before that a crash may undo it,
//     and may undo a later change but not an earlier one;
//   - overwriting one byte of a file is never half done.
//
// So the order is always: write, sync the file, link or rename it into place,
// sync the folder, then say yes. A file that is synced but not yet linked is
// garbage after a crash; one that is linked but whose folder is not synced may
// be gone or there, and if it is there it is whole.
package durable

import (
	"io"
	"io/fs"
	"time"
)

// FS is a folder and what is below it. Names are slash-separated, relative to
// the folder. Errors are those of package os and wrap fs.ErrNotExist and the like.
type FS interface {
	// Create makes a new file, for reading and writing; it is an error
	// (fs.ErrExist) if there is one of that name.
	Create(name string, perm fs.FileMode) (File, error)
	// Open opens a file with os.O_RDONLY, os.O_WRONLY, os.O_RDWR, and os.O_APPEND,
	// os.O_CREATE if wanted. A FIFO or device is opened without waiting for anybody.
	Open(name string, flag int, perm fs.FileMode) (File, error)
	// Link gives a file a second name; it is an error if that is taken.
	Link(from, to string) error
	// Rename gives a file another name, in place of what had it.
	Rename(from, to string) error
	// Remove takes away a file's name.
	Remove(name string) error
	// Stat tells about the file, following symbolic links.
	Stat(name string) (fs.FileInfo, error)
	// Names calls yield with the name of each entry of a folder, in no order,
	// until yield returns false. The folder may be large and may change meanwhile.
	Names(folder string, yield func(name string) bool) error
	// Chtimes sets a file's times. They are not synced.
	Chtimes(name string, atime, mtime time.Time) error
	// Chmod sets a file's permissions. They are not synced.
	Chmod(name string, perm fs.FileMode) error
	// SyncDir makes the present entries of a folder durable.
	SyncDir(folder string) error
}

// File is an open file of an [FS]. Close must be checked on one that was written.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Seeker
	io.Closer
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	// Sync makes what was written so far durable.
	Sync() error
}
