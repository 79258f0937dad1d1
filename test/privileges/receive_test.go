package privileges

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/qq"
	"goqmail/internal/testhost"
)

// TestConfinedServer has qmail-smtpd take mail for one connection: confined while a
// qmail-queue stays; not if it may have to start a program, set-uid qmail-queue among
// them. It takes mail in any case.
func TestConfinedServer(t *testing.T) {
	if !onHost(t) {
		return
	}
	must(t, os.WriteFile(home+"/control/confine", []byte("2\n"), 0o644))
	must(t, os.WriteFile(home+"/control/rcpthosts", []byte("here.test\n"), 0o644))
	log := testhost.NewLog()
	send, _, _ := startSystem(t, log)
	log.Wait(t, "qmail-send: confined by no_new_privs", 1)
	for done, tt := range []struct {
		name     string
		env      string
		confined bool
	}{
		{"a qmail-queue stays", "NOTHING=", true},
		{"our own check of recipients", "OWN=", true},
		{"another takes the mail", "QMAILQUEUE=bin/qmail-queue", false},
		{"a check of recipients", "RCPTCHECK=/bin/true", false},
		{"none stays", "NOTHING=", false},
	} {
		if tt.name == "none stays" {
			must(t, syscall.Kill(send, syscall.SIGTERM))
			log.Wait(t, "status: exiting", 1)
			for end := time.Now().Add(patience); (qq.Queue{Home: home}).Stays(); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("qmail-queue stays after qmail-send has ended")
				}
			}
		}
		if strings.HasPrefix(tt.env, "OWN=") {
			must(t, os.WriteFile(home+"/control/rcptcheck", []byte("1\n"), 0o644))
		} else {
			os.Remove(home + "/control/rcptcheck")
		}
		replies, said := smtp(tt.env)
		if !strings.Contains(replies, "\n250 ok ") || strings.Contains(replies, "\n4") {
			t.Errorf("%s: replies %q, %s", tt.name, replies, said)
		}
		if got := strings.Contains(said, "qmail-smtpd: confined by no_new_privs"); got != tt.confined {
			t.Errorf("%s: confined is %v: %s", tt.name, got, said)
		}
		if tt.name == "none stays" {
			if got := len(inQueue(t, "todo/*")); got != 1 {
				t.Errorf("%s: %d messages in todo", tt.name, got)
			}
		} else {
			log.Wait(t, "end msg", done+1)
		}
	}
}

// smtp hands a message to qmail-smtpd, which qmaild runs, and returns the replies, and
// what came on descriptor 2.
func smtp(env string) (replies, said string) {
	cmd := exec.Command(home + "/bin/qmail-smtpd")
	cmd.Env = []string{"PATH=/bin:/usr/bin", "TCPREMOTEIP=192.0.2.1", "PROTO=TCP", env}
	cmd.SysProcAttr = testhost.As(qmaild, nofiles)
	cmd.Stdin = strings.NewReader("HELO x.test\r\nMAIL FROM:<>\r\nRCPT TO:<pat@here.test>\r\nDATA\r\nSubject: s\r\n\r\nb\r\n.\r\nQUIT\r\n")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil {
		errs.WriteString(err.Error())
	}
	return out.String(), errs.String()
}
