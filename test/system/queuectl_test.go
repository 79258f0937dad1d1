package system

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/smtpsink"
)

// ctl runs qmail-queuectl, which must exit with that code.
func (s *system) ctl(code int, args ...string) string {
	s.t.Helper()
	cmd := s.command("qmail-queuectl", args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		s.t.Errorf("qmail-queuectl %q exits with %d, want %d\n%s%s", args, got, code, out, stderr.String())
	}
	return string(out)
}

// queued is what a test wants to know of a message in the queue.
type queued struct {
	Number     uint64
	State      string
	Sender     string
	Recipients []struct{ State, Address, Report string }
}

func (s *system) listed(args ...string) (all []queued) {
	s.t.Helper()
	s.must(json.Unmarshal([]byte(s.ctl(0, append([]string{"list", "-json"}, args...)...)), &all))
	return all
}

// numbers are those of all messages in the queue.
func (s *system) numbers() (all []string) {
	for _, m := range s.listed() {
		all = append(all, fmt.Sprint(m.Number))
	}
	return all
}

// A whole life of the tool, while mail flows.
func TestQueuectl(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	var refuse atomic.Bool
	refuse.Store(true)
	var arrived atomic.Int32
	s.sink(func(m *smtpsink.Message) error {
		if refuse.Load() && !strings.HasPrefix(m.Recipients[0], "flow") {
			return errors.New("not now")
		}
		arrived.Add(1)
		return nil
	})
	s.run()
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		flowed := 0
		for {
			select {
			case <-stop:
				stopped <- flowed
				return
			default:
				flowed++
				s.queue("list@here.test", []string{fmt.Sprintf("flow%d@far.test", flowed), "joe@here.test"}, []byte("Subject: flow\n\nb\n"))
			}
		}
	}()
	for _, sender := range []string{"hold", "bounce", "delete", "reroute", "retry"} {
		s.queue(sender+"@here.test", []string{"bob@" + sender + ".test"}, []byte("Subject: s\n\nb\n"))
	}
	s.wait(": deferral: ", 5)
	s.waitListed(func(m queued) bool { return m.Sender == "retry@here.test" && m.Recipients[0].Report != "" })
	if got := s.listed("-domain", "retry.test"); len(got) != 1 || !strings.Contains(got[0].Recipients[0].Report, "Remote host said: 451") {
		t.Errorf("got %+v", got)
	}
	if got := s.ctl(0, "count"); !strings.Contains(got, " retry.test\n") {
		t.Errorf("got %q", got)
	}
	s.ctl(0, "hold", "-sender", "hold@here.test")
	s.ctl(0, "delete", "-sender", "delete@here.test")
	s.ctl(0, "bounce", "-sender", "bounce@here.test")
	s.write("control/virtualdomains", "reroute.test:joe\n")
	s.signal(syscall.SIGHUP)
	s.write("joe/.qmail-bob", "./Maildir/\n")
	s.ctl(0, "reroute", "-sender", "reroute@here.test")
	s.wait("to local joe-bob@reroute.test", 1)
	refuse.Store(false)
	s.ctl(0, "retry", "-sender", "retry@here.test")
	close(stop)
	flowed := <-stopped
	s.wait("\nend msg ", flowed+5) // deleted, retried, rerouted, bounced, and the bounce
	s.signal(syscall.SIGALRM)      // does not touch what is held
	s.stop()                       // nor does another qmail-send
	s.run()
	if got := s.listed("-held"); len(got) != 1 || got[0].Sender != "hold@here.test" {
		t.Fatalf("held: %+v", got)
	}
	s.ctl(0, "release", "-held")
	s.wait("to remote bob@hold.test", 2)
	s.waitEmpty()
	s.stop()
	if got := int(arrived.Load()); got != flowed+2 {
		t.Errorf("%d messages arrived elsewhere, want %d", got, flowed+2)
	}
	if got := s.ctl(0, "check"); got != "the queue is in order\n" {
		t.Errorf("check: %q", got)
	}
}

// waitListed returns when a message in the queue is as wanted.
func (s *system) waitListed(want func(queued) bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, m := range s.listed() {
			if want(m) {
				return
			}
		}
	}
	s.t.Fatal("no message in the queue is as wanted")
}

// waitEmpty returns when nothing is left in the queue.
func (s *system) waitEmpty() {
	s.t.Helper()
	for end := time.Now().Add(patience); len(s.inQueue()) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%q are left", s.inQueue())
		}
	}
}

