package system

import (
	"os"
	"strings"
	"sync"
	"testing"

	"goqmail/internal/smtpsink"
)

// TestNullClient is a host with one control file, the route to its smarthost. What
// cron and users send waits while the smarthost cannot be reached, and then leaves
// once.
func TestNullClient(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the whole system")
	}
	s := newSystem(t)
	s.must(os.RemoveAll(s.path("control")))
	s.must(os.Mkdir(s.path("control"), 0o755))
	s.write("control/smtproutes", ":127.0.0.1:1\n")
	s.run()
	s.submit("From: root (Cron Daemon)\nTo: root\nSubject: one\n\n", "-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root")
	s.submit("Subject: two\n\n", "sue@far.example", "sue@FAR.example")
	s.wait(": deferral: Sorry", 2)
	s.stop()

	var mu sync.Mutex
	var got []*smtpsink.Message
	s.sink(func(m *smtpsink.Message) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, m)
		return nil
	})
	s.run()
	s.submit("", "-q")
	s.wait("end msg", 2)
	s.stop()
	if left := s.inQueue(); len(left) != 0 {
		t.Errorf("left in the queue: %q", left)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(got) != 2 {
		t.Fatalf("%d messages left the host, want 2", len(got))
	}
	for _, m := range got {
		name, _, _ := strings.Cut(strings.TrimPrefix(m.Sender, "root@"), "@")
		switch {
		case strings.Contains(string(m.Text()), "\nSubject: one\n"):
			if len(m.Recipients) != 1 || !strings.HasPrefix(m.Sender, "root@") || m.Recipients[0] != "root@"+name {
				t.Errorf("the first is from %q to %q", m.Sender, m.Recipients)
			}
		case len(m.Recipients) != 1 || m.Recipients[0] != "sue@far.example" || !strings.HasPrefix(m.Sender, "joe@"):
			t.Errorf("the second is from %q to %q", m.Sender, m.Recipients)
		}
	}
}

// submit hands a message to sendmail.
func (s *system) submit(message string, args ...string) {
	s.t.Helper()
	cmd := s.command("sendmail", args...)
	cmd.Stdin = strings.NewReader(message)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v: %s", strings.Join(append([]string{"sendmail"}, args...), " "), err, out)
	}
}
