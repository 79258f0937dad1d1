package chaos

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/testhost"
)

// world is the host, and all that goes on there.
type world struct {
	*ledger
	t          *testing.T
	seed       uint64
	chances    uint64 // how many sources there are
	clock      clock
	sink       *sink
	services   []*service
	collecting sync.Mutex
	held       []*os.File // see hold
}

// patience is after how long the test gives up waiting: long, as it only says that
// the test has failed.
const patience = 3 * time.Minute

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	makeHost(t)
	w := &world{ledger: newLedger(t, seed), t: t, seed: seed, clock: newClock(t)}
	w.sink = newSink(w)
	stop := make(chan struct{})
	go w.collect(stop)
	t.Cleanup(func() { close(stop) })
	return w
}

// chance is a new source of chances, for one part of the test.
func (w *world) chance() *rand.Rand {
	w.chances++
	return chance(w.seed, 1<<40+w.chances) // those below are for messages
}

// service is a program that is started again whenever it ends.
type service struct {
	args     []string
	log      *os.File
	mu       sync.Mutex
	process  *os.Process
	stopping bool
	starts   int
	done     chan struct{}
}

// pause goes before a program is started again.
const pause = 50 * time.Millisecond

// start starts the system.
func (w *world) start() {
	w.t.Helper()
	w.services = []*service{
		w.serve("send", "qmail-start", "./Maildir/"),
		w.serve("smtpd", "qmail-smtpd", "-listen", smtpPort),
		w.serve("qmtpd", "qmail-qmtpd", "-listen", qmtpPort),
	}
	w.until("the servers to listen", func() bool { return listens(smtpPort) && listens(qmtpPort) })
}

func (w *world) serve(name string, args ...string) *service {
	w.t.Helper()
	log, err := os.OpenFile(logOf(name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	testhost.Must(w.t, err)
	s := &service{args: args, log: log, done: make(chan struct{})}
	go s.run(w.t)
	return s
}

func logOf(name string) string { return "/var/log/" + name }

func (s *service) run(t *testing.T) {
	defer close(s.done)
	defer s.log.Close()
	for {
		cmd := exec.Command(filepath.Join(home, "bin", s.args[0]), s.args[1:]...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = "/", s.log, s.log
		cmd.Env = []string{"PATH=/var/qmail/bin:/usr/bin:/bin", "RELAYCLIENT="}
		s.mu.Lock()
		if s.stopping {
			s.mu.Unlock()
			return
		}
		if err := cmd.Start(); err != nil {
			t.Error(err)
			s.mu.Unlock()
			return
		}
		s.process = cmd.Process
		s.starts++
		s.mu.Unlock()
		cmd.Wait()
		time.Sleep(pause)
	}
}

// stop has the service end for good.
func (s *service) stop() {
	s.last()
	s.mu.Lock()
	if s.process != nil {
		s.process.Signal(syscall.SIGTERM)
	}
	s.mu.Unlock()
	<-s.done
}

// last has the service not be started again.
func (s *service) last() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
}

// signal sends a signal to the service.
func (s *service) signal(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.Signal(sig)
	}
}

// stop ends the system. No process may be left behind. What was given to it at last
// may have come into the queue after it was seen to be empty, and is delivered first.
func (w *world) stop() {
	w.t.Helper()
	for range 5 {
		began := time.Now()
		for i := len(w.services) - 1; i >= 0; i-- {
			w.services[i].stop()
			w.t.Logf("%s was started %d times, and has ended after %v", w.services[i].args[0], w.services[i].starts, time.Since(began).Round(time.Millisecond))
		}
		w.until("all processes to end", func() bool { return len(w.processes()) == 0 })
		w.t.Logf("all processes have ended after %v", time.Since(began).Round(time.Millisecond))
		w.collectOnce()
		if len(queued()) == 0 {
			w.readLogs()
			return
		}
		w.start()
		w.settle()
	}
	w.t.Errorf("the queue does not stay empty: %q", queued())
}

// until waits for something. What it is waited for says what has not come.
func (w *world) until(what string, is func() bool) {
	w.t.Helper()
	for give := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(give) {
			w.t.Fatalf("waiting for %s; there are %v; log:\n%s", what, w.processes(), w.tail())
		}
	}
}

// settle waits until all that was accepted has arrived, and the queue is empty.
func (w *world) settle() {
	w.t.Helper()
	began, last, since := time.Now(), -1, time.Now()
	for {
		w.collectOnce()
		if w.left() == 0 && len(queued()) == 0 && !w.submitting() {
			break
		}
		if total := w.total(); total != last {
			last, since = total, time.Now()
		}
		if time.Since(since) > patience {
			w.t.Errorf("%d recipients still wait, and these in the queue: %q; log:\n%s", w.left(), queued(), w.tail())
			w.keep()
			break
		}
		w.services[0].signal(syscall.SIGALRM)
		w.nextArrival(500 * time.Millisecond)
	}
	w.collectOnce()
	w.t.Logf("the queue is empty after %v", time.Since(began).Round(time.Millisecond))
}

