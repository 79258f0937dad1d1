package queuectl

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"goqmail/internal/exitcode"
	"goqmail/internal/ids"
	"goqmail/queue"
)

// Problem is something that is wrong with the queue.
type Problem struct {
	Path     string `json:"path"` // below the queue
	Problem  string `json:"problem"`
	Repaired bool   `json:"repaired"`

	repair func() error
}

// strayFolder is where repair puts files that have no place in the queue.
const strayFolder = "stray"

// checker looks for problems, in passes: each needs those before it repaired.
type checker struct {
	folder   string
	split    int
	accounts ids.Files
	owners   owners
	problems []Problem
}

// checkOrRepair looks for problems, and repairs them if qmail-send does not run.
func (t *Tool) checkOrRepair(repair bool, o *options) (int, error) {
	if len(o.numbers) > 0 || o.all || !o.filter.isEmpty() {
		return 0, errUsage
	}
	if repair {
		lock, err := t.lockForRepair()
		if err != nil {
			return 0, err
		}
		defer lock.Close()
	}
	c := &checker{folder: t.folder, split: o.split, accounts: t.Accounts}
	if err := c.measure(); err != nil {
		return 0, err
	}
	for _, pass := range []func() error{c.checkFolders, c.checkPlaces, c.checkMessages, c.checkNumbers, c.checkOwners} {
		first := len(c.problems)
		if err := pass(); err != nil {
			return 0, err
		}
		if repair {
			if err := c.repairFrom(first); err != nil {
				return 0, err
			}
		}
	}
	return c.code(), t.writeProblems(c.problems)
}

// errRuns means that the queue is in use.
var errRuns = errors.New("qmail-send runs; stop it, and whatever queues mail, before the queue is repaired")

// lockForRepair takes the queue's lock. A queue without the file has nobody to have it.
func (t *Tool) lockForRepair() (io.Closer, error) {
	lock, err := t.lock()
	switch {
	case errors.Is(err, queue.ErrLocked):
		return nil, errRuns
	case errors.Is(err, fs.ErrNotExist):
		return io.NopCloser(strings.NewReader("")), nil
	}
	return lock, err
}

func (c *checker) found(path, problem string, repair func() error) {
	c.problems = append(c.problems, Problem{Path: path, Problem: problem, repair: repair})
}

func (c *checker) repairFrom(first int) error {
	for i := range c.problems[first:] {
		p := &c.problems[first+i]
		if p.repair == nil {
			continue
		}
		if err := p.repair(); err != nil {
			return fmt.Errorf("repair %s: %w", p.Path, err)
		}
		p.Repaired = true
	}
	return nil
}

func (c *checker) code() int {
	for _, p := range c.problems {
		if !p.Repaired {
			return exitcode.Soft
		}
	}
	return exitcode.OK
}

func (t *Tool) writeProblems(problems []Problem) error {
	if t.json {
		out := array{t: t}
		for _, p := range problems {
			if err := out.add(p); err != nil {
				return err
			}
		}
		return out.end()
	}
	for _, p := range problems {
		line := p.Path + ": " + p.Problem
		if p.Repaired {
			line += ": repaired"
		}
		if _, err := io.WriteString(t.Out, printable(line)+"\n"); err != nil {
			return err
		}
	}
	if len(problems) == 0 {
		_, err := io.WriteString(t.Out, "the queue is in order\n")
		return err
	}
	return nil
}

func (c *checker) path(name string) string { return filepath.Join(c.folder, name) }

// splitKinds are the folders that are split always.
var splitKinds = []queue.Kind{queue.Mess, queue.Info, queue.Local, queue.Remote}

// reportKinds are split as well, if they are there.
var reportKinds = []queue.Kind{queue.LocalReports, queue.RemoteReports}

// messageKinds are all folders with files of messages.
var messageKinds = append(slices.Clone(splitKinds), queue.Intd, queue.Todo, queue.Bounce)

// measure finds out the split, unless one was asked for: what mess is split into,
// from the highest number.
func (c *checker) measure() error {
	entries, err := os.ReadDir(c.folder)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == string(queue.Mess) }) {
		return fmt.Errorf("%s has no folder mess, and does not look like a queue", c.folder)
	}
	c.owners = ownersOf(c.folder, c.accounts)
	if c.split > 0 {
		return nil
	}
	folders, err := os.ReadDir(c.path(string(queue.Mess)))
	if err != nil {
		return err
	}
	for _, f := range folders {
		if n, ok := queue.ParseNumber(f.Name()); ok && f.IsDir() && n < 100000 {
			c.split = max(c.split, int(n)+1)
		}
	}
	if c.split == 0 {
		c.split = queue.DefaultSplit
	}
	return nil
}

// isSplit reports whether a kind is split in this queue: todo and intd may be.
func (c *checker) isSplit(kind queue.Kind) bool {
	if slices.Contains(splitKinds, kind) || slices.Contains(reportKinds, kind) {
		return true
	}
	st, err := os.Stat(c.path(string(kind) + "/0"))
	return kind != queue.Bounce && err == nil && st.IsDir()
}

