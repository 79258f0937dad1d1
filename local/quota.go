package local

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"goqmail/internal/durable"
	"goqmail/internal/fault"
)

// errFull is what those say who made Maildir++ quotas known to qmail.
var errFull = fault.Hard("Recipient's mailbox is full, message returned to sender. (#5.2.2)")

// Rules of Maildir++ for the file maildirsize.
const (
	sizesFile = "maildirsize"
	// maxSizes is the length in bytes from which on the file is counted anew.
	maxSizes = 5120
	// staleSizes is the age from which on a file that says "full" is not believed.
	staleSizes = 15 * time.Minute
)

// usage counts what is in a maildir, or may be.
type usage struct{ bytes, messages int64 }

func (u usage) plus(v usage) usage { return usage{u.bytes + v.bytes, u.messages + v.messages} }

// line is how a usage stands in maildirsize.
func (u usage) line() string {
	return strconv.FormatInt(u.bytes, 10) + " " + strconv.FormatInt(u.messages, 10) + "\n"
}

// quota is the Maildir++ quota of a maildir.
type quota struct {
	files  durable.FS
	folder string // the maildir that the quota is for, with a slash at its end
	now    func() time.Time
	unique func() string
}

// root is the folder of a maildir that the quota is for: a folder of mail below a
// maildir, .Name with a file maildirfolder in it, shares that of the maildir.
func (m maildir) root() string {
	path := strings.TrimRight(m.folder, "/")
	name := path[strings.LastIndexByte(path, '/')+1:]
	if len(name) < 2 || name[0] != '.' || name == ".." {
		return m.folder
	}
	if _, err := m.files.Stat(m.folder + "maildirfolder"); err != nil {
		return m.folder
	}
	return m.folder + "../"
}

// admit decides whether a message of so many bytes may come into the maildir. It
// is counted, and its name is to tell its size, if counted is set; otherwise there
// is no quota. An error is errFull, or trouble with the file.
func (q quota) admit(size int64) (counted bool, err error) {
	text, age, err := q.read()
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	message := usage{size, 1}
	s := parseSizes(text)
	if s.valid && s.limit.allows(s.used.plus(message)) {
		return true, nil
	}
	if s.valid && s.lines == 1 && age < staleSizes {
		return false, errFull
	}
	if s.used, err = q.recount(s.definition); err != nil {
		return false, err
	}
	if !s.limit.allows(s.used.plus(message)) {
		return false, errFull
	}
	return true, nil
}

// read returns the file and its age. Of a long one only the beginning is read,
// and what was read counts as long.
func (q quota) read() (text string, age time.Duration, err error) {
	f, err := q.files.Open(q.folder+sizesFile, os.O_RDONLY, 0)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	if !info.Mode().IsRegular() {
		return "", 0, &fs.PathError{Op: "read", Path: sizesFile, Err: syscall.EINVAL}
	}
	b, err := io.ReadAll(io.LimitReader(io.NewSectionReader(f, 0, maxSizes+1), maxSizes+1))
	return string(b), q.now().Sub(info.ModTime()), err
}

// add counts what came into the maildir. The file is opened anew, since another
// delivery may have put a new one in its place that was counted before this
// message came. An append of one line is not torn; one that is lost does not
// matter for long, as the file is counted anew when it has grown.
func (q quota) add(u usage) error {
	f, err := q.files.Open(q.folder+sizesFile, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, u.line())
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// recountTries is how often a maildir is counted if it changes meanwhile.
const recountTries = 3

// recount counts the messages and puts a new file in place of the old one. A
// maildir that keeps changing may have been counted wrong: then the next message
// that does not fit has it counted again.
func (q quota) recount(definition string) (usage, error) {
	for try := 1; ; try++ {
		folders, err := q.mailFolders()
		if err != nil {
			return usage{}, err
		}
		before := q.lastChange(folders)
		used, err := q.count(folders)
		if err != nil {
			return usage{}, err
		}
		if err := q.replace(definition + "\n" + used.line()); err != nil {
			return usage{}, err
		}
		if try == recountTries || q.lastChange(folders).Equal(before) {
			return used, nil
		}
	}
}

// mailFolders returns the names of new and cur of the maildir and of the folders
// below it but for the trash.
func (q quota) mailFolders() ([]string, error) {
	list := []string{q.folder + "new", q.folder + "cur"}
	err := q.files.Names(q.folder+".", func(name string) bool {
		if len(name) > 1 && name[0] == '.' && name != ".." && name != ".Trash" {
			list = append(list, q.folder+name+"/new", q.folder+name+"/cur")
		}
		return true
	})
	return list, err
}

// lastChange is when a message last came or went.
func (q quota) lastChange(folders []string) (last time.Time) {
	for _, folder := range folders {
		if st, err := q.files.Stat(folder); err == nil && st.ModTime().After(last) {
			last = st.ModTime()
		}
	}
	return last
}

func (q quota) count(folders []string) (used usage, err error) {
	for _, folder := range folders {
		inCur := strings.HasSuffix(folder, "/cur")
		missing := q.files.Names(folder, func(name string) bool {
			var size int64
			if name[0] == '.' || inCur && trashed(name) {
				return true
			}
			if size, err = q.size(folder, name); err == nil && size >= 0 {
				used = used.plus(usage{size, 1})
			}
			return err == nil
		})
		if missing != nil && !errors.Is(missing, fs.ErrNotExist) && !errors.Is(missing, syscall.ENOTDIR) {
			return usage{}, missing
		}
		if err != nil {
			return usage{}, err
		}
	}
	return used, nil
}

// size is that of a message, by its name or by its file; -1 if it is gone.
func (q quota) size(folder, name string) (int64, error) {
	if size, ok := sizeInName(name); ok {
		return size, nil
	}
	st, err := q.files.Stat(folder + "/" + name)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// replace puts a new file in place of the old one. It is not synced: whoever finds
// it torn counts anew.
func (q quota) replace(text string) error {
	tmp := q.folder + "tmp/" + sizesFile + "." + q.unique()
	f, err := q.files.Create(tmp, 0o600)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = q.files.Rename(tmp, q.folder+sizesFile)
	}
	if err != nil {
		q.files.Remove(tmp)
	}
	return err
}
