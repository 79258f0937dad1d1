package system

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/exitcode"
)

// onTmpfs puts the queue on a small file system of its own.
func (s *system) onTmpfs(size string) {
	s.t.Helper()
	if os.Getuid() != 0 {
		s.t.Skip("only root can mount a small file system")
	}
	dir := s.path("queue")
	s.must(os.RemoveAll(dir))
	s.must(os.Mkdir(dir, 0o750))
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		s.t.Skipf("mounting a tmpfs: %v", err)
	}
	s.t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	s.must(s.home.Make())
	s.own()
}

// fill leaves no byte free, and returns what gives the space back.
func (s *system) fill() (empty func()) {
	s.t.Helper()
	name := s.path("queue/filler")
	f, err := os.Create(name)
	s.must(err)
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	return func() { os.Remove(name) }
}

// A full disk: new mail is refused for now, what is queued stays, and a bounce
// that finds no space is written when there is some.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.onTmpfs("4m")
	message := []byte("Subject: s\n\nbody\n")
	gate := s.path("joe/gate")
	s.write("joe/.qmail-wait", "|test -e gate || exit 111; echo 'No entry.'; exit 100\n")
	s.start()
	if code := s.queue("joe@here.test", []string{"joe-wait@here.test"}, message); code != 0 {
		t.Fatalf("qmail-queue exits with %d", code)
	}
	s.wait(": deferral: ", 1)

	empty := s.fill()
	if code := s.queue("ann@here.test", []string{"joe@here.test"}, message); code != exitcode.QueueWrite {
		t.Errorf("on a full disk qmail-queue exits with %d, want %d", code, exitcode.QueueWrite)
	}
	s.write("joe/gate", "")
	s.signal(syscall.SIGALRM)
	s.wait("alert: unable to append to bounce message; HELP! sleeping...", 1)
	empty()
	s.wait("\nend msg ", 2) // the message, and its bounce
	os.Remove(gate)
	s.queue("ann@here.test", []string{"joe@here.test"}, message)
	s.wait("\nend msg ", 3)
	s.stop()
	if left := s.inQueue(); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
	if mails := s.mails(s.home.Mailbox()); len(mails) != 2 || strings.Count(fmt.Sprintf("%s", mails), "No entry.") != 1 {
		t.Errorf("%d mails came, want the bounce and a message: %q", len(mails), mails)
	}
}

// A message that is too large for what is left of the disk leaves nothing behind.
func TestMessageFillsDisk(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.onTmpfs("2m")
	big := []byte("Subject: big\n\n" + strings.Repeat("0123456789abcdef\n", 200<<10))
	if code := s.queue("ann@here.test", []string{"joe@here.test"}, big); code != exitcode.QueueWrite {
		t.Errorf("qmail-queue exits with %d, want %d", code, exitcode.QueueWrite)
	}
	if left := s.inQueue(); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
	if pid, _ := filepath.Glob(s.path("queue/pid/*")); len(pid) > 0 {
		t.Errorf("%q are left", pid)
	}
}

// A file system that turns read-only under the system, and back.
func TestReadOnlyQueue(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.onTmpfs("4m")
	s.replace("qmail-local", "exit 111")
	s.start()
	message := []byte("Subject: s\n\nbody\n")
	if code := s.queue("ann@here.test", []string{"joe@here.test"}, message); code != 0 {
		t.Fatalf("qmail-queue exits with %d", code)
	}
	s.wait(": deferral: ", 1)
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("tmpfs", s.path("queue"), "tmpfs", syscall.MS_REMOUNT|flags, "size=4m"); err != nil {
			t.Skipf("remounting: %v", err)
		}
	}
	// A file that is open for writing keeps its file system from being read-only:
	// qmail-send's lock is one.
	s.stop()
	remount(syscall.MS_RDONLY)
	if code := s.queue("ann@here.test", []string{"joe@here.test"}, message); code != exitcode.QueuePid {
		t.Errorf("on a read-only queue qmail-queue exits with %d, want %d", code, exitcode.QueuePid)
	}
	s.start()
	s.wait("alert: cannot start: unable to open mutex", 1)
	s.waitEnd()
	remount(0)
	s.restore("qmail-local")
	s.run()
	s.signal(syscall.SIGALRM)
	s.drain()
	s.stop()
	if mails := s.mails(s.home.Mailbox()); len(mails) != 1 {
		t.Errorf("%d mails came, want 1", len(mails))
	}
}

