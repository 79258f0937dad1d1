// Qmail-qread lists the messages in the queue. See qmail-qread(8).
package main

import (
	"bufio"
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
	out := bufio.NewWriter(os.Stdout)
	q, err := queue.Open(durable.NewDir(folder))
	if err == nil {
		err = q.WriteList(out)
	}
	if err != nil {
		// Compat: to standard output, where its readers expect it.
		fmt.Fprintf(out, "fatal: unable to read %s: %s\n", folder, syserr.Text(err))
	}
	if out.Flush() != nil || err != nil {
		return exitcode.Soft
	}
	return exitcode.OK
}
