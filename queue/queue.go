// Package queue is the queue on disk: its names and states, how a message gets in
// (qmail-queue), how its files are read and marked (qmail-send), and how they are
// taken away (qmail-clean). It decides nothing about mail.
//
// # File format
//
// The queue is a folder. A message is a number, in decimal, and files that are
// called by it:
//
//	mess/S/N    the message, beginning with the Received line of qmail-queue
//	intd/N      the envelope while it is being written
//	todo/N      the envelope, for qmail-send to preprocess: another name of intd/N
//	info/S/N    F, the envelope sender, NUL; its mtime is the message's birth
//	local/S/N   recipients to be delivered here
//	remote/S/N  recipients elsewhere
//	bounce/N    what qmail-send has to tell the sender
//	pid/...     a message that has no number yet, or a file that may be used again
//
// S is N modulo the split: how many folders mess is split into, 23 unless
// somebody chose otherwise. It is read from the queue itself ([Open]), and so is
// whether todo and intd are split too, as the patch big-todo does.
//
// An envelope (todo, intd) is a sequence of records, each a letter, a value and a
// NUL: u the user id and p the process id that queued it, F the envelope sender,
// and a T for each recipient. For example, with · for NUL:
//
//	u1000·p4711·Fann@example.org·Tjoe@example.org·Teve@example.net·
//
// local and remote hold records of T, to do, and D, done, at fixed places: a T is
// overwritten by a D. A record without its NUL at the end of a file is not there.
// The mtime of the file is when those to do are tried next; if it is more than a
// year away the message is held ([IsHeld]). The owner may execute an info whose
// sender was warned of a delay, which no other qmail looks at.
//
// Beside these, qmail-send keeps in a folder of its own, which no other qmail looks
// into:
//
//	lock/send/command      socket for qmail-queuectl
//	lock/send/local/S/N    last reports about the recipients in local/S/N
//	lock/send/remote/S/N   the same for remote/S/N
//
// A report is a record R, with the place of the recipient's record in decimal, a
// blank, and the report; for example, for the first recipient and the one at 17:
//
//	R0 CNAME lookup failed temporarily. (#4.4.3)⏎·R17 Connected to 192.0.2.1 but greeting failed.⏎·
//
// A file has up to 1,000 of them, of 500 bytes each. They are not synced, and what
// cannot be read is not there.
//
// # States
//
// A message is in one of five states, told by the files that exist; the marks
// say whether a file is there (+), not there (-) or may be (?):
//
//	S1  -mess -intd -todo -info -local -remote -bounce
//	S2  +mess -intd -todo -info -local -remote -bounce
//	S3  +mess +intd -todo -info -local -remote -bounce
//	S4  +mess ?intd +todo ?info ?local ?remote -bounce   queued
//	S5  +mess -intd -todo +info ?local ?remote ?bounce   preprocessed
//
// A message in S2 or S3 is being written, or garbage after a crash, and not
// accepted; it goes when it is old (qmail-clean). A message that has ended may be in
// S3, too, for a moment. The link from intd to todo, or the new name, is what queues a
// message; before it the message and the envelope are synced, after it the folder
// todo, and only then does qmail-queue say yes. The files of S5 are
// synced, and their folders, before todo/N goes. Before mess/N goes, and its
// number may be used again, the removals of info/S/N and todo/N are synced.
//
// N is the inode number of mess/S/N when it was made, so that no two messages
// take the same, but nothing relies on that afterwards: a queue that was copied
// or restored works, and a number that is in use is passed over.
package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"goqmail/internal/durable"
)

// Number names a message.
type Number uint64

func (n Number) String() string { return strconv.FormatUint(uint64(n), 10) }

// Kind is a folder of the queue.
type Kind string

// The folders that hold a file for each message.
const (
	Mess   Kind = "mess"
	Intd   Kind = "intd"
	Todo   Kind = "todo"
	Info   Kind = "info"
	Local  Kind = "local"
	Remote Kind = "remote"
	Bounce Kind = "bounce"
)

