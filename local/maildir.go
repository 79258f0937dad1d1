package local

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"goqmail/internal/durable"
	"goqmail/internal/fault"
	"goqmail/internal/syserr"
)

// maildirLimit bounds a delivery: readers take files in tmp for abandoned after
// 36 hours, and a delivery must be over well before, maildir(5).
const maildirLimit = 24 * time.Hour

var errTimeout = errors.New("time is over")

// toMaildir delivers to the maildir of that name.
func (r *run) toMaildir(name string) error {
	if err := r.rewind(); err != nil {
		return err
	}
	files, folder := r.place(name)
	end := r.Host.Now().Add(maildirLimit)
	m := maildir{files: files, folder: folder, now: r.Host.Now, unique: r.Host.uniqueName, writer: r.Host.writer, inTime: func() error {
		if r.Host.Now().After(end) {
			return errTimeout
		}
		return nil
	}}
	err := m.deliver(func(w io.Writer) error {
		if _, err := io.WriteString(w, r.added.returnPath+r.added.deliveredTo); err != nil {
			return err
		}
		return r.copyTo(w)
	})
	return m.explain(err)
}

// maildir is a folder of messages, a file each.
type maildir struct {
	files  durable.FS
	folder string // its name, and a slash if that is not empty
	now    func() time.Time
	unique func() string // makes names that nobody has
	writer func(io.Writer) (out *bufio.Writer, giveBack func())
	inTime func() error
}

// deliver puts a file with what write writes into new. After
//
//   - create and write, tmp has a file that may be anything;
//   - sync, that file is whole;
//   - rename, new has it, and a reader may take it; a crash may undo the rename;
//   - sync of new, nothing can.
//
// Until then a failure takes the file away again. Where the maildir has a quota,
// a message that would exceed it fails, and others have ,S= and their size behind
// their names.
func (m maildir) deliver(write func(io.Writer) error) error {
	name, f, err := m.create()
	if err != nil {
		return err
	}
	tmp, final := m.folder+"tmp/"+name, m.folder+"new/"+name
	size, err := m.fill(f, write)
	var counted bool
	q := quota{m.files, m.root(), m.now, m.unique}
	if err == nil {
		counted, err = q.admit(size)
	}
	if err == nil {
		if counted {
			final += ",S=" + strconv.FormatInt(size, 10)
		}
		err = m.files.Rename(tmp, final)
	}
	if err != nil {
		m.files.Remove(tmp)
		return err
	}
	if err := m.files.SyncDir(m.folder + "new"); err != nil {
		m.files.Remove(final) // or the next attempt would add a copy
		return err
	}
	if counted {
		_ = q.add(usage{size, 1}) // the message is there; a file that lacks it is put right in time
	}
	return nil
}

// createTries is how often a new name is tried if one is taken, which never
// happens.
const createTries = 3

// create makes a file in tmp under a name that new and cur do not have either.
func (m maildir) create() (name string, f durable.File, err error) {
	for range createTries {
		name = m.unique()
		f, err = m.files.Create(m.folder+"tmp/"+name, 0o600)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return name, f, err
		}
	}
	return "", nil, err
}

// fill writes, syncs and closes the file, and returns its size.
func (m maildir) fill(f durable.File, write func(io.Writer) error) (size int64, err error) {
	out, giveBack := m.writer(f)
	defer giveBack()
	timed := &timedWriter{Writer: out, inTime: m.inTime}
	err = write(timed)
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr // NFS and quotas may tell only now
	}
	if err == nil {
		err = m.inTime()
	}
	return timed.size, err
}

// timedWriter stops writing when time is over, and counts the bytes.
type timedWriter struct {
	io.Writer
	inTime func() error
	size   int64
}

func (w *timedWriter) Write(p []byte) (int, error) {
	if err := w.inTime(); err != nil {
		return 0, err
	}
	n, err := w.Writer.Write(p)
	w.size += int64(n)
	return n, err
}

// explain turns an error of deliver into what users are told.
func (m maildir) explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := unreadable(err); ok {
		return fault.Soft("Unable to read message. (#4.3.0)", err)
	}
	if errors.Is(err, errFull) {
		return errFull
	}
	if errors.Is(err, errTimeout) {
		return fault.Soft("Timeout on maildir delivery. (#4.3.0)", err)
	}
	// Now that it has failed, see whether it is a folder one can be in at all.
	if _, cause := m.files.Stat(m.folder + "."); cause != nil && !syserr.Temporary(cause) {
		return fault.Soft("Unable to chdir to maildir. (#4.2.1)", cause)
	}
	return fault.Soft("Temporary error on maildir delivery. (#4.3.0)", err)
}

// uniqueName is a name that no other delivery makes, in this process or another,
// on this host or one that shares its disks, before or after a restart: the time
// in microseconds, the process, 64 random bits, and the host.
func (h *Host) uniqueName() string {
	now := h.Now()
	return strconv.FormatInt(now.Unix(), 10) +
		".M" + strconv.Itoa(now.Nanosecond()/1000) +
		"P" + strconv.Itoa(h.PID) +
		"R" + strconv.FormatUint(h.Random(), 16) +
		"." + hostPart(h.Name)
}

// maxHostPart keeps names short enough for every file system, flags and size
// that others add included.
const maxHostPart = 128

// hostPart is the host's name as maildir names have it: what is special in file
// names, in a reader's :2,flags or in ,S=size becomes \ and three octal digits.
func hostPart(host string) string {
	var b strings.Builder
	for i := 0; i < len(host) && b.Len() < maxHostPart-3; i++ {
		switch c := host[i]; {
		case c == '.', c == '-', c == '_', '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			b.WriteByte(c)
		default:
			b.Write([]byte{'\\', '0' + c>>6, '0' + c>>3&7, '0' + c&7})
		}
	}
	return b.String()
}
