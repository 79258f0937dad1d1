// Qmail-clean removes the queue files that qmail-send names. See qmail-clean(8).
package main

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"goqmail/internal/confine"
	"goqmail/internal/durable"
	"goqmail/internal/exitcode"
	"goqmail/internal/fence"
	"goqmail/internal/home"
	"goqmail/queue"
)

func main() { exitcode.Main(run) }

func run() int {
	// An answer that nobody reads is an error like others, not the end.
	signal.Ignore(syscall.SIGPIPE)
	folder := filepath.Join(home.Dir(), "queue")
	q, err := queue.Open(durable.NewDir(folder))
	if err != nil {
		return exitcode.Soft
	}
	within := fence.Of("qmail-clean", folder, os.Getenv(fence.Variable), os.Stderr)
	confine.Clean(folder).Enter(home.Dir(), "qmail-clean", os.Stderr)
	if q.Clean(os.Stdin, os.Stdout, time.Now, within.Do) != nil {
		return exitcode.Hard
	}
	return exitcode.OK
}
