package privileges

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// launched is the environment variable that makes the test's program one that runs
// qmail-queue in odd circumstances: words of [circumstances], separated by commas.
const launched = "PRIVILEGES_TEST_LAUNCH"

// launchedEnv is the one that has qmail-queue's variables, between blanks.
const launchedEnv = launched + "_ENV"

const queueProgram = home + "/bin/qmail-queue"

// notLaunched is the exit code if qmail-queue could not be run at all.
const notLaunched = 199

var limits = map[string]int{
	"nofile": unix.RLIMIT_NOFILE, "fsize": unix.RLIMIT_FSIZE, "cpu": unix.RLIMIT_CPU, "as": unix.RLIMIT_AS,
	"stack": unix.RLIMIT_STACK, "data": unix.RLIMIT_DATA, "nproc": unix.RLIMIT_NPROC, "core": unix.RLIMIT_CORE,
	"memlock": unix.RLIMIT_MEMLOCK, "sigpending": unix.RLIMIT_SIGPENDING,
}

// launch makes circumstances and becomes qmail-queue.
func launch(words string) int {
	runtime.LockOSThread()
	env := strings.Fields(os.Getenv(launchedEnv))
	traced := false
	for _, word := range strings.Split(words, ",") {
		if word == "traced" {
			traced = true
		} else if err := circumstance(word); err != nil {
			return notLaunched
		}
	}
	if traced {
		return trace(env)
	}
	syscall.Exec(queueProgram, []string{"qmail-queue"}, env)
	return notLaunched
}

// circumstance makes one, such as "umask 777", "close 0" or "fsize 100".
func circumstance(word string) error {
	what, value, _ := strings.Cut(word, " ")
	if limit, ok := limits[what]; ok {
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return err
		}
		return syscall.Setrlimit(limit, &syscall.Rlimit{Cur: n, Max: n})
	}
	switch what {
	case "":
		return nil
	case "umask":
		mask, err := strconv.ParseInt(value, 8, 32)
		syscall.Umask(int(mask))
		return err
	case "close":
		fd, err := strconv.Atoi(value)
		if err != nil {
			return err
		}
		return syscall.Close(fd)
	case "ignore":
		n, err := strconv.Atoi(value)
		signal.Ignore(syscall.Signal(n))
		return err
	case "unreadable":
		if err := os.Mkdir("closed", 0o700); err != nil {
			return err
		}
		if err := os.Chdir("closed"); err != nil {
			return err
		}
		return os.Chmod(".", 0)
	case "gone":
		if err := os.Mkdir("gone", 0o700); err != nil {
			return err
		}
		if err := os.Chdir("gone"); err != nil {
			return err
		}
		return os.Remove("../gone")
	case "no_new_privs":
		return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
	return fmt.Errorf("no circumstance %q", word)
}

// trace runs qmail-queue under ptrace(2), as a user would who wants to look at it.
func trace(env []string) int {
	pid, err := syscall.ForkExec(queueProgram, []string{"qmail-queue"}, &syscall.ProcAttr{
		Env: env, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Ptrace: true},
	})
	if err != nil {
		return notLaunched
	}
	for sig := 0; ; {
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, syscall.WALL, nil); err != nil {
			return notLaunched
		}
		switch {
		case status.Exited():
			return status.ExitStatus()
		case status.Signaled():
			return notLaunched
		case status.StopSignal() == syscall.SIGTRAP:
			sig = 0
		default:
			sig = int(status.StopSignal())
		}
		if err := syscall.PtraceCont(pid, sig); err != nil {
			return notLaunched
		}
	}
}
