// Qmail-queue takes a message from descriptor 0 and its envelope from descriptor 1
// and queues it. See qmail-queue(8).
package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/durable"
	"goqmail/internal/exitcode"
	"goqmail/internal/home"
	"goqmail/internal/ids"
	"goqmail/queue"
)

// lifetime is how long one message may take. It must be less than [queue.Age],
// after which the files of an unfinished message are removed.
const lifetime = 24 * time.Hour

func main() { exitcode.Main(run) }

func run() int {
	// A caller's user cannot stop it half way with a key.
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGPIPE, syscall.SIGXFSZ, syscall.SIGXCPU)
	syscall.Umask(0o033)
	if len(os.Args) == 2 && os.Args[1] == "-serve" && !home.Privileged() {
		return stay()
	}
	time.AfterFunc(lifetime, func() { os.Exit(exitcode.QueueTimeout) })
	if home.Privileged() && wasClosed(0) {
		return exitcode.QueueRead
	}
	folder := filepath.Join(home.Dir(), "queue")
	q, code := open(folder)
	if code != exitcode.OK {
		return code
	}
	return submit(q.Submit, folder, os.Stdin, os.Stdout, origin())
}

// submit queues one message and returns the exit code.
func submit(queued func(message, envelope io.Reader, who queue.Origin) (queue.Number, error),
	folder string, message, envelope io.Reader, who queue.Origin) int {
	// Bounces may use the space that is kept from new mail.
	if who.Account != "qmails" && queue.CheckSpace(folder) != nil {
		return exitcode.QueueWrite
	}
	if _, err := queued(message, envelope, who); err != nil {
		var f *queue.Failure
		if errors.As(err, &f) {
			return f.Code
		}
		return exitcode.QueueBug
	}
	queue.PullTrigger(folder)
	return exitcode.OK
}

func open(folder string) (*queue.Queue, int) {
	q, err := queue.Open(durable.NewDir(folder))
	switch {
	case err == nil:
		return q, exitcode.OK
	case !isFolder(filepath.Dir(folder)):
		return nil, exitcode.QueueHome
	case !isFolder(folder), errors.Is(err, fs.ErrPermission):
		return nil, exitcode.QueueFolder
	}
	return nil, exitcode.QueueMess
}

func isFolder(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.IsDir()
}

// accounts are those that the Received line calls by what they do.
var accounts = []string{"alias", "qmaild", "qmails"}

// origin tells who calls. The accounts are only for the Received line, so that
// trouble with looking them up is no reason to refuse the message.
func origin() queue.Origin {
	uid := os.Getuid()
	account, _ := ids.System.Name(uid, accounts...)
	return queue.Origin{UID: uid, PID: os.Getpid(), Account: account, Time: time.Now()}
}

// wasClosed reports whether the caller of a set-uid program has left a descriptor
// closed: Go's runtime opens /dev/null there, for reading and writing. The message
// would seem to be empty.
func wasClosed(fd int) bool {
	var st, null syscall.Stat_t
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_RDWR &&
		syscall.Fstat(fd, &st) == nil && syscall.Stat(os.DevNull, &null) == nil &&
		st.Mode&syscall.S_IFMT == syscall.S_IFCHR && st.Rdev == null.Rdev
}
