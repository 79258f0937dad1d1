// Package chaos runs the whole system, as root and on a host of its own, under mixed
// traffic while everything goes wrong, and then asks where each message is.
//
// Every message has a number. What happens to it is known from its recipients: it
// arrives in a maildir, an mbox or a program, at another host, or in a bounce that
// names the recipient. There are two parts, after a build:
//
//   - the storm: processes are killed and stopped, signals sent, the file systems of
//     the queue and of the mailboxes filled to the last byte or inode and emptied, the
//     clock set forth and back by a day, and the other host refuses, hangs up and is
//     away;
//   - the long run: all of that but kills, to see what processes keep that they
//     ought not to.
//
// After each, the faults end and the queue has to become empty. The clock is one that
// the programs of this test are built with, see [buildPrograms]: it differs from the
// kernel's, which the times of files come from, as a clock does that was set after they
// were made.
//
// If mail is lost, $CHAOS_KEEP is a folder to put logs, queue and mailboxes into.
//
// $CHAOS_TIME is how long both take together, 3m unless set, and $CHAOS_SEED what the
// chances come from, which is printed.
package chaos

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// role is the environment variable that says which process of the test this is: the
// first one of the host, or the one that runs the test there.
const role = "CHAOS_ROLE"

const (
	roleFirst = "first"
	roleTest  = "test"
)

func TestMain(m *testing.M) {
	if os.Getenv(role) == roleFirst {
		os.Exit(first())
	}
	os.Exit(m.Run())
}

// usual is how long the test runs if nobody says.
const usual = 3 * time.Minute

// TestChaos is the storm and the long run.
func TestChaos(t *testing.T) {
	if os.Getenv(role) == roleTest {
		run(t)
		return
	}
	switch {
	case testing.Short():
		t.Skip("takes minutes")
	case os.Getuid() != 0:
		t.Skip("needs root to have a host of its own")
	}
	bin := t.TempDir()
	if err := os.Chmod(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	buildPrograms(t, bin)
	onHost(t, bin)
}

// onHost runs the test once more, on a host of its own.
func onHost(t *testing.T, bin string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), role+"="+roleFirst, "CHAOS_BIN="+bin)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Skip("cannot have name spaces: ", err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		t.Log(strings.TrimSpace(lines.Text()))
	}
	if err := cmd.Wait(); err != nil {
		t.Error("on the host: ", err)
	}
}

// first is the first process of the host: it waits for those that nobody else waits
// for, until the test ends, and with it all that is left.
func first() int {
	self, err := os.Executable()
	if err != nil || os.Getpid() != 1 {
		return 1
	}
	os.Setenv(role, roleTest)
	test, err := os.StartProcess(self, []string{self, "-test.run=^TestChaos$", "-test.v", "-test.timeout=0"},
		&os.ProcAttr{Files: []*os.File{nil, os.Stdout, os.Stderr}})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 1
		case pid == test.Pid:
			return status.ExitStatus()
		}
	}
}

// settings are what the environment says.
func settings(t *testing.T) (length time.Duration, seed uint64) {
	t.Helper()
	length, seed = usual, uint64(time.Now().UnixNano())
	var err error
	if text := os.Getenv("CHAOS_TIME"); text != "" {
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	return length, seed
}

// run is the test, on its host.
func run(t *testing.T) {
	length, seed := settings(t)
	t.Logf("CHAOS_SEED=%d CHAOS_TIME=%v", seed, length)
	w := newWorld(t, seed)
	rounds := (length/2 + round - 1) / round
	for range rounds {
		w.storm(length / 2 / rounds)
		w.garbage()
	}
	w.longRun(length / 2)
}

// round is how long a storm lasts: it leaves files in the queue that are taken for
// garbage days later, and there is not room for more of them.
const round = 90 * time.Second

// storm has traffic under all faults, and then judges.
func (w *world) storm(length time.Duration) {
	w.t.Logf("the storm: %v", length)
	w.start()
	f := w.faults()
	f.begin(f.kills, f.leftovers, f.restarts, f.stops, f.signals, f.fills, f.jumps, f.outages)
	w.traffic(length)
	f.end()
	w.settle()
	w.t.Logf("the faults: %v", f)
	w.stop()
	w.judge(lenient)
}

// longRun has traffic under faults that no process dies of, and compares what the
// processes have before and after. Its first part is to have them get what they need.
func (w *world) longRun(length time.Duration) {
	w.t.Logf("the long run: %v", length)
	w.start()
	f := w.faults()
	f.begin(f.stops, f.signals, f.fills, f.jumps, f.outages)
	w.traffic(length / 4)
	f.end()
	w.settle()
	before := w.figures()
	f.begin(f.stops, f.signals, f.fills, f.jumps, f.outages)
	w.traffic(length - length/4)
	f.end()
	w.settle()
	w.t.Logf("the faults: %v", f)
	w.compare(before, w.figures())
	w.goroutines()
	w.stop()
	w.judge(strict)
}

// chance is a source of chances.
func chance(seed, number uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, number)) }

// between is a length of time.
func between(r *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(r.Int64N(int64(to-from)+1))
}
