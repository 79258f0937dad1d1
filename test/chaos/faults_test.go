package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// faults go on beside the traffic.
type faults struct {
	w     *world
	stop  chan struct{}
	group sync.WaitGroup

	mu     sync.Mutex
	counts map[string]int
}

func (w *world) faults() *faults {
	return &faults{w: w, counts: map[string]int{}}
}

// begin starts some of them, each with chances of its own.
func (f *faults) begin(all ...func(*rand.Rand)) {
	f.stop = make(chan struct{})
	f.w.sink.flaky.Store(true)
	for _, fault := range all {
		r := f.w.chance()
		f.group.Go(func() { fault(r) })
	}
}

// end ends them, and sets right what they have done.
func (f *faults) end() {
	close(f.stop)
	f.group.Wait()
	f.w.sink.flaky.Store(false)
	f.w.clock.set(0)
	for pid := range f.w.processes() {
		syscall.Kill(pid, syscall.SIGCONT)
	}
}

// wait waits, and reports whether to go on.
func (f *faults) wait(d time.Duration) bool {
	select {
	case <-f.stop:
		return false
	case <-time.After(d):
		return true
	}
}

func (f *faults) count(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[what]++
}

func (f *faults) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for what, n := range f.counts {
		all = append(all, fmt.Sprintf("%s %d", what, n))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// victim is a process of any program that is running: each program is as likely as the
// others, whatever it has processes.
func (f *faults) victim(r *rand.Rand) (pid int, name string) {
	byName := map[string][]int{}
	for pid, name := range f.w.processes() {
		byName[name] = append(byName[name], pid)
	}
	var names []string
	for name := range byName {
		names = append(names, name)
	}
	if len(names) == 0 {
		return 0, ""
	}
	slices.Sort(names)
	name = names[r.IntN(len(names))]
	return byName[name][r.IntN(len(byName[name]))], name
}

// kills kills processes.
func (f *faults) kills(r *rand.Rand) {
	for f.wait(between(r, 0, 500*time.Millisecond)) {
		for range 1 + r.IntN(3) {
			if pid, name := f.victim(r); pid > 0 && syscall.Kill(pid, syscall.SIGKILL) == nil {
				f.count("killed " + name)
			}
		}
	}
}

// leftovers has a program that works for qmail-send stand still until qmail-send was
// killed and started again: it goes on with what the first one has asked for.
func (f *faults) leftovers(r *rand.Rand) {
	for f.wait(between(r, 0, 3*time.Second)) {
		name := []string{"qmail-clean", "qmail-lspawn", "qmail-rspawn"}[r.IntN(3)]
		for pid, other := range f.w.processes() {
			if other != name || syscall.Kill(pid, syscall.SIGSTOP) != nil {
				continue
			}
			f.wait(between(r, 0, 100*time.Millisecond))
			f.w.services[0].signal(syscall.SIGKILL)
			f.wait(between(r, 0, 2*time.Second))
			syscall.Kill(pid, syscall.SIGCONT)
			f.count("left over " + name)
			break
		}
	}
}

// restarts ends services as an administrator does, and they are started again.
func (f *faults) restarts(r *rand.Rand) {
	for f.wait(between(r, 0, 10*time.Second)) {
		s := f.w.services[r.IntN(len(f.w.services))]
		s.signal(syscall.SIGTERM)
		f.count("TERM")
	}
}

// stops has processes stand still for a moment.
func (f *faults) stops(r *rand.Rand) {
	for f.wait(between(r, 0, 4*time.Second)) {
		pid, _ := f.victim(r)
		if pid == 0 || syscall.Kill(pid, syscall.SIGSTOP) != nil {
			continue
		}
		f.count("stopped")
		f.wait(between(r, 0, time.Second))
		syscall.Kill(pid, syscall.SIGCONT)
	}
}

// signals has qmail-send try all, and read its settings, which change.
func (f *faults) signals(r *rand.Rand) {
	for f.wait(between(r, 0, 2*time.Second)) {
		if r.IntN(3) > 0 {
			f.w.services[0].signal(syscall.SIGALRM)
			f.count("ALRM")
			continue
		}
		for _, name := range []string{"concurrencylocal", "concurrencyremote"} {
			tmp := filepath.Join(home, "control", name+".tmp")
			if err := os.WriteFile(tmp, fmt.Appendf(nil, "%d\n", 1+r.IntN(40)), 0o644); err != nil {
				f.w.t.Error(err)
			}
			if err := os.Rename(tmp, strings.TrimSuffix(tmp, ".tmp")); err != nil {
				f.w.t.Error(err)
			}
		}
		f.w.services[0].signal(syscall.SIGHUP)
		f.count("HUP")
	}
}

// jumps sets the clock: it is right, a day ahead, or a day behind.
func (f *faults) jumps(r *rand.Rand) {
	const day = 24 * time.Hour
	for f.wait(between(r, 0, 3*time.Second)) {
		f.w.clock.set([]time.Duration{0, day, -day}[r.IntN(3)])
		f.count("clock set")
	}
}

// outages has the other host be away.
func (f *faults) outages(r *rand.Rand) {
	for f.wait(between(r, time.Second, 10*time.Second)) {
		f.w.sink.away()
		f.wait(between(r, 0, time.Second))
		f.w.sink.listen()
		f.count("other host away")
	}
}

// fills fills a file system, and empties it.
func (f *faults) fills(r *rand.Rand) {
	for f.wait(between(r, 0, 8*time.Second)) {
		dir := []string{filepath.Join(home, "queue"), "/home"}[r.IntN(2)]
		filler := filepath.Join(dir, "filler")
		if err := os.Mkdir(filler, 0o700); err != nil {
			continue // full already
		}
		switch r.IntN(3) {
		case 0:
			f.takeInodes(filler)
			f.count("no inodes left")
		case 1:
			f.takeBytes(filler, 0)
			f.count("no bytes left")
		case 2:
			f.takeBytes(filler, r.IntN(100)<<12)
			f.count("few bytes left")
		}
		f.wait(between(r, 100*time.Millisecond, 1500*time.Millisecond))
		if err := os.RemoveAll(filler); err != nil {
			f.w.t.Error(err)
		}
	}
}

// takeBytes takes all space, and gives some back.
func (f *faults) takeBytes(dir string, back int) {
	file, err := os.Create(filepath.Join(dir, "bytes"))
	if err != nil {
		return
	}
	defer file.Close()
	size := 0
	for _, block := range []int{1 << 20, 4096} {
		for err = nil; err == nil; {
			var n int
			n, err = file.Write(make([]byte, block))
			size += n
		}
	}
	file.Truncate(int64(max(0, size-back)))
}

// takeInodes takes all inodes.
func (f *faults) takeInodes(dir string) {
	for i := 0; ; i++ {
		if syscall.Mknod(filepath.Join(dir, fmt.Sprint(i)), syscall.S_IFREG|0o600, 0) != nil {
			return
		}
	}
}
