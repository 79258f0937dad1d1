package queuectl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"goqmail/queue"
)

// has reports whether a message has a file of that kind.
func (c *checker) has(kind queue.Kind, n queue.Number) bool {
	_, err := os.Lstat(c.file(kind, n))
	return err == nil
}

func (c *checker) file(kind queue.Kind, n queue.Number) string {
	return c.path(c.place(kind, n) + "/" + n.String())
}

// numbers lists the messages that have a file of that kind in its place.
func (c *checker) numbers(kind queue.Kind) (all []queue.Number, err error) {
	err = c.eachFile(kind, func(folder string, e fs.DirEntry) {
		if n, ok := queue.ParseNumber(e.Name()); ok && e.Type().IsRegular() && folder == c.place(kind, n) && n.String() == e.Name() {
			all = append(all, n)
		}
	})
	return all, err
}

// checkMessages looks for files of which the rest of the message is missing.
func (c *checker) checkMessages() error {
	for _, kind := range []queue.Kind{queue.Info, queue.Local, queue.Remote, queue.Bounce, queue.Intd, queue.Todo} {
		numbers, err := c.numbers(kind)
		if err != nil {
			return err
		}
		for _, n := range numbers {
			name := c.place(kind, n) + "/" + n.String()
			switch {
			case !c.has(queue.Mess, n):
				c.found(name, "has no message", func() error { return c.setAside(name) })
			case (kind == queue.Local || kind == queue.Remote) && !c.has(queue.Info, n) && !c.has(queue.Todo, n) && !c.isCopy(n):
				// Rather deliver it than lose it: trouble is told to the postmaster.
				c.found(name, "has recipients and no sender", func() error { return c.makeInfo(n) })
			}
		}
	}
	return nil
}

// makeInfo gives a message an empty sender.
func (c *checker) makeInfo(n queue.Number) error {
	if c.has(queue.Info, n) {
		return nil
	}
	mess, err := os.Stat(c.file(queue.Mess, n))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(c.file(queue.Info, n), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString("F\x00")
	err = errors.Join(err, f.Sync(), f.Close(), os.Chtimes(f.Name(), mess.ModTime(), mess.ModTime()))
	return err
}

// inode is the inode number of a message, and how many names it has.
func (c *checker) inode(n queue.Number) (ino queue.Number, links uint64, err error) {
	st, err := os.Lstat(c.file(queue.Mess, n))
	if err != nil {
		return 0, 0, err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return n, 1, nil
	}
	return queue.Number(sys.Ino), uint64(sys.Nlink), nil
}

// isCopy reports whether the number is what a renaming was under way to that did
// not get to its end.
func (c *checker) isCopy(n queue.Number) bool {
	_, links, err := c.inode(n)
	return err == nil && links > 1
}

// checkNumbers looks for messages whose numbers are not the inode numbers of their
// files, as after a restore. Ours do not mind; the qmail-queue of others may meet a
// number that is taken.
func (c *checker) checkNumbers() error {
	numbers, err := c.numbers(queue.Mess)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		ino, _, err := c.inode(n)
		if err != nil {
			return err
		}
		if ino != n {
			name := c.place(queue.Mess, n) + "/" + n.String()
			c.found(name, fmt.Sprintf("is inode %d", ino), func() error { return c.renumber(n) })
		}
	}
	return nil
}

// aside is added to the number of a message that is in the way of another one, for
// the time of its own renaming.
const aside = 1 << 62

// renumber gives a message the number of its inode, and then does the same for one
// that had this number, and so on: as each gets a number that is its own, that ends.
func (c *checker) renumber(n queue.Number) error {
	for {
		ino, _, err := c.inode(n)
		if errors.Is(err, fs.ErrNotExist) || err == nil && ino == n {
			return nil // it was in the way of another one, and has been moved
		}
		if err != nil {
			return err
		}
		taken := c.has(queue.Mess, ino) && !c.sameMessage(n, ino)
		if taken {
			if err := c.rename(ino, ino+aside); err != nil {
				return err
			}
		}
		if err := c.rename(n, ino); err != nil || !taken {
			return err
		}
		n = ino + aside
	}
}

func (c *checker) sameMessage(a, b queue.Number) bool {
	x, errx := os.Lstat(c.file(queue.Mess, a))
	y, erry := os.Lstat(c.file(queue.Mess, b))
	return errx == nil && erry == nil && os.SameFile(x, y)
}

// renamed are the kinds of files in the order in which they get new names: what
// makes a message of them comes last.
var renamed = []queue.Kind{queue.Mess, queue.LocalReports, queue.RemoteReports, queue.Local, queue.Remote, queue.Bounce, queue.Info, queue.Todo}

// rename links a message to its new names, the one that makes it a message last, and
// then removes the old ones, that one first. So after a crash it is there, or twice;
// the next repair ends that.
func (c *checker) rename(from, to queue.Number) error {
	for _, kind := range renamed {
		err := os.Link(c.file(kind, from), c.file(kind, to))
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := c.syncFolders(to); err != nil {
		return err
	}
	for _, kind := range append([]queue.Kind{queue.Intd}, reversed(renamed)...) {
		if err := os.Remove(c.file(kind, from)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return c.syncFolders(from)
}

func reversed(kinds []queue.Kind) []queue.Kind {
	all := make([]queue.Kind, len(kinds))
	for i, kind := range kinds {
		all[len(kinds)-1-i] = kind
	}
	return all
}

// syncFolders makes the names of a message durable.
func (c *checker) syncFolders(n queue.Number) error {
	for _, kind := range []queue.Kind{queue.Mess, queue.Local, queue.Remote, queue.Bounce, queue.Info, queue.Todo} {
		f, err := os.Open(c.path(c.place(kind, n)))
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
