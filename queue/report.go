package queue

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"goqmail/internal/durable"
)

// SendFolder is a folder below the queue for what qmail-send keeps beside the
// messages: its socket and the last reports. Only qmail-send's user may look into
// it. Other qmails do not, and a queue without it works.
const SendFolder = "lock/send"

// The folders of the last reports of recipients that are to be tried again, by the
// folder that the recipients are in. They are split as that is.
const (
	LocalReports  Kind = SendFolder + "/local"
	RemoteReports Kind = SendFolder + "/remote"
)

// ReportsOf is the folder of the reports about recipients in [Local] or [Remote].
func ReportsOf(kind Kind) Kind { return SendFolder + "/" + kind }

// MakeSendFolder makes [SendFolder] in the folder of a queue, as far as it is not
// there, for the user whose lock/sendmutex is, who is qmail-send's.
func MakeSendFolder(folder string) error {
	st, err := os.Stat(filepath.Join(folder, mutexFile))
	if err != nil {
		return err
	}
	q, err := Open(durable.NewDir(folder))
	if err != nil {
		return err
	}
	names := []string{SendFolder, string(LocalReports), string(RemoteReports)}
	for _, kind := range []Kind{LocalReports, RemoteReports} {
		names = append(names, q.Folders(kind)...)
	}
	for _, name := range names {
		if err := mkdirAs(filepath.Join(folder, name), st); err != nil {
			return err
		}
	}
	return nil
}

// mkdirAs makes a folder that belongs to the owner of a file, if that can be done.
func mkdirAs(name string, owner fs.FileInfo) error {
	err := os.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	sys, ok := owner.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Lchown(name, int(sys.Uid), int(sys.Gid))
}

// Bounds of the reports that are kept.
const (
	MaxReport  = 500  // bytes of a report
	MaxReports = 1000 // recipients of a message in a channel
)

// Reports are the last reports of recipients, by the places of their records.
type Reports map[int64]string

// Keep takes a report in, unless there are too many.
func (r Reports) Keep(place int64, text string) {
	if _, ok := r[place]; !ok && len(r) >= MaxReports {
		return
	}
	text = text[:min(len(text), MaxReport)]
	r[place] = strings.ReplaceAll(text, "\x00", "_")
}

// ReadReports returns the reports about a message's recipients in [Local] or
// [Remote]. They are good to know, no more: nothing in the file is an error.
func (q *Queue) ReadReports(kind Kind, n Number) Reports {
	f, err := q.FS.Open(q.Name(ReportsOf(kind), n), os.O_RDONLY, 0)
	if err != nil {
		return Reports{}
	}
	defer f.Close()
	return parseReports(f)
}

func parseReports(f io.Reader) Reports {
	all := Reports{}
	r := records{in: bufio.NewReader(io.LimitReader(f, MaxReports*(MaxReport+25)))}
	for {
		letter, value, _, err := r.read()
		if err != nil {
			return all
		}
		place, text, ok := strings.Cut(value, " ")
		if at, err := strconv.ParseInt(place, 10, 64); ok && err == nil && at >= 0 && letter == 'R' {
			all.Keep(at, text)
		}
	}
}

func (r Reports) places() []int64 { return slices.Sorted(maps.Keys(r)) }

// bytes is the file of the reports, in the order of the places.
func (r Reports) bytes() []byte {
	var b []byte
	for _, place := range r.places() {
		b = fmt.Appendf(b, "R%d %s\x00", place, r[place])
	}
	return b
}

// MergeReports adds newer reports to those of a message. If they say nothing new
// the file stays as it is. It is not synced, and nothing is lost by an error.
func (q *Queue) MergeReports(kind Kind, n Number, newer Reports) error {
	f, err := q.FS.Open(q.Name(ReportsOf(kind), n), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	old, err := io.ReadAll(io.LimitReader(f, MaxReports*(MaxReport+25)))
	if err != nil {
		return errors.Join(err, f.Close())
	}
	all := parseReports(bytes.NewReader(old))
	for _, place := range newer.places() {
		all.Keep(place, newer[place])
	}
	data := all.bytes()
	if !bytes.Equal(data, old) {
		// Cut after writing: a file that is emptied first is taken for one that has
		// to last, and written to the disk at once (ext4(5), auto_da_alloc).
		if _, err = f.WriteAt(data, 0); err == nil {
			err = f.Truncate(int64(len(data)))
		}
	}
	return errors.Join(err, f.Close())
}
