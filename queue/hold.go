package queue

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// A held message is one whose recipient files have a time far in the future, so
// that every qmail-send leaves it alone, ours and others, after a restart or a
// restore too. There is no other mark. Next tries that qmail-send computes are
// weeks away at the most: holdSure tells the two apart.
const holdSure = 366 * 24 * time.Hour

// HoldTime is the time that the recipient files of a held message get.
func HoldTime(now time.Time) time.Time {
	until := time.Unix(1<<31-1, 0) // January 2038, the latest that every file system and qmail can tell
	if until.Sub(now) > 2*holdSure {
		return until
	}
	return now.Add(50 * holdSure)
}

// IsHeld reports whether a recipient file with that time is held.
func IsHeld(due, now time.Time) bool { return due.Sub(now) > holdSure }

// SetDue writes down when the recipients in a file of kind [Local] or [Remote] are
// tried next, and syncs it. It does nothing if there is no such file.
func (q *Queue) SetDue(kind Kind, n Number, due time.Time) error {
	name := q.Name(kind, n)
	err := q.FS.Chtimes(name, due, due)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f, err := q.FS.Open(name, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