// keep keeps logs, queue and mailboxes in the folder that $CHAOS_KEEP names, for whoever
// wants to know what has become of a message.
func (w *world) keep() {
	dir := os.Getenv("CHAOS_KEEP")
	if dir == "" {
		return
	}
	dir = filepath.Join(dir, fmt.Sprintf("storm.%d", w.part))
	testhost.Must(w.t, os.MkdirAll(dir, 0o700))
	if out, err := exec.Command("cp", "-a", "/var/log", home+"/queue", "/home", dir).CombinedOutput(); err != nil {
		w.t.Errorf("keeping: %v: %s", err, out)
	}
}

// nextArrival waits for one, but not for ever.
func (w *world) nextArrival(limit time.Duration) {
	before := w.total()
	w.mu.Lock()
	defer w.mu.Unlock()
	late := false
	timer := time.AfterFunc(limit, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		late = true
		w.changed.Broadcast()
	})
	defer timer.Stop()
	for !late && w.arrived == before {
		w.changed.Wait()
	}
}

// submitting reports whether a qmail-queue is at work, but for the one that stays.
func (w *world) submitting() bool {
	for pid, name := range w.processes() {
		args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if name == "qmail-queue" && !bytes.Contains(args, []byte("\x00-serve")) {
			return true
		}
	}
	return false
}

// queued lists the files of messages that were accepted.
func queued() []string { return inQueue("todo/*", "info/*/*", "local/*/*", "remote/*/*", "bounce/*") }

func inQueue(patterns ...string) (names []string) {
	for _, pattern := range patterns {
		found, _ := filepath.Glob(filepath.Join(home, "queue", pattern))
		for _, name := range found {
			names = append(names, strings.TrimPrefix(name, home+"/queue/"))
		}
	}
	return names
}

// processes are those of the host, by their ids, but for those of the test.
func (w *world) processes() map[int]string {
	all := map[int]string{}
	self, _ := os.Readlink("/proc/self/exe")
	entries, err := os.ReadDir("/proc")
	if err != nil {
		w.t.Error(err)
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == 1 || pid == os.Getpid() {
			continue
		}
		// One that has ended has none; ours is a child that is to become another.
		if exe, err := os.Readlink("/proc/" + entry.Name() + "/exe"); err == nil && exe != self {
			all[pid] = filepath.Base(exe)
		}
	}
	return all
}

// tail is the end of the log of qmail-send.
func (w *world) tail() string {
	text, _ := os.ReadFile(logOf("send"))
	return string(text[max(0, len(text)-4000):])
}

// troubles are words that no program may ever say.
var troubles = []string{"panic:", "fatal error:", "mangled", "internal bug", "trouble: "}

// readLogs looks for troubles, and for alerts.
func (w *world) readLogs() {
	alerts := map[string]int{}
	for _, service := range []string{"send", "smtpd", "qmtpd"} {
		text, err := os.ReadFile(logOf(service))
		testhost.Must(w.t, err)
		for line := range strings.Lines(string(text)) {
			for _, trouble := range troubles {
				if strings.Contains(line, trouble) {
					w.t.Errorf("log of %s: %s", service, line)
				}
			}
			if kind, _, _ := strings.Cut(line, ":"); kind == "alert" || kind == "warning" {
				alerts[strings.Trim(strings.Map(noDigit, line), "\n")]++
			}
		}
		testhost.Must(w.t, os.Truncate(logOf(service), 0))
	}
	for line, times := range alerts {
		w.t.Logf("%6d times: %s", times, line)
	}
}

func noDigit(r rune) rune {
	if '0' <= r && r <= '9' {
		return -1
	}
	return r
}

// garbage looks at what the storm has left in the queue: nothing but what is older
// than a day and a half some time. Then it is gone.
func (w *world) garbage() {
	w.t.Helper()
	w.t.Logf("killed programs have left %d files in mess, %d in intd, %d in pid, and %d in maildirs",
		len(inQueue("mess/*/*")), len(inQueue("intd/*")), len(inQueue("pid/*")), len(leftInMaildirs()))
	w.clock.set(3 * 24 * time.Hour) // the clock may have been a day ahead
	w.start()
	w.until("what was left in mess and pid to go", func() bool { return len(inQueue("mess/*/*", "pid/*")) == 0 })
	w.stop()
	w.clock.set(0)
	w.t.Logf("three days later there are %d in mess and pid, and %d in intd", len(inQueue("mess/*/*", "pid/*")), len(inQueue("intd/*")))
}

func leftInMaildirs() (names []string) {
	names, _ = filepath.Glob("/home/*/Maildir/tmp/*")
	return names
}
