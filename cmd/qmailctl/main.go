// Qmailctl starts, stops and signals the system through whatever supervises it. See
// qmailctl(8).
package main

import (
	"os"
	"path/filepath"
	"syscall"
	"time"

	"goqmail/internal/child"
	"goqmail/internal/exitcode"
	"goqmail/internal/home"
	"goqmail/internal/version"
	"goqmail/queue"
	"goqmail/supervise"
)

// limit is how long to wait for a service, if -w does not say so.
const limit = time.Minute

func main() { exitcode.Main(run) }

func run() int {
	if version.Answer(os.Args[1:], "qmailctl", supervise.Usage, os.Stdout) {
		return exitcode.OK
	}
	dir := home.Dir()
	tool := supervise.Tool{
		Home: dir, Root: "/", Out: os.Stdout, Errors: os.Stderr,
		First:  os.Getenv("SVDIR"), // as runit has it
		Limit:  limit,
		Run:    runProgram,
		Holder: func() (int, error) { return queue.Holder(filepath.Join(dir, "queue")) },
		Kill:   kill,
		Now:    time.Now, Sleep: time.Sleep,
	}
	return tool.Main(os.Args[1:])
}

func runProgram(argv []string, stdin, stdout *os.File) (code int, err error) {
	if stdin == nil {
		stdin = os.Stdin
	}
	p, err := child.Start(argv, os.Environ(), []*os.File{stdin, stdout, os.Stderr})
	if err != nil {
		return 0, err
	}
	return child.Wait(p)
}

func kill(pid int, signal string) error {
	number := map[string]syscall.Signal{
		"ALRM": syscall.SIGALRM, "HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT,
	}[signal]
	return syscall.Kill(pid, number)
}
