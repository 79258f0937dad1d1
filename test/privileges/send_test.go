package privileges

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/testhost"
)

// TestConfinedSend has a confined qmail-send do what it is there for: deliver, bounce
// by way of the qmail-queue that stays, read its control files again. When that
// qmail-queue is gone it ends, as without a spawner, since it could start no other.
func TestConfinedSend(t *testing.T) {
	if !onHost(t) {
		return
	}
	must(t, os.WriteFile(home+"/control/confine", []byte("2\n"), 0o644))
	must(t, os.WriteFile(home+"/control/smtproutes", []byte(":127.0.0.1:1\n"), 0o644))
	log := testhost.NewLog()
	send, _, _ := startSystem(t, log)
	log.Wait(t, "qmail-send: confined by no_new_privs", 1)

	queueMessage(t, "nobody-here@here.test") // from eve
	log.Wait(t, "bounce msg", 1)
	log.Wait(t, "end msg", 2)
	if mail, _ := os.ReadFile("/home/eve/Mailbox"); !strings.Contains(string(mail), "failure notice") {
		t.Errorf("eve has %q\n%s", mail, log)
	}

	must(t, os.WriteFile(home+"/control/locals", []byte("here.test\nother.test\n"), 0o644))
	must(t, syscall.Kill(send, syscall.SIGHUP))
	queueMessage(t, "pat@here.test") // is taken in after the signal
	log.Wait(t, "end msg", 3)
	queueMessage(t, "pat@other.test")
	log.Wait(t, "end msg", 4)
	if mail, _ := os.ReadFile("/home/pat/Mailbox"); strings.Count(string(mail), "\nSubject: s\n") != 2 {
		t.Errorf("pat has %q\n%s", mail, log)
	}

	for _, pid := range pids(t) {
		if status := statusOf(t, proc(pid)+"/status"); status["Name"] == "qmail-queue" {
			must(t, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
	log.Wait(t, "alert: oh no! lost qmail-queue connection! dying...", 1)
	log.Wait(t, "status: exiting", 1)
	if text := log.String(); strings.Contains(text, "warning: not") || strings.Contains(text, "denied") {
		t.Error(text)
	}
}