// What qmHandle and administrators do with the files of a running queue: read them,
// set back the time of info/N and send ALRM, and delete them one by one.
func TestQueueByHand(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.run()
	for _, sender := range []string{"joe@here.test", "deleted@here.test", "kept@here.test"} {
		if code := s.queue(sender, []string{"bob@far.test"}, []byte("Subject: s\n\nb\n")); code != 0 {
			t.Fatalf("qmail-queue exits with %d", code)
		}
	}
	s.wait(": deferral: ", 3)
	// qmHandle finds numbers below mess, and reads what info and remote have of them.
	bySender := map[string]string{}
	folders, err := os.ReadDir(s.path("queue/mess"))
	s.must(err)
	for _, folder := range folders {
		files, err := os.ReadDir(s.path("queue/mess/" + folder.Name()))
		s.must(err)
		for _, file := range files {
			name := folder.Name() + "/" + file.Name()
			info, err := os.ReadFile(s.path("queue/info/" + name))
			s.must(err)
			remote, err := os.ReadFile(s.path("queue/remote/" + name))
			s.must(err)
			if string(remote) != "Tbob@far.test\x00" {
				t.Errorf("remote/%s is %q", name, remote)
			}
			bySender[string(info)] = name
		}
	}
	old := time.Now().Add(-30 * 24 * time.Hour)
	s.must(os.Chtimes(s.path("queue/info/"+bySender["Fjoe@here.test\x00"]), old, old))
	for _, kind := range []string{"mess", "info", "remote"} {
		s.must(os.Remove(s.path("queue/" + kind + "/" + bySender["Fdeleted@here.test\x00"])))
	}
	s.signal(syscall.SIGALRM)
	s.wait(": failure: ", 1)
	s.wait("\nbounce msg "+filepath.Base(bySender["Fjoe@here.test\x00"])+" qp ", 1)
	s.wait(": deferral: ", 4)
	s.wait("\nend msg ", 2) // the one that expired, and its bounce
	if got := s.numbers(); len(got) != 1 || got[0] != filepath.Base(bySender["Fkept@here.test\x00"]) {
		t.Errorf("messages %v are left", got)
	}
	s.stop() // after which the files of messages that have ended are gone
	out, err := s.command("qmail-qstat").Output()
	s.must(err)
	if want := "messages in queue: 1\nmessages in queue but not yet preprocessed: 0\n"; string(out) != want {
		t.Errorf("qmail-qstat: %q, want %q", out, want)
	}
	mails := s.mails(s.home.Mailbox())
	if len(mails) != 1 || !strings.Contains(string(mails[0]), "this message has been in the queue too long.") {
		t.Errorf("got %q", mails)
	}
}

// Root may use the tool on a queue of others: what it writes without qmail-send is
// for that to read.
func TestQueuectlAsRoot(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	s := newSystem(t)
	s.run()
	for _, sender := range []string{"hold@here.test", "joe@here.test", "delete@here.test", "reroute@here.test"} {
		s.queue(sender, []string{"bob@far.test"}, []byte("Subject: s\n\nb\n"))
	}
	s.wait(": deferral: ", 4)
	s.stop()
	s.write("control/virtualdomains", "far.test:joe\n")
	s.write("joe/.qmail-bob", "./Maildir/\n")
	for _, args := range [][]string{{"hold", "-sender", "hold@*"}, {"bounce", "-sender", "joe@*"}, {"delete", "-sender", "delete@*"}, {"reroute", "-sender", "reroute@*"}, {"check"}} {
		cmd := exec.Command(filepath.Join(s.home.Bin, "qmail-queuectl"), args...)
		cmd.Env = append(os.Environ(), "QMAILHOME="+s.home.Dir)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "ok\n") && !strings.HasSuffix(string(out), "in order\n") {
			t.Errorf("qmail-queuectl %q: %v, %s", args, err, out)
		}
	}
	s.run()
	s.wait("\nend msg ", 3) // bounced, the bounce, rerouted
	s.stop()
	if got := s.listed(); len(got) != 1 || got[0].State != "held" {
		t.Errorf("%+v are left", got)
	}
	if got := len(s.mails(s.home.Mailbox())); got != 2 {
		t.Errorf("%d mails, want 2", got)
	}
}

// A queue that was copied is repaired, and its mail is delivered.
func TestQueueCopied(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	for i := range 20 {
		if code := s.queue("ann@here.test", []string{"joe@here.test"}, fmt.Appendf(nil, "Subject: %d\n\nb\n", i)); code != 0 {
			t.Fatalf("qmail-queue exits with %d", code)
		}
	}
	s.must(os.Rename(s.path("queue"), s.path("old")))
	if out, err := exec.Command("cp", "-a", s.path("old"), s.path("queue")).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v %s", err, out)
	}
	if got := s.ctl(111, "check"); strings.Count(got, "is inode") != 20 {
		t.Errorf("check: %s", got)
	}
	s.ctl(0, "repair")
	if got := s.ctl(0, "check"); got != "the queue is in order\n" {
		t.Errorf("after the repair: %s", got)
	}
	s.run()
	s.ctl(111, "repair") // not while it runs
	s.wait("\nend msg ", 20)
	s.stop()
	if got := len(s.mails(s.home.Mailbox())); got != 20 {
		t.Errorf("%d mails, want 20", got)
	}
}
