package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"goqmail/internal/testhost"
)

// figures are what a process has.
type figures struct {
	name        string
	descriptors int
	threads     int
	memory      int // of its own, in KB
}

// figures are those of all processes that stay, once they have nothing to do:
// qmail-remote keeps connections for a while.
func (w *world) figures() map[int]figures {
	w.t.Helper()
	w.until("connections to the other host to end", func() bool { return w.sink.open.Load() == 0 })
	all := map[int]figures{}
	for pid, name := range w.processes() {
		open, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil || len(open) == 0 {
			continue // it has ended
		}
		all[pid] = figures{name, len(open), number(status, "Threads"), number(status, "RssAnon")}
	}
	return all
}

// number is one of a process's status.
func number(status []byte, name string) int {
	_, rest, _ := strings.Cut(string(status), "\n"+name+":")
	n, _ := strconv.Atoi(append(strings.Fields(rest), "0")[0])
	return n
}

// What a process may have more after a long time than after a short one, with
// thousands of messages between; and how many threads it may have at all, which are as
// many as it had to do at a time.
const (
	moreDescriptors = 5
	moreMemory      = 8 << 10 // in KB, and half of what it had
	mostThreads     = 200
)

// staying are those that cannot have gone while nothing was killed.
var staying = []string{"qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-clean", "qmail-queue", "qmail-smtpd", "qmail-qmtpd"}

// compare looks at the processes that are there before and after.
func (w *world) compare(before, after map[int]figures) {
	w.t.Helper()
	var same []string
	for pid, b := range before {
		a, ok := after[pid]
		if !ok {
			continue
		}
		same = append(same, b.name)
		w.t.Logf("%s: %d descriptors, then %d; %d threads, then %d; %d KB, then %d",
			b.name, b.descriptors, a.descriptors, b.threads, a.threads, b.memory, a.memory)
		if a.descriptors > b.descriptors+moreDescriptors || a.threads > mostThreads || a.memory > b.memory+b.memory/2+moreMemory {
			w.t.Errorf("%s keeps more and more", b.name)
		}
	}
	for _, name := range staying {
		if !slices.Contains(same, name) {
			w.t.Errorf("%s is not the process that it was", name)
		}
	}
}

// mostGoroutines is how many a program may have that has nothing to do: qmail-lspawn,
// the one that has most, needs two for each qmail-local that stays, and a few.
const mostGoroutines = 60

// goroutines ends the programs that stay by a signal at which Go tells what all
// goroutines are doing, and counts them. Meanwhile the others stand still.
func (w *world) goroutines() {
	w.t.Helper()
	for _, s := range w.services {
		s.last()
	}
	all := w.processes()
	for pid := range all {
		syscall.Kill(pid, syscall.SIGSTOP)
	}
	// qmail-send first: it would end at once, without a word, if one of the others did.
	for _, name := range staying {
		for pid, other := range all {
			if other == name {
				w.dump(pid, name)
			}
		}
	}
	for pid := range all {
		syscall.Kill(pid, syscall.SIGCONT)
	}
	for _, f := range w.held {
		f.Close()
	}
}

// dump ends a program that stands still, and counts its goroutines.
func (w *world) dump(pid int, name string) {
	w.t.Helper()
	if name == "qmail-send" {
		w.hold(pid)
	}
	before := w.stacks()
	syscall.Kill(pid, syscall.SIGABRT)
	syscall.Kill(pid, syscall.SIGCONT)
	w.until(name+" to end", func() bool { _, there := w.processes()[pid]; return !there })
	n := w.stacks() - before
	w.t.Logf("%s: %d goroutines", name, n)
	if n > mostGoroutines || n == 0 {
		w.t.Errorf("%s has %d goroutines, want 1 to %d", name, n, mostGoroutines)
	}
}

// hold holds the pipes of qmail-send to the others, who end when these do, until all
// are to go.
func (w *world) hold(pid int) {
	w.t.Helper()
	for _, fd := range []int{1, 3, 5, 7} {
		f, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/%d", pid, fd), os.O_WRONLY, 0)
		testhost.Must(w.t, err)
		w.held = append(w.held, f)
	}
}

// stacks counts the goroutines that logs tell of, but for those of Go's own.
func (w *world) stacks() (n int) {
	logs, _ := filepath.Glob("/var/log/*")
	for _, log := range logs {
		text, err := os.ReadFile(log)
		testhost.Must(w.t, err)
		for block := range strings.SplitSeq(string(text), "\n\n") {
			if strings.HasPrefix(block, "goroutine ") && !strings.Contains(block, "created by runtime.") {
				n++
			}
		}
	}
	return n
}
