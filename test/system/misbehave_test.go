package system

import (
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// misbehave names the environment variable that makes the test's program behave
// like one of the system's that goes wrong.
const misbehave = "GOQMAIL_TEST_MISBEHAVE"

func behaveBadly(how string) int {
	switch how {
	case "panic":
		panic("as the test wants it")
	case "goroutine":
		go func() { panic("as the test wants it") }()
		select {}
	case "memory":
		var all [][]byte
		for {
			all = append(all, make([]byte, 256<<20))
			runtime.KeepAlive(all)
		}
	}
	return 0
}

// A program that dies, or is not there, leaves the message in the queue: nothing
// is bounced because of a bug of ours, and the message is delivered once the
// program works.
func TestCrashIsTemporary(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bad := func(how string) string {
		return "ulimit -c 0; ulimit -v 4000000; " + misbehave + "=" + how + " exec " + self
	}
	for _, tt := range []struct{ name, script string }{
		{"panic", bad("panic")},
		{"panic in a goroutine", bad("goroutine")},
		{"out of memory", bad("memory")},
		{"killed", "kill -9 $$"},
		{"segmentation fault", "ulimit -c 0; kill -SEGV $$"},
		{"missing", ""},
	} {
		for program, recipient := range map[string]string{"qmail-local": "joe@here.test", "qmail-remote": "bob@elsewhere.test"} {
			t.Run(program+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				s := newSystem(t)
				s.replace(program, tt.script)
				s.start()
				if code := s.queue("ann@here.test", []string{recipient}, []byte("Subject: s\n\nb\n")); code != 0 {
					t.Fatalf("qmail-queue exits with %d", code)
				}
				s.wait(": deferral: ", 1)
				s.stop()
				if log := s.logged(); strings.Contains(log, "failure") || strings.Contains(log, "bounce") {
					t.Errorf("the message is not kept:\n%s", log)
				}
				if left := s.inQueue(); len(left) != 3 { // mess, info and the recipient
					t.Errorf("%q are left", left)
				}
			})
		}
	}
}

// Bounces wait for a qmail-queue that works.
func TestCrashOfQueue(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	if code := s.queue("joe@here.test", []string{"nobody@here.test"}, []byte("Subject: s\n\nb\n")); code != 0 {
		t.Fatalf("qmail-queue exits with %d", code)
	}
	s.replace("qmail-queue", "kill -9 $$")
	s.start()
	s.wait("trouble injecting bounce message, will try later", 1)
	s.stop()
	s.restore("qmail-queue")
	s.start()
	s.wait("\nend msg ", 2)
	s.stop()
	if mails := s.mails(s.home.Mailbox()); len(mails) != 1 || !strings.Contains(string(mails[0]), "<nobody@here.test>:\nSorry, no mailbox here by that name. (#5.1.1)\n") {
		t.Errorf("got %q", mails)
	}
}

// The whole story of a message that nobody wants: a bounce, a double bounce to
// postmaster, and no more.
func TestDoubleBounce(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.write("control/doublebounceto", "gone\n")
	s.start()
	if code := s.queue("none@here.test", []string{"nobody@here.test"}, []byte("Subject: s\n\nb\n")); code != 0 {
		t.Fatalf("qmail-queue exits with %d", code)
	}
	s.wait("triple bounce: discarding bounce/", 1)
	s.wait("\nend msg ", 3)
	s.write("control/doublebounceto", "postmaster\n")
	s.signal(syscall.SIGHUP)
	s.wait("status: local 0/10 remote 0/20", 5)
	s.queue("none@here.test", []string{"nobody@here.test"}, []byte("Subject: s\n\nb\n"))
	s.wait("\nend msg ", 7) // message, bounce, double bounce, and that forwarded to joe
	s.stop()
	mails := s.mails(s.home.Mailbox())
	if len(mails) != 1 || !strings.Contains(string(mails[0]), "\nI tried to deliver a bounce message to this address, but the bounce bounced!\n") {
		t.Errorf("postmaster got %q", mails)
	}
	if left := s.inQueue(); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}