// DefaultSplit is the number of folders that a new queue's mess is split into.
const DefaultSplit = 23

// Queue is a queue on disk.
type Queue struct {
	FS durable.FS

	split                uint64
	splitTodo, splitIntd bool
}

// Open finds out how the queue in the folder fsys is laid out.
func Open(fsys durable.FS) (*Queue, error) {
	split, err := countSplit(fsys)
	if err != nil {
		return nil, err
	}
	return &Queue{
		FS:        fsys,
		split:     split,
		splitTodo: exists(fsys, "todo/0"),
		splitIntd: exists(fsys, "intd/0"),
	}, nil
}

// countSplit counts the folders 0, 1, 2 and so on below mess.
func countSplit(fsys durable.FS) (uint64, error) {
	have := map[uint64]bool{}
	err := fsys.Names(string(Mess), func(name string) bool {
		if n, ok := ParseNumber(name); ok {
			have[uint64(n)] = true
		}
		return true
	})
	if err != nil {
		return 0, err
	}
	var split uint64
	for have[split] {
		split++
	}
	if split == 0 {
		return 0, fmt.Errorf("queue folder mess has no folder 0: %w", fs.ErrNotExist)
	}
	return split, nil
}

func exists(fsys durable.FS, name string) bool {
	st, err := fsys.Stat(name)
	return err == nil && st.IsDir()
}

// Split is the number of folders that mess, info, local and remote are split into.
func (q *Queue) Split() int { return int(q.split) }

// ParseNumber reads a file name that is a message number and nothing else.
func ParseNumber(name string) (Number, bool) {
	if name == "" || name[0] < '0' || name[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseUint(name, 10, 64)
	return Number(n), err == nil
}

// Folder is the folder that holds a message's file of that kind.
func (q *Queue) Folder(kind Kind, n Number) string {
	if !q.isSplit(kind) {
		return string(kind)
	}
	return string(kind) + "/" + strconv.FormatUint(uint64(n)%q.split, 10)
}

// Name is the path of a message's file of that kind, below the queue.
func (q *Queue) Name(kind Kind, n Number) string {
	return q.Folder(kind, n) + "/" + n.String()
}

// SplitName is the path by which the spawners know a message: below mess.
func (q *Queue) SplitName(n Number) string {
	return q.Name(Mess, n)[len(Mess)+1:]
}

func (q *Queue) isSplit(kind Kind) bool {
	switch kind {
	case Todo:
		return q.splitTodo
	case Intd:
		return q.splitIntd
	case Bounce:
		return false
	}
	return true
}

// Folders are all the folders that files of that kind may be in.
func (q *Queue) Folders(kind Kind) []string {
	if !q.isSplit(kind) {
		return []string{string(kind)}
	}
	folders := make([]string, q.split)
	for i := range folders {
		folders[i] = q.Folder(kind, Number(i))
	}
	return folders
}

// Has reports whether a message has a file of that kind.
func (q *Queue) Has(kind Kind, n Number) (bool, error) {
	_, err := q.FS.Stat(q.Name(kind, n))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// HasNone reports whether it is certain that a message has no file of these kinds. They
// are looked for in their order.
func (q *Queue) HasNone(n Number, kinds ...Kind) bool {
	for _, kind := range kinds {
		if has, err := q.Has(kind, n); has || err != nil {
			return false
		}
	}
	return true
}

// Remove takes away a message's file of that kind, if there is one. It is not synced.
func (q *Queue) Remove(kind Kind, n Number) error {
	err := q.FS.Remove(q.Name(kind, n))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// SyncFolders makes the present entries of the folders of a message's files of
// those kinds durable.
func (q *Queue) SyncFolders(n Number, kinds ...Kind) error {
	steps := make([]func() error, len(kinds))
	for i, kind := range kinds {
		folder := q.Folder(kind, n)
		steps[i] = func() error { return q.FS.SyncDir(folder) }
	}
	return durable.Together(steps...)
}
