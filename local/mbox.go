package local

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"goqmail/internal/durable"
	"goqmail/internal/fault"
	"goqmail/internal/syserr"
)

// toMbox appends to the mbox of that name.
func (r *run) toMbox(name string) error {
	if err := r.rewind(); err != nil {
		return err
	}
	files, path := r.place(name)
	m := mbox{host: r.Host, files: files, path: path, name: name, dotLock: wantsDotLock(name)}
	f, err := m.open()
	if err != nil {
		return err
	}
	err = f.append(func(w *bufio.Writer) error {
		w.WriteString(r.added.from)
		w.WriteString(r.added.returnPath)
		if _, err := w.WriteString(r.added.deliveredTo); err != nil {
			return err
		}
		q := fromQuoter{w: w}
		if err := r.copyTo(&q); err != nil {
			return err
		}
		return q.finish()
	})
	if cerr := f.unlock(); err == nil {
		err = cerr
	}
	if f, ok := unreadable(err); ok {
		return f
	}
	if err != nil {
		return fault.Soft("Unable to write "+name+": "+syserr.Text(err)+". (#4.3.0)", err)
	}
	return nil
}

// mbox is a file of messages one after the other.
type mbox struct {
	host    *Host
	files   durable.FS
	path    string // in files
	name    string // as users know it
	dotLock bool   // lock it by a file path.lock, too
}

// openMbox is an mbox that nobody else changes until unlock is called.
type openMbox struct {
	mbox
	file   durable.File
	before fs.FileInfo  // of the file when it was locked
	reader durable.File // the same file, to look at its end; may be nil
}

// errNoFile is why a FIFO is not written to: it cannot be synced.
var errNoFile = syscall.EINVAL

// separator looks at the end of the file. A message left without its newline, by
// a crash or by another program, must not swallow the next one's From_ line: it
// is what to write first.
func (f *openMbox) separator() (string, error) {
	if f.before.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0 {
		return "", errNoFile
	}
	if f.size() <= 0 {
		return "", nil
	}
	// An own open file, for the other is for writing. It stays open because to
	// close it could drop the lock, where that belongs to the process.
	reader, err := f.files.Open(f.path, os.O_RDONLY, 0)
	if err != nil {
		return "", nil // a file that may only be written
	}
	f.reader = reader
	var last [1]byte
	if _, err := reader.ReadAt(last[:], f.size()-1); err != nil {
		return "", err
	}
	if last[0] != '\n' {
		return "\n\n", nil
	}
	return "", nil
}

// size is what the file had before anything was appended, -1 for a device.
func (f *openMbox) size() int64 {
	if !f.before.Mode().IsRegular() {
		return -1
	}
	return f.before.Size()
}

// append adds what write writes, or leaves the file as it was.
//
// Once the file is synced the message is there to stay, unless the file is new:
// then its name is once the folder is synced. That is done when the file was
// empty, as whoever made it may not have come so far.
func (f *openMbox) append(write func(*bufio.Writer) error) error {
	separator, err := f.separator()
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(f.file, bufferSize)
	out.WriteString(separator)
	err = write(out)
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = f.file.Sync()
	}
	if err == nil && f.size() == 0 {
		err = f.syncFolder()
	}
	if err != nil {
		f.cutBack()
	}
	return err
}

// cutBack takes away what a failed append has written.
func (f *openMbox) cutBack() {
	if f.size() >= 0 && f.file.Truncate(f.size()) == nil {
		f.file.Sync()
	}
}

// syncFolder makes the file's name durable. A folder that the user may write but
// not read cannot be synced; mail in it has no such promise.
func (f *openMbox) syncFolder() error {
	folder := "."
	if i := strings.LastIndexByte(f.path, '/'); i >= 0 {
		folder = f.path[:i]
	}
	err := f.files.SyncDir(folder)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// unlock closes the mbox, and that frees it.
func (f *openMbox) unlock() error {
	err := f.file.Close()
	if f.reader != nil {
		f.reader.Close()
	}
	if f.dotLock {
		f.files.Remove(f.path + dotLockSuffix)
	}
	return err
}
