package queue

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"goqmail/internal/durable"
)

// Age after which a file of a message that was never queued is garbage: more
// than the day that qmail-queue lives at most.
const Age = 36 * time.Hour

// Answers of qmail-clean.
const (
	CleanDone    = '+' // the files are gone
	CleanFailed  = '!' // one of them could not be removed
	CleanUnknown = 'x' // no such command
)

// maxCommand is the length of the longest command that qmail-clean looks at,
// with its NUL.
const maxCommand = 100

// pidEvery is after how many commands the folder pid is cleaned again.
const pidEvery = 30

// maxBatch is how many commands are carried out together.
const maxBatch = 64

// Clean does the work of qmail-clean(8): it reads commands, each ended by a NUL,
// and answers each with one byte. foop/N removes what is left of message N when
// it is done, intd and mess; todo/N removes intd and todo when N is preprocessed;
// done/N removes all three of a message that has ended, so that a crash cannot bring
// back an envelope for the next message of that number, or keeps the files for that
// one. Commands that came together share the sync that this takes.
//
// Before it begins, and now and then, it removes old files in pid. It returns
// when the commands end, with nil, or when they cannot be read or answered. The
// commands are carried out by within, if it is not nil, and have failed if that is false.
func (q *Queue) Clean(commands io.Reader, answers io.Writer, now func() time.Time, within func(do func()) bool) error {
	if within == nil {
		within = func(do func()) bool {
			do()
			return true
		}
	}
	in := bufio.NewReader(commands)
	c := &cleaning{q: q, keeper: keeper{q: q}}
	for i := 0; ; i++ {
		if i%pidEvery == 0 {
			q.cleanPid(now())
		}
		batch, err := readBatch(in)
		done := bytes.Repeat([]byte{CleanFailed}, len(batch))
		if len(batch) > 0 {
			within(func() { done = c.obey(batch) })
			if _, err := answers.Write(done); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readBatch waits for a command and returns it with those that came with it.
func readBatch(in *bufio.Reader) ([]string, error) {
	var batch []string
	for {
		command, err := readCommand(in)
		if err != nil {
			return batch, err
		}
		batch = append(batch, command)
		if waiting, _ := in.Peek(in.Buffered()); len(batch) == maxBatch || !slices.Contains(waiting, 0) {
			return batch, nil
		}
	}
}

// readCommand returns a command without its NUL. Of one that is too long only
// the beginning is kept, which is no command either.
func readCommand(in *bufio.Reader) (string, error) {
	var command []byte
	for {
		c, err := in.ReadByte()
		if err != nil {
			return "", err
		}
		if c == 0 {
			return string(command), nil
		}
		if len(command) < maxCommand {
			command = append(command, c)
		}
	}
}

// cleaning carries out commands.
type cleaning struct {
	q      *Queue
	keeper keeper
}

// obey returns an answer for each command. Of messages that have ended all lose their
// envelopes, then that is synced, and then all lose the rest.
func (c *cleaning) obey(commands []string) []byte {
	answers := make([]byte, len(commands))
	var ended []Number
	var places []int
	for i, command := range commands {
		verb, number, _ := strings.Cut(command, "/")
		n, ok := ParseNumber(number)
		switch {
		case !ok || len(command) >= maxCommand:
			answers[i] = CleanUnknown
		case verb == "foop":
			answers[i] = answer(c.q.removeAll(n, Intd, Mess))
		case verb == "todo":
			answers[i] = answer(c.q.removeAll(n, Intd, Todo))
		case verb != "done":
			answers[i] = CleanUnknown
		default:
			if answers[i] = answer(c.q.withdraw(n)); answers[i] == CleanDone {
				ended, places = append(ended, n), append(places, i)
			}
		}
	}
	synced := c.q.syncTodo(ended)
	for i, n := range ended {
		err := synced
		if err == nil {
			err = errors.Join(
				c.keeper.keep(c.q.Name(Intd, n), spareTodo),
				c.keeper.keep(c.q.Name(Mess, n), spareMess))
		}
		answers[places[i]] = answer(err)
	}
	return answers
}

func answer(err error) byte {
	if err != nil {
		return CleanFailed
	}
	return CleanDone
}

// withdraw takes a message out of todo. What is left of it, in mess and intd, is what
// a message has that is being written.
func (q *Queue) withdraw(n Number) error {
	intd, err := q.Has(Intd, n)
	if err == nil && !intd {
		err = q.FS.Rename(q.Name(Todo, n), q.Name(Intd, n))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	if err != nil || intd {
		return q.Remove(Todo, n)
	}
	return nil
}

// syncTodo syncs the folders that have lost the envelopes of messages.
func (q *Queue) syncTodo(numbers []Number) error {
	folders := map[string]bool{}
	for _, n := range numbers {
		folders[q.Folder(Todo, n)] = true
	}
	var steps []func() error
	for folder := range folders {
		steps = append(steps, func() error { return q.FS.SyncDir(folder) })
	}
	return durable.Together(steps...)
}

func (q *Queue) removeAll(n Number, kinds ...Kind) error {
	for _, kind := range kinds {
		if err := q.Remove(kind, n); err != nil {
			return err
		}
	}
	return nil
}

// cleanPid removes what a crashed qmail-queue left in pid.
func (q *Queue) cleanPid(now time.Time) {
	q.FS.Names("pid", func(name string) bool {
		name = "pid/" + name
		if st, err := q.FS.Stat(name); err == nil && IsOld(st, now) {
			q.FS.Remove(name)
		}
		return true
	})
}

// IsOld reports whether a file was last read longer than [Age] ago. The time of
// reading counts, as in qmail: it is the file's birth where nobody reads it, and
// backups that do read it only make the garbage live longer.
func IsOld(st fs.FileInfo, now time.Time) bool {
	read, ok := durable.Accessed(st)
	return ok && now.Sub(read) >= Age
}
