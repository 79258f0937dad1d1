// Qmail-queuectl shows what is in the queue, has something done about it, and
// repairs the queue. See qmail-queuectl(8).
package main

import (
	"bufio"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/exitcode"
	"goqmail/internal/home"
	"goqmail/internal/ids"
	"goqmail/internal/version"
	"goqmail/queuectl"
)

func main() { exitcode.Main(run) }

// become changes the effective user, if the real one is root: the group while it is
// root.
func become(uid, gid int) error {
	if os.Getuid() != 0 || os.Geteuid() == uid {
		return nil
	}
	if uid == 0 {
		if err := unix.Setresuid(-1, 0, -1); err != nil {
			return err
		}
		return unix.Setresgid(-1, gid, -1)
	}
	if err := unix.Setresgid(-1, gid, -1); err != nil {
		return err
	}
	return unix.Setresuid(-1, uid, -1)
}

func run() int {
	if version.Answer(os.Args[1:], "qmail-queuectl", queuectl.Usage, os.Stdout) {
		return exitcode.OK
	}
	out := bufio.NewWriter(os.Stdout)
	tool := queuectl.Tool{Home: home.Dir(), Accounts: ids.System, Out: out, Errors: os.Stderr, Now: time.Now, Sleep: time.Sleep, Become: become}
	code := tool.Run(os.Args[1:])
	if out.Flush() != nil && code == exitcode.OK {
		return exitcode.Soft
	}
	return code
}
