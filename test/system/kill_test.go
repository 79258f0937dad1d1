package system

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/smtpsink"
)

// victims are the programs that are killed.
var victims = []string{"qmail-queue", "qmail-send", "qmail-clean", "qmail-lspawn", "qmail-rspawn", "qmail-local", "qmail-remote"}

// ledger counts where messages arrive.
type ledger struct {
	mu      sync.Mutex
	arrived map[string]int
	broken  []string
}

// note takes a message that has arrived: its subject is its number, and its last
// line says that it is whole.
func (l *ledger) note(text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, rest, _ := bytes.Cut(text, []byte("\nSubject: "))
	number, _, _ := strings.Cut(string(rest), "\n")
	if !bytes.HasSuffix(text, []byte("\nThe end of "+number+".\n")) {
		l.broken = append(l.broken, number)
	}
	l.arrived[number]++
}

func numbered(i int) []byte {
	return fmt.Appendf(nil, "Subject: %d\n\n%sThe end of %d.\n", i, strings.Repeat("line after line after line\n", 200), i)
}

// Kill -9 at random moments, of each program, while 500 messages go to a maildir
// and to another host. Whatever qmail-queue has accepted arrives at least once and
// whole, and the queue ends empty.
func TestKill(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := newSystem(t)
	l := &ledger{arrived: map[string]int{}}
	s.sink(func(m *smtpsink.Message) error { l.note(m.Text()); return nil })
	s.keepRunning()

	killer := make(chan struct{})
	var kills sync.WaitGroup
	kills.Add(1)
	go func() {
		defer kills.Done()
		s.killAll(random, killer)
	}()
	accepted := s.queueMany(500)
	close(killer)
	kills.Wait()
	t.Logf("%d of 500 messages were accepted", len(accepted))
	s.drain()
	s.finish()
	for _, mail := range s.mails(s.home.Mailbox()) {
		l.note(mail)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	doubled := 0
	for _, i := range accepted {
		switch n := l.arrived[strconv.Itoa(i)]; {
		case n == 0:
			t.Errorf("message %d was accepted and is lost", i)
		case n > 1:
			doubled++
		}
	}
	t.Logf("%d messages arrived more than once", doubled)
	if len(l.broken) > 0 {
		t.Errorf("messages %q arrived in part", l.broken)
	}
}

// queueMany queues messages, several at a time, and returns which were accepted.
func (s *system) queueMany(count int) []int {
	var mu sync.Mutex
	var accepted []int
	var wg sync.WaitGroup
	next := make(chan int)
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range next {
				to := []string{"joe@here.test", "friend@elsewhere.test"}[i%2]
				if s.queue("ann@here.test", []string{to}, numbered(i)) == 0 {
					mu.Lock()
					accepted = append(accepted, i)
					mu.Unlock()
				}
			}
		}()
	}
	for i := range count {
		next <- i
	}
	close(next)
	wg.Wait()
	return accepted
}

// keepRunning starts the system, and again whenever it ends, until finish.
func (s *system) keepRunning() {
	s.start()
	s.stopped = make(chan struct{})
	s.stopping = make(chan struct{})
	go func() {
		defer close(s.stopped)
		for {
			s.waitEnd()
			select {
			case <-s.stopping:
				return
			default:
				s.start()
			}
		}
	}()
}

// finish ends what keepRunning began.
func (s *system) finish() {
	close(s.stopping)
	for _, pid := range s.pids("qmail-send") {
		syscall.Kill(pid, syscall.SIGTERM)
	}
	<-s.stopped
}

// killAll kills programs of the system until it is told to stop.
func (s *system) killAll(random *rand.Rand, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(random.IntN(40)) * time.Millisecond):
		}
		victim := victims[random.IntN(len(victims))]
		if pids := s.pids(victim); len(pids) > 0 {
			syscall.Kill(pids[random.IntN(len(pids))], syscall.SIGKILL)
		}
	}
}

// pids finds the processes that run a program of this home.
func (s *system) pids(program string) []int {
	var pids []int
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		environ, err := os.ReadFile(filepath.Join(name, "environ"))
		if err != nil || !bytes.Contains(environ, []byte("QMAILHOME="+s.home.Dir+"\x00")) {
			continue
		}
		exe, _ := os.Readlink(filepath.Join(name, "exe"))
		if filepath.Base(exe) == program {
			pid, _ := strconv.Atoi(filepath.Base(name))
			pids = append(pids, pid)
		}
	}
	return pids
}

// drain has qmail-send try everything until no message is left that was queued.
func (s *system) drain() {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for len(s.queuedMessages()) > 0 {
		if time.Now().After(deadline) {
			s.t.Fatalf("%q stay in the queue; log:\n%s", s.queuedMessages(), tail(s.logged()))
		}
		for _, pid := range s.pids("qmail-send") {
			syscall.Kill(pid, syscall.SIGALRM)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// queuedMessages lists what was accepted and is not done. A killed qmail-queue
// leaves other files, for a day and a half.
func (s *system) queuedMessages() []string {
	var names []string
	for _, name := range s.inQueue() {
		if !strings.HasPrefix(name, "mess/") && !strings.HasPrefix(name, "intd/") {
			names = append(names, name)
		}
	}
	return names
}
