// Mailq lists the messages in the queue that its caller sent, and with -q has them
// all tried again. See mailq(1).
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"goqmail/internal/durable"
	"goqmail/internal/exitcode"
	"goqmail/internal/home"
	"goqmail/internal/syserr"
	"goqmail/queue"
)

func main() { exitcode.Main(run) }

func run() int {
	folder := filepath.Join(home.Dir(), "queue")
	if slices.ContainsFunc(os.Args[1:], func(arg string) bool { return strings.HasPrefix(arg, "-q") }) {
		runQueue(folder)
		return exitcode.OK
	}
	q, err := queue.Open(durable.NewDir(folder))
	if err == nil {
		err = q.WriteMailq(os.Stdout, os.Getuid(), mayAll())
	}
	if errors.Is(err, fs.ErrNotExist) && isFolder(folder) {
		_, err = os.Stdout.WriteString("Mail queue is empty\n") // nothing was ever queued
	}
	switch {
	case err == nil:
		return exitcode.OK
	case errors.Is(err, fs.ErrPermission):
		// Whoever asks is not at fault: scripts look at the exit code.
		fmt.Println("mailq: you may not look into the queue: only root and qmails may, unless mailq is set up for everybody, see mailq(1)")
		return exitcode.OK
	}
	fmt.Fprintf(os.Stderr, "mailq: fatal: unable to read %s: %s\n", folder, syserr.Text(err))
	return exitcode.TempFail
}

func isFolder(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// mayAll reports whether the caller may see what others send: root may, and whoever
// can read the queue without this program.
func mayAll() bool { return os.Getuid() == 0 || !home.Privileged() }

// runQueue makes every message due, if the caller may do that. Nothing is lost if
// not: qmail-send tries them when their time has come.
func runQueue(folder string) {
	pid, err := queue.Holder(folder)
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGALRM)
	}
	if err != nil {
		text := syserr.Text(err)
		if errors.Is(err, queue.ErrNobody) {
			text = queue.ErrNobody.Error()
		}
		fmt.Fprintln(os.Stderr, "mailq: warning: the queue is not run now:", text)
	}
}
