// Qmail-qstat counts the messages in the queue. See qmail-qstat(8).
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"goqmail/internal/durable"
	"goqmail/internal/exitcode"
	"goqmail/internal/home"
	"goqmail/internal/syserr"
	"goqmail/queue"
)

func main() { exitcode.Main(run) }

func run() int {
	folder := filepath.Join(home.Dir(), "queue")
	all, unprocessed, err := count(folder)
	if err != nil {
		fmt.Fprintf(os.Stderr, "qmail-qstat: fatal: unable to count the messages in %s: %s\n", folder, syserr.Text(err))
		return exitcode.Soft
	}
	if _, err := fmt.Printf("messages in queue: %d\nmessages in queue but not yet preprocessed: %d\n", all, unprocessed); err != nil {
		return exitcode.Soft
	}
	return exitcode.OK
}

func count(folder string) (all, unprocessed int, err error) {
	q, err := queue.Open(durable.NewDir(folder))
	if err != nil {
		return 0, 0, err
	}
	if all, err = q.Count(queue.Mess); err != nil {
		return 0, 0, err
	}
	unprocessed, err = q.Count(queue.Todo)
	return all, unprocessed, err
}
