package local

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"goqmail/internal/durable"
	"goqmail/internal/fault"
	"goqmail/internal/maildirs"
	"goqmail/internal/syserr"
)

// ToMbox moves the mail of a maildir into an mbox, for programs that know no
// maildir.
//
// The mbox is locked and written anew under another name. After
//
//   - the new file is synced, it is whole and nobody knows of it;
//   - it is renamed, readers find all mail in it; a crash may undo that;
//   - the folder is synced, nothing can, and the messages are removed.
//
// So a message may, after a crash, be in both; it is never in neither.
type ToMbox struct {
	Host *Host
	// Files is the maildir; the names below are as it takes them.
	Files     durable.FS
	Mbox      string
	Temporary string // where the new mbox is written, on the same file system
	// Warn is told of messages that are in the mbox and cannot be removed.
	Warn func(text string)
}

// Move moves all mail that is older than this second. Errors are of type
// [fault.Error]; then the mbox and the maildir are as they were, but for an empty
// mbox where there was none.
func (t *ToMbox) Move() error {
	maildirs.Clean(t.Files, t.Host.Now())
	mail, err := t.scan()
	if err != nil || len(mail) == 0 {
		return err
	}
	m := mbox{host: t.Host, files: t.Files, path: t.Mbox, name: t.Mbox, dotLock: wantsDotLock(t.Mbox)}
	f, err := m.open()
	if err != nil {
		return unable("lock "+t.Mbox, lockCause(err))
	}
	defer f.unlock()
	// Another one of us may have moved it while we waited.
	if mail, err = t.scan(); err != nil || len(mail) == 0 {
		return err
	}
	out, mail, err := t.rewrite(f, mail)
	if err != nil {
		return err
	}
	// The new mbox is locked until then: another one of us must not find the mail
	// in both places.
	defer out.Close()
	for _, m := range mail {
		if err := t.Files.Remove(m.Name); err != nil {
			t.Warn("$MAILDIR/" + m.Name + " will be delivered twice; unable to unlink: " + syserr.Text(err))
		}
	}
	return nil
}

func (t *ToMbox) scan() ([]maildirs.Message, error) {
	mail, err := maildirs.Scan(t.Files, t.Host.Now(), "new", "cur")
	var bad *maildirs.ScanError
	if errors.As(err, &bad) {
		return nil, unable("scan $MAILDIR/"+bad.Folder, err)
	}
	return mail, err
}

func unable(to string, cause error) error {
	return fault.Soft("unable to "+to+": "+syserr.Text(cause), cause)
}

// lockCause is what kept us from opening or locking the mbox.
func lockCause(err error) error {
	if cause := errors.Unwrap(err); cause != nil {
		return cause
	}
	return syscall.EAGAIN // somebody else has had it all the time
}

// rewrite puts a new mbox with this mail, too, in the place of the locked one, and
// returns it, open and locked, and what is in it.
func (t *ToMbox) rewrite(f *openMbox, mail []maildirs.Message) (out durable.File, moved []maildirs.Message, err error) {
	out, err = t.create(f)
	if err != nil {
		return nil, nil, unable("create "+t.Temporary, err)
	}
	if moved, err = t.replace(out, f, mail); err != nil {
		out.Close()
		return nil, nil, err
	}
	return out, moved, nil
}

// replace fills the new mbox and gives it the name of the old one.
func (t *ToMbox) replace(out durable.File, f *openMbox, mail []maildirs.Message) ([]maildirs.Message, error) {
	err := t.Host.lock(out)
	if err != nil {
		err = unable("lock "+t.Temporary, err)
	} else {
		mail, err = t.fill(out, f, mail)
	}
	if err == nil {
		if err = t.Files.Rename(t.Temporary, t.Mbox); err != nil {
			err = unable("move "+t.Temporary+" to "+t.Mbox, err)
		}
	}
	if err != nil {
		t.Files.Remove(t.Temporary)
		return nil, err
	}
	err = t.Files.SyncDir(filepath.Dir(t.Mbox))
	if err != nil && !errors.Is(err, fs.ErrPermission) { // see openMbox.syncFolder
		return nil, unable("move "+t.Temporary+" to "+t.Mbox, err)
	}
	return mail, nil
}

