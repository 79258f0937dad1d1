package queue

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"goqmail/internal/durable"
)

// A file system passes over inodes that were freed a short time ago, which makes
// new files slow in a queue that removes as many. So the files of messages that have
// ended may be kept in pid, under these names, and used for others; a message file
// keeps its inode, and with it its number. Behind the dot is the inode number.
const (
	spareMess = "pid/mess."
	spareTodo = "pid/todo."
)

const (
	// maxSpares is how many files of each kind are kept.
	maxSpares = 256
	// sparePerm is what may be done with a file that is used again: by the programs of
	// the system, no more.
	sparePerm = 0o640
	// maxSpareSize is the size in bytes of the largest file that is kept.
	maxSpareSize = 64 << 10
	// pauseAfterLook is how long pid is not looked into again in which none was spare,
	// or one that cannot be used.
	pauseAfterLook = 10 * time.Millisecond
	// pauseWhenFull is how many files are removed until they are counted again, when
	// there was place for no more than fewSpares.
	pauseWhenFull = 64
	fewSpares     = 16
)

// Spares are the files in pid that new messages may use. There is one user of them
// at a time, or two while one takes the other's place.
type Spares struct {
	q *Queue

	mu         sync.Mutex
	mess, todo []string
	notBefore  time.Time // when to look again

	buffers sync.Pool // of *[]byte with copySize bytes
}

// NewSpares returns the spares of a queue.
func NewSpares(q *Queue) *Spares { return &Spares{q: q} }

// Submit is [Queue.Submit] for a process that takes many messages.
func (s *Spares) Submit(message, envelope io.Reader, who Origin) (Number, error) {
	return (&submission{q: s.q, who: who, spares: s}).submit(message, envelope)
}

// Drop removes the files: they hold what was in messages, and are of no use while
// no mail comes.
func (s *Spares) Drop() {
	s.q.FS.Names("pid", func(name string) bool {
		if isSpare("pid/" + name) {
			s.q.FS.Remove("pid/" + name)
		}
		return true
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mess, s.todo = nil, nil
}

func isSpare(name string) bool {
	return strings.HasPrefix(name, spareMess) || strings.HasPrefix(name, spareTodo)
}

// next returns the name of a spare file, or "" if there is none.
func (s *Spares) next(prefix string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := &s.todo
	if prefix == spareMess {
		list = &s.mess
	}
	if len(*list) == 0 {
		now := time.Now()
		if now.Before(s.notBefore) {
			return ""
		}
		s.look()
		if len(*list) == 0 {
			s.notBefore = now.Add(pauseAfterLook)
			return ""
		}
	}
	last := len(*list) - 1
	name := (*list)[last]
	*list = (*list)[:last]
	return name
}

// look lists what there is.
func (s *Spares) look() {
	s.mess, s.todo = s.mess[:0], s.todo[:0]
	s.q.FS.Names("pid", func(name string) bool {
		switch name = "pid/" + name; {
		case strings.HasPrefix(name, spareMess):
			s.mess = append(s.mess, name)
		case strings.HasPrefix(name, spareTodo):
			s.todo = append(s.todo, name)
		}
		return true
	})
}

// takeMess gives a spare file its name in mess again, and opens it. It is nil if
// there is none, or the first one cannot be used.
func (s *Spares) takeMess() (durable.File, Number) {
	name := s.next(spareMess)
	n, ok := ParseNumber(strings.TrimPrefix(name, spareMess))
	if name == "" || !ok {
		return nil, 0
	}
	// An envelope that a restore has brought back must not find another message.
	if !s.q.HasNone(n, Mess, Todo, Intd) {
		s.wait()
		return nil, 0
	}
	return s.take(name, s.q.Name(Mess, n), durable.Blank), n
}

// takeTodo gives a spare file the name of a message's envelope in intd, and opens
// it. It is nil if there is none, or the first one cannot be used. It need not be blank:
// no user's program ever has an envelope.
func (s *Spares) takeTodo(n Number) durable.File {
	name := s.next(spareTodo)
	if name == "" {
		return nil
	}
	return s.take(name, s.q.Name(Intd, n), func(durable.File) error { return nil })
}

// wait has pid not looked into for a while: something is wrong there.
func (s *Spares) wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notBefore = time.Now().Add(pauseAfterLook)
}

// take renames a spare file, which is then nobody else's, opens it and prepares it. One
// that cannot be used is removed.
func (s *Spares) take(from, to string, prepare func(durable.File) error) durable.File {
	if s.q.FS.Rename(from, to) != nil {
		s.wait()
		return nil
	}
	f, err := s.q.FS.Open(to, os.O_RDWR, 0)
	if err == nil {
		now := time.Now()
		if s.isOurs(f, to) && prepare(f) == nil && s.q.FS.Chtimes(to, now, now) == nil { // see IsOld
			return f
		}
		f.Close()
	}
	s.q.FS.Remove(to)
	return nil
}

// isOurs reports whether nobody can read what will be written to a file: a program, for
// example, that a user has left behind when his delivery was over. He may have it open,
// or hold it without, to open it by way of /proc as long as it may be read by others.
// What he may hold of its memory, in a pipe, is cut off when it is made blank. A file to
// which a crash has given two names is not ours either.
func (s *Spares) isOurs(f durable.File, name string) bool {
	st, err := f.Stat()
	if err != nil {
		return false
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && sys.Nlink == 1 && int(sys.Gid) == os.Getegid() &&
		s.q.FS.Chmod(name, sparePerm) == nil && durable.OnlyOpen(f)
}

// cut ends a file that was used again with what was written to it; what it held before
// may have been longer.
func cut(f durable.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	written, err := f.Seek(0, io.SeekCurrent)
	if err != nil || written == st.Size() {
		return err
	}
	return f.Truncate(written)
}

// hasName reports whether a file that is open still has a name.
func hasName(st fs.FileInfo) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && sys.Nlink > 0
}

// keeper turns the files of messages that have ended into spares. It is qmail-clean's.
type keeper struct {
	q      *Queue
	places map[string]int // how many more to keep before counting, by prefix
	pause  int
}

// keep keeps a file, or removes it if it is of no use. Its name may be gone.
func (k *keeper) keep(name, prefix string) error {
	if spare := k.spareName(name, prefix); spare != "" {
		err := k.q.FS.Rename(name, spare)
		if err == nil {
			k.places[prefix]--
			return nil
		}
	}
	err := k.q.FS.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// spareName is what a file is to be called in pid, or "" if it is not to be kept. One
// with another name would be changed under it.
func (k *keeper) spareName(name, prefix string) string {
	if !k.hasPlace(prefix) {
		return ""
	}
	st, err := k.q.FS.Stat(name)
	if err != nil || !st.Mode().IsRegular() || st.Size() > maxSpareSize {
		return ""
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || sys.Nlink != 1 {
		return ""
	}
	inode := Number(sys.Ino).String()
	if prefix == spareMess && !strings.HasSuffix(name, "/"+inode) {
		return "" // of a queue that was copied
	}
	return prefix + inode
}

func (k *keeper) hasPlace(prefix string) bool {
	if k.places[prefix] > 0 {
		return true
	}
	if k.pause > 0 {
		k.pause--
		return false
	}
	k.places = map[string]int{spareMess: maxSpares, spareTodo: maxSpares}
	k.q.FS.Names("pid", func(name string) bool {
		for p := range k.places {
			if strings.HasPrefix("pid/"+name, p) {
				k.places[p]--
			}
		}
		return true
	})
	if k.places[prefix] < fewSpares {
		k.pause = pauseWhenFull
	}
	return k.places[prefix] > 0
}