// A queue that belongs to somebody else: the documented exit codes, and nothing
// is lost.
func TestWrongOwner(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	for folder, want := range map[string]int{
		"": exitcode.QueueFolder, "pid": exitcode.QueuePid, "mess": exitcode.QueueFolder, "intd": exitcode.QueueIntd, "todo": exitcode.QueueTodo,
	} {
		s := newSystem(t)
		dir := s.path("queue/" + folder)
		s.must(os.Chown(dir, 0, 0))
		s.must(os.Chmod(dir, 0o700))
		if code := s.queue("ann@here.test", []string{"joe@here.test"}, []byte("m\n")); code != want {
			t.Errorf("with queue/%s of root's, qmail-queue exits with %d, want %d", folder, code, want)
		}
		s.own()
		if left := s.inQueue(); len(left) > 0 {
			t.Errorf("with queue/%s of root's, %q are left", folder, left)
		}
	}
	s := newSystem(t)
	if code := s.queue("ann@here.test", []string{"joe@here.test"}, []byte("Subject: s\n\nm\n")); code != 0 {
		t.Fatalf("qmail-queue exits with %d", code)
	}
	mess, _ := filepath.Glob(s.path("queue/mess/*/*"))
	s.must(os.Chown(mess[0], 1, 1))
	s.start()
	s.wait("deferral: Sorry,_message_has_wrong_owner._(#4.3.5)/", 1)
	s.own()
	s.signal(syscall.SIGALRM)
	s.wait("\nend msg ", 1)
	s.stop()
	if mails := s.mails(s.home.Mailbox()); len(mails) != 1 {
		t.Errorf("%d mails came, want 1", len(mails))
	}
}

// A control file that cannot be read: nothing starts, with a line that says so,
// and later nothing changes.
func TestUnreadableControls(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.must(os.Mkdir(s.path("control/virtualdomains"), 0o755))
	s.start()
	s.wait("alert: cannot start: unable to read controls", 1)
	s.waitEnd()
	if code := s.process.ProcessState.ExitCode(); code != exitcode.Soft {
		t.Errorf("qmail-send exits with %d, want %d", code, exitcode.Soft)
	}
	s.must(os.Remove(s.path("control/virtualdomains")))
	s.start()
	s.wait("status: local 0/10", 1)
	s.must(os.Mkdir(s.path("control/virtualdomains"), 0o755))
	s.signal(syscall.SIGHUP)
	s.wait("alert: unable to reread control/virtualdomains", 1)
	s.queue("ann@here.test", []string{"joe@here.test"}, []byte("Subject: s\n\nm\n"))
	s.wait("\nend msg ", 1)
	s.stop()

	s.must(os.Mkdir(s.path("control/smtproutes.d"), 0o755))
	s.must(os.Remove(s.path("control/smtproutes")))
	s.must(os.Rename(s.path("control/smtproutes.d"), s.path("control/smtproutes")))
	s.must(os.Remove(s.path("control/virtualdomains")))
	s.start()
	s.queue("ann@here.test", []string{"bob@elsewhere.test"}, []byte("Subject: s\n\nm\n"))
	s.wait(": deferral: ", 1)
	s.stop()

	s.must(os.Remove(s.path("control/me")))
	s.must(os.Mkdir(s.path("control/me"), 0o755))
	inject := s.command("qmail-inject", "joe@here.test")
	inject.Stdin = strings.NewReader("Subject: s\n\n")
	out, err := inject.CombinedOutput()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != exitcode.Soft || !strings.Contains(string(out), "qmail-inject: fatal: ") {
		t.Errorf("with an unreadable control/me, qmail-inject says %q, %v", out, err)
	}
}
