// Package maildirs lists and tidies maildirs for the programs that read them;
// maildir(5) describes what is in one. What delivers to them is package local.
package maildirs

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"goqmail/internal/durable"
)

// Message is a file in new or cur.
type Message struct {
	Name string // below the maildir, as in new/1770000000.M65P42.host
	Size int64
	Time time.Time // when the file was last changed
}

// MaxMessages is how many messages Scan looks at. Of a maildir that has more it
// knows only some.
const MaxMessages = 1 << 20

// Scan returns the messages in these folders of a maildir, oldest first. Those that
// were changed in the second of now or later are left out: more may come in the
// same second, and would not find their place in the order. So are names that
// begin with a dot, and what is gone before it can be looked at.
func Scan(files durable.FS, now time.Time, folders ...string) ([]Message, error) {
	var found []Message
	for _, folder := range folders {
		err := files.Names(folder, func(name string) bool {
			if strings.HasPrefix(name, ".") {
				return true
			}
			name = folder + "/" + name
			if info, err := files.Stat(name); err == nil && info.ModTime().Unix() < now.Unix() {
				found = append(found, Message{name, info.Size(), info.ModTime()})
			}
			return len(found) < MaxMessages
		})
		if err != nil {
			return nil, &ScanError{folder, err}
		}
	}
	slices.SortFunc(found, func(a, b Message) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.base(), b.base()), cmp.Compare(a.Name, b.Name))
	})
	return found, nil
}

// base is the name within the folder. It begins with the time of delivery.
func (m Message) base() string { return m.Name[strings.LastIndexByte(m.Name, '/')+1:] }

// ScanError says which folder could not be read.
type ScanError struct {
	Folder string
	Err    error
}

func (e *ScanError) Error() string { return fmt.Sprintf("scan %s: %v", e.Folder, e.Err) }
func (e *ScanError) Unwrap() error { return e.Err }

// abandoned is how long a file in tmp may be left alone before whoever made it has
// given up, maildir(5).
const abandoned = 36 * time.Hour

// Clean removes abandoned files from tmp, as every reader of a maildir has to.
// What cannot be removed stays.
func Clean(files durable.FS, now time.Time) {
	var old []string
	files.Names("tmp", func(name string) bool {
		info, err := files.Stat("tmp/" + name)
		if err == nil && !strings.HasPrefix(name, ".") && now.Sub(lastUse(info)) > abandoned {
			old = append(old, "tmp/"+name)
		}
		return len(old) < MaxMessages
	})
	for _, name := range old {
		files.Remove(name)
	}
}

// lastUse is when a file was last read or written. Many file systems do not keep
// count of reading, so writing counts too.
func lastUse(info fs.FileInfo) time.Time {
	read, _ := durable.Accessed(info)
	if info.ModTime().After(read) {
		return info.ModTime()
	}
	return read
}
