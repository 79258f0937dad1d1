package queue

import (
	"bufio"
	"io"
	"io/fs"
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

// Clean does the work of qmail-clean(8): it reads commands, each ended by a NUL,
// and answers each with one byte. foop/N removes what is left of message N when
// it is done, intd and mess; todo/N removes intd and todo when N is preprocessed.
// Before it begins, and now and then, it removes old files in pid. It returns
// when the commands end, with nil, or when they cannot be read or answered.
func (q *Queue) Clean(commands io.Reader, answers io.Writer, now func() time.Time) error {
	in := bufio.NewReader(commands)
	for i := 0; ; i++ {
		if i%pidEvery == 0 {
			q.cleanPid(now())
		}
		command, err := readCommand(in)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := answers.Write([]byte{q.obey(command)}); err != nil {
			return err
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

func (q *Queue) obey(command string) byte {
	verb, number, _ := strings.Cut(command, "/")
	n, ok := ParseNumber(number)
	if !ok || len(command) >= maxCommand {
		return CleanUnknown
	}
	switch verb {
	case "foop":
		return q.removeAll(n, Intd, Mess)
	case "todo":
		return q.removeAll(n, Intd, Todo)
	}
	return CleanUnknown
}

func (q *Queue) removeAll(n Number, kinds ...Kind) byte {
	for _, kind := range kinds {
		if q.Remove(kind, n) != nil {
			return CleanFailed
		}
	}
	return CleanDone
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