// create makes the new file in place of one that is left from another time.
func (t *ToMbox) create(f *openMbox) (durable.File, error) {
	switch info, err := t.Files.Stat(t.Temporary); {
	case err != nil:
	case info.IsDir():
		return nil, syscall.EISDIR
	case !info.Mode().IsRegular():
		return nil, errNoFile
	case (mbox{files: t.Files, path: t.Temporary}).still(f.before):
		return nil, syscall.EEXIST // it is the mbox itself
	}
	if err := t.Files.Remove(t.Temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return t.Files.Create(t.Temporary, 0o600)
}

// fill writes and syncs the new file: what the mbox has, and the mail.
func (t *ToMbox) fill(file durable.File, f *openMbox, mail []maildirs.Message) (moved []maildirs.Message, err error) {
	out := bufio.NewWriterSize(file, bufferSize)
	if err := t.copyOld(out, f); err != nil {
		return nil, err
	}
	for _, m := range mail {
		switch err := t.copyMessage(out, m); {
		case err == nil:
			moved = append(moved, m)
		case !errors.Is(err, fs.ErrNotExist): // a reader has taken it elsewhere
			return nil, err
		}
	}
	if err = out.Flush(); err == nil {
		err = file.Sync()
	}
	if err != nil {
		return nil, unable("write to "+t.Temporary, err)
	}
	return moved, nil
}

// copyOld copies the mbox, and ends its last message if that has no end.
func (t *ToMbox) copyOld(out io.Writer, f *openMbox) error {
	if !f.before.Mode().IsRegular() {
		return unable("read "+t.Mbox, errNoFile)
	}
	separator, err := f.separator()
	if err == nil && f.reader == nil {
		// It is kept open for the reason given there.
		f.reader, err = t.Files.Open(t.Mbox, os.O_RDONLY, 0)
	}
	if err != nil {
		return unable("read "+t.Mbox, err)
	}
	_, err = io.Copy(out, source{f.reader})
	if err == nil {
		_, err = io.WriteString(out, separator)
	}
	return t.copyError(t.Mbox, err)
}

// copyMessage writes a message as it is in an mbox.
func (t *ToMbox) copyMessage(out io.Writer, m maildirs.Message) error {
	name := "$MAILDIR/" + m.Name
	f, err := t.Files.Open(m.Name, os.O_RDONLY, 0)
	if err != nil {
		return unable("read "+name, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		if err == nil && info.IsDir() {
			err = syscall.EISDIR
		} else if err == nil {
			err = errNoFile
		}
		return unable("read "+name, err)
	}
	in := bufio.NewReaderSize(source{f}, bufferSize)
	first, err := in.ReadSlice('\n')
	if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
		return t.copyError(name, err)
	}
	io.WriteString(out, fromLine(senderOf(first), m.Time))
	q := fromQuoter{w: out}
	q.Write(first)
	if _, err = io.Copy(&q, in); err == nil {
		err = q.finish()
	}
	return t.copyError(name, err)
}

// copyError tells trouble with what is read from trouble with what is written.
func (t *ToMbox) copyError(from string, err error) error {
	var unread *readError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unread):
		return unable("read "+from, err)
	}
	return unable("write to "+t.Temporary, err)
}

// source marks the errors of a reader as such.
type source struct{ r io.Reader }

func (s source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		err = &readError{err}
	}
	return n, err
}

// senderOf is the envelope sender that the first line of a message tells, in the
// form that it has there; XXX if it tells none.
func senderOf(line []byte) string {
	rest, ok := bytes.CutPrefix(line, []byte("Return-Path: <"))
	if !ok {
		return "XXX"
	}
	rest = bytes.TrimRight(rest, "\r\n")
	if bytes.HasPrefix(rest, []byte(">")) {
		return ""
	}
	return strings.TrimSuffix(string(rest), ">")
}
