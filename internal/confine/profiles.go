package confine

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Files that programs written in Go may want long after they have started: time
// zones, certificates of authorities, resolv.conf and what it is a link to.
var ofTheHost = []string{"/etc", "/usr", "/run", "/dev/null", "/dev/urandom"}

// Clean is the profile of qmail-clean: it removes files in a queue, or moves them to
// pid, and syncs their folders.
func Clean(queue string) Profile {
	return Profile{
		Read: []string{},
		List: within(queue, "todo", "pid"),
		Move: within(queue, "mess", "intd", "todo", "pid"),
	}
}

// Queue is the profile of a qmail-queue that stays, once it has its socket: it makes
// messages in a queue and pulls the trigger.
func Queue(queue string) Profile {
	return Profile{
		Read:   within(queue, "mess", "intd", "todo", "pid"),
		Write:  within(queue, "lock/trigger"),
		Change: within(queue, "mess", "intd", "todo", "pid"),
	}
}

// Remote is the profile of qmail-remote: it speaks to other hosts, and writes the
// table of those that do not answer. Of the queue it reads no message but the one
// that is open already.
func Remote(home string) Profile {
	return Profile{
		Read:    and(readable(home), filepath.Join(home, "queue/lock/tcpto")),
		Write:   within(home, "queue/lock/tcpto"),
		Sockets: []int{syscall.AF_INET, syscall.AF_INET6, afNetlink},
	}
}

// Staying is the profile of a qmail-remote that stays. As it lasts, it may read what
// control files may come to name: all but the queue.
func Staying(home string) Profile {
	p := Remote(home)
	p.Read = and(allBut(filepath.Join(home, "queue")), filepath.Join(home, "queue/lock/tcpto"))
	return p
}

// and adds a file to those that may be read, unless all may.
func and(files []string, one string) []string {
	if files == nil {
		return nil
	}
	return append(files, one)
}

// allBut are all files and folders, as they are now, but for a folder: what is beside
// it and beside each folder above it. Links are left out: what they lead to is there.
// Nil if they cannot be told: a process that could read next to nothing would defer all
// mail for as long as it stays.
func allBut(folder string) []string {
	folder, err := filepath.Abs(folder)
	if err == nil {
		folder, err = filepath.EvalSymlinks(folder)
	}
	if err != nil {
		return nil
	}
	var all []string
	for folder != "/" {
		above := filepath.Dir(folder)
		entries, err := os.ReadDir(above)
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return nil
		}
		for _, e := range entries {
			if name := filepath.Join(above, e.Name()); name != folder && e.Type()&os.ModeSymlink == 0 {
				all = append(all, name)
			}
		}
		folder = above
	}
	return all
}

// Rspawn is the profile of qmail-rspawn, whose children inherit it: what
// qmail-remote narrows further. It says nothing of reading, since it lasts for
// months and files of the host are replaced in that time.
func Rspawn(home string) Profile {
	p := Remote(home)
	p.Read = nil
	p.Write = append(p.Write, "/dev/null")
	p.Start = true
	return p
}

// Send is the profile of qmail-send, which has its spawners already. It is for a
// system whose queue is reached by a socket: bounces would need set-uid qmail-queue
// otherwise.
func Send(home string) Profile {
	return Profile{
		Read:    slices.Concat(ofTheHost, within(home, "control", "queue"), linked(home)),
		Change:  within(home, "queue/info", "queue/local", "queue/remote", "queue/bounce", "queue/lock"),
		Sockets: []int{syscall.AF_UNIX},
	}
}

// Receive is the profile of qmail-smtpd, qmail-qmtpd and qmail-qmqpd: they speak to
// strangers and write nothing. As for [Send], the queue has to be reached by a socket;
// and no program may be in use that qmail-smtpd is to run. It says nothing of reading:
// many variables name files.
func Receive() Profile {
	return Profile{Sockets: []int{syscall.AF_UNIX, syscall.AF_INET, syscall.AF_INET6, afNetlink}}
}

// readable is what may be read of the host and of a home: not the queue, nor the
// mail of alias. Nil if that cannot be told.
func readable(home string) []string {
	all := slices.Clone(ofTheHost)
	for _, v := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} { // crypto/x509
		all = append(all, filepath.SplitList(os.Getenv(v))...)
	}
	entries, err := os.ReadDir(home)
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil
	}
	for _, e := range entries {
		if name := e.Name(); name != "queue" && name != "alias" {
			all = append(all, filepath.Join(home, name))
		}
	}
	return append(all, linked(home)...)
}

// naming are the control files that name files of certificates.
var naming = []string{"domaincerts", "tlsdestinations"}

// linked are the files elsewhere that control files are links to, or name.
func linked(home string) []string {
	var all []string
	control := filepath.Join(home, "control")
	entries, _ := os.ReadDir(control)
	for _, e := range entries {
		if e.Type()&os.ModeSymlink != 0 {
			all = append(all, filepath.Join(control, e.Name()))
		}
		if slices.Contains(naming, e.Name()) {
			text, _ := os.ReadFile(filepath.Join(control, e.Name()))
			all = append(all, named(string(text))...)
		}
	}
	return all
}

// named are the absolute paths in a text, between blanks, colons and bars.
func named(text string) []string {
	var all []string
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n:|", r) }) {
		if word[0] == '/' && len(word) > 1 {
			all = append(all, word)
		}
	}
	return all
}

func within(folder string, names ...string) []string {
	var all []string
	for _, name := range names {
		all = append(all, filepath.Join(folder, name))
	}
	return all
}

// madeBy is what the linker writes into a program of this system: the path of its
// main package.
const madeBy = "goqmail/cmd/"

// IsOurs reports whether a file is the program of that name of this system, and not
// another one, or a script, in its place. Whoever starts another one must not
// confine it: nobody knows what that needs.
func IsOurs(file, program string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	var magic [4]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil || string(magic[:]) != "\x7fELF" {
		return false
	}
	// runtime/debug.BuildInfo in the form in which it is in the file.
	return contains(f, []byte("path\t"+madeBy+program+"\n"))
}

const searchSize = 256 << 10

// contains looks for a text in all that a reader has.
func contains(r io.Reader, text []byte) bool {
	buf := make([]byte, 0, searchSize)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if bytes.Contains(buf, text) {
			return true
		}
		if err != nil {
			return false
		}
		if keep := len(text) - 1; len(buf) > keep {
			buf = buf[:copy(buf, buf[len(buf)-keep:])]
		}
	}
}
