// Qmail-tcpto prints the addresses that timed out lately. See qmail-tcpto(8).
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/home"
	"goqmail/internal/syserr"
	"goqmail/internal/tcpto"
)

func main() { exitcode.Main(run) }

func run() int {
	if err := os.Chdir(filepath.Join(home.Dir(), "queue/lock")); err != nil {
		return fail("chdir", err)
	}
	entries, err := tcpto.File{Path: "tcpto"}.Entries()
	if err != nil {
		what := "read"
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			what = e.Op
		}
		return fail(what+" tcpto", err)
	}
	return show(entries, time.Now())
}

// show prints a line for each entry; other programs read them.
func show(entries []tcpto.Entry, now time.Time) int {
	out := bufio.NewWriter(os.Stdout)
	for _, e := range entries {
		ago := max(now.Unix()-e.Last.Unix(), 0)
		fmt.Fprintf(out, "%v timed out %d seconds ago; # recent timeouts: %d\n", e.Addr, ago, e.Count)
	}
	if out.Flush() != nil {
		return exitcode.Soft
	}
	return exitcode.OK
}

// fail tells what is wrong. Compat: on standard output.
func fail(what string, err error) int {
	fmt.Printf("fatal: unable to %s: %s\n", what, syserr.Text(err))
	return exitcode.Soft
}