// place is the folder for a message's file.
func (c *checker) place(kind queue.Kind, n queue.Number) string {
	if !c.isSplit(kind) {
		return string(kind)
	}
	return string(kind) + "/" + strconv.FormatUint(uint64(n)%uint64(c.split), 10)
}

// checkFolders looks for folders and locks that are missing.
func (c *checker) checkFolders() error {
	names := []string{"pid", "intd", "todo", "bounce", "lock", "mess", "info", "local", "remote"}
	for _, kind := range messageKinds {
		if c.isSplit(kind) {
			for i := range c.split {
				names = append(names, string(kind)+"/"+strconv.Itoa(i))
			}
		}
	}
	for _, name := range names {
		if _, err := os.Lstat(c.path(name)); errors.Is(err, fs.ErrNotExist) {
			c.found(name, "folder is missing", func() error { return os.MkdirAll(c.path(name), 0o700) })
		}
	}
	if _, err := os.Lstat(c.path(queue.SendFolder)); errors.Is(err, fs.ErrNotExist) {
		c.found(queue.SendFolder, "folder is missing", func() error { return queue.MakeSendFolder(c.folder) })
	}
	makeLocks := func() error { return queue.Make(c.folder, c.split) }
	for _, lock := range []struct {
		name string
		kind fs.FileMode
	}{{"lock/sendmutex", 0}, {"lock/tcpto", 0}, {"lock/trigger", fs.ModeNamedPipe}} {
		st, err := os.Lstat(c.path(lock.name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			c.found(lock.name, "is missing", makeLocks)
		case err != nil:
			return err
		case st.Mode().Type() != lock.kind:
			c.found(lock.name, "is of the wrong type", func() error { return errors.Join(c.setAside(lock.name), makeLocks()) })
		}
	}
	return nil
}

// setAside moves a file where nobody looks for messages.
func (c *checker) setAside(name string) error {
	if err := os.Mkdir(c.path(strayFolder), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	to := c.path(strayFolder + "/" + strings.ReplaceAll(name, "/", "."))
	for i := 1; ; i++ {
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			return os.Rename(c.path(name), to)
		}
		to = c.path(strayFolder+"/"+strings.ReplaceAll(name, "/", ".")) + "." + strconv.Itoa(i)
	}
}

// eachFile calls f with each file in the folders of a kind: the folder below the
// queue, and its name.
func (c *checker) eachFile(kind queue.Kind, f func(folder string, e fs.DirEntry)) error {
	top, err := os.ReadDir(c.path(string(kind)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	split := c.isSplit(kind)
	for _, e := range top {
		_, isNumber := queue.ParseNumber(e.Name())
		if !split || !isNumber || !e.IsDir() {
			f(string(kind), e)
			continue
		}
		folder := string(kind) + "/" + e.Name()
		files, err := os.ReadDir(c.path(folder))
		if err != nil {
			return err
		}
		for _, file := range files {
			f(folder, file)
		}
	}
	return nil
}

// checkPlaces looks for files that are no message's, and for those that are in the
// wrong folder of a split, as after a change of the split.
func (c *checker) checkPlaces() error {
	for _, kind := range slices.Concat(reportKinds, messageKinds) {
		err := c.eachFile(kind, func(folder string, e fs.DirEntry) {
			name := folder + "/" + e.Name()
			n, ok := queue.ParseNumber(e.Name())
			if !ok || !e.Type().IsRegular() || strconv.FormatUint(uint64(n), 10) != e.Name() {
				c.found(name, "is no message's file", func() error { return c.setAside(name) })
				return
			}
			if right := c.place(kind, n); right != folder {
				c.found(name, "belongs into "+right, func() error { return c.move(name, right+"/"+e.Name()) })
			}
		})
		if err != nil {
			return err
		}
		c.checkSpare(kind)
	}
	return nil
}

// move gives a file its place; if that is taken, the file is set aside.
func (c *checker) move(from, to string) error {
	if _, err := os.Lstat(c.path(to)); err == nil {
		return c.setAside(from)
	}
	if err := os.MkdirAll(filepath.Dir(c.path(to)), 0o700); err != nil {
		return err
	}
	return os.Rename(c.path(from), c.path(to))
}

// checkSpare looks for folders beyond the split. They are removed once they are
// empty, highest first, since other programs count them.
func (c *checker) checkSpare(kind queue.Kind) {
	if !c.isSplit(kind) {
		return
	}
	folders, _ := os.ReadDir(c.path(string(kind)))
	slices.Reverse(folders)
	for _, f := range folders {
		if n, ok := queue.ParseNumber(f.Name()); ok && f.IsDir() && n >= queue.Number(c.split) {
			name := string(kind) + "/" + f.Name()
			c.found(name, fmt.Sprintf("folder is beyond the split of %d", c.split), func() error { return syscall.Rmdir(c.path(name)) })
		}
	}
}
