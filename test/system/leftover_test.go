package system

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/smtpsink"
)

// TestLeftOver has a program that works for qmail-send stand still until qmail-send was
// killed, another one has ended the message, and its number is another message's. What
// the first qmail-send has asked for must not be done to that one.
func TestLeftOver(t *testing.T) {
	for _, tt := range []struct{ program, first, second string }{
		{"qmail-clean", "joe-first@here.test", "joe-second@here.test"},
		{"qmail-lspawn", "joe-first@here.test", "joe-second@here.test"},
		{"qmail-rspawn", "first@elsewhere.test", "second@elsewhere.test"},
	} {
		t.Run(tt.program, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			got := s.recipients()
			s.run()
			pid := s.pid(tt.program)
			s.must(syscall.Kill(pid, syscall.SIGSTOP))
			s.leaveOver(pid, tt.first, tt.second, func() { s.must(syscall.Kill(pid, syscall.SIGCONT)) })
			if want, got := fmt.Sprintf("%s: first\n%s: second\n", tt.first, tt.second), got(); got != want {
				t.Errorf("delivered was\n%swant\n%s", got, want)
			}
		})
	}
}

// TestLeftOverLate is the same with a qmail-clean that comes up when its qmail-send is gone.
func TestLeftOverLate(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	got := s.recipients()
	program, err := filepath.EvalSymlinks(filepath.Join(s.home.Bin, "qmail-clean"))
	s.must(err)
	s.replace("qmail-clean", "cd "+s.home.Dir+"\nif mkdir first 2>/dev/null; then until test -e go; do sleep 0.05; done; fi\nexec "+program)
	s.run()
	shell, err := filepath.EvalSymlinks("/bin/sh")
	s.must(err)
	pid := s.pid(filepath.Base(shell))
	const first, second = "joe-first@here.test", "joe-second@here.test"
	s.leaveOver(pid, first, second, func() { s.write("go", "") })
	if want, got := first+": first\n"+second+": second\n", got(); got != want {
		t.Errorf("delivered was\n%swant\n%s", got, want)
	}
}

// leaveOver has a process be asked to do something about the first message, which it does
// not get to until it may go on: when qmail-send was killed, another one has delivered that
// message, and its number is the second one's.
func (s *system) leaveOver(pid int, first, second string, goOn func()) {
	s.t.Helper()
	if code := s.queue("ann@here.test", []string{first}, []byte("Subject: first\n")); code != 0 {
		s.t.Fatalf("qmail-queue exits %d", code)
	}
	mess := s.message()
	s.asked(pid)
	s.signal(syscall.SIGKILL)
	s.released()
	s.start()
	s.wait("end msg "+filepath.Base(mess)+"\n", 1)
	s.signal(syscall.SIGTERM)
	s.released()
	s.restoreMessage(mess, second)
	goOn()
	s.until("what was left over to end", func() bool { return hasEnded(pid) })
	s.start()
	s.drain()
	s.signal(syscall.SIGTERM)
	s.released()
}

// recipients has mail for two users arrive, and mail for elsewhere. It returns what tells
// who has got which messages, by their subjects.
func (s *system) recipients() (got func() string) {
	var mu sync.Mutex
	var far []string
	s.sink(func(m *smtpsink.Message) error {
		mu.Lock()
		defer mu.Unlock()
		far = append(far, m.Recipients[0]+": "+subject(m.Text()))
		return nil
	})
	users := []string{"joe-first", "joe-second"}
	for _, user := range users {
		_, name, _ := strings.Cut(user, "-")
		for _, folder := range []string{"", "tmp", "new", "cur"} {
			s.must(os.Mkdir(filepath.Join(s.path(s.home.User), name, folder), 0o700))
		}
		s.must(os.WriteFile(filepath.Join(s.path(s.home.User), ".qmail-"+name), []byte("./"+name+"/\n"), 0o644))
	}
	s.own()
	return func() (all string) {
		for _, user := range users {
			_, name, _ := strings.Cut(user, "-")
			for _, text := range s.mails(filepath.Join(s.path(s.home.User), name)) {
				all += user + "@here.test: " + subject(text)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		return all + strings.Join(far, "")
	}
}

func subject(text []byte) string {
	_, rest, _ := bytes.Cut(text, []byte("\nSubject: "))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	return string(line) + "\n"
}

// message is the file of the only one in the queue.
func (s *system) message() string {
	s.t.Helper()
	found, err := filepath.Glob(s.path("queue/mess/*/*"))
	s.must(err)
	if len(found) != 1 {
		s.t.Fatalf("messages are %q", found)
	}
	return found[0]
}

// asked waits until a process that stands still has something to read.
func (s *system) asked(pid int) {
	s.t.Helper()
	commands, err := os.Open(fmt.Sprintf("/proc/%d/fd/0", pid))
	s.must(err)
	defer commands.Close()
	s.until("a command", func() bool {
		waiting, err := unix.IoctlGetInt(int(commands.Fd()), unix.TIOCINQ)
		s.must(err)
		return waiting > 0
	})
}

// pid is the process that runs a program, once there is one: qmail-send may be there first.
func (s *system) pid(program string) int {
	s.t.Helper()
	var pids []int
	s.until(program, func() bool {
		pids = s.pids(program)
		return len(pids) > 0
	})
	return pids[0]
}

// hasEnded reports whether a process runs no program any more.
func hasEnded(pid int) bool {
	_, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return err != nil
}

// released waits until no qmail-send has the queue.
func (s *system) released() {
	s.t.Helper()
	mutex, err := os.Open(s.path("queue/lock/sendmutex"))
	s.must(err)
	defer mutex.Close()
	s.must(unix.Flock(int(mutex.Fd()), unix.LOCK_EX))
}

// restoreMessage puts a message into todo that has the number of an earlier one, as
// qmail-queue does some time, or whoever restores a queue.
func (s *system) restoreMessage(mess, to string) {
	s.t.Helper()
	for name, text := range map[string]string{
		mess: "Received: (qmail 1 invoked by uid 1); 22 Nov 2026 00:00:00 -0000\nSubject: second\n",
		s.path("queue/todo/" + filepath.Base(mess)): "u1\x00p1\x00Fann@here.test\x00T" + to + "\x00",
	} {
		s.must(os.WriteFile(name, []byte(text), 0o644))
		s.must(os.Chown(name, s.uid, s.home.GID))
	}
}

func (s *system) until(what string, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("waiting for %s; log:\n%s", what, tail(s.logged()))
		}
	}
}
