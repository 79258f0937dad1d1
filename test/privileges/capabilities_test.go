package privileges

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"goqmail/internal/exitcode"
	"goqmail/internal/testhost"
)

// bounded is the environment variable that makes the test's program run the one that
// its arguments name, with no other capabilities than those: numbers and commas.
const bounded = "PRIVILEGES_TEST_CAPABILITIES"

func runBounded(numbers string) int {
	runtime.LockOSThread()
	for c := 0; unix.Prctl(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0) == nil; c++ {
		if !slices.Contains(strings.Split(numbers, ","), strconv.Itoa(c)) {
			if unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0) != nil {
				return exitcode.Soft
			}
		}
	}
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, bounded+"=") {
			env = append(env, entry)
		}
	}
	syscall.Exec(os.Args[1], os.Args[1:], env)
	return exitcode.Soft
}

// unitCapabilities are those that the unit for systemd leaves to the system.
func unitCapabilities(t *testing.T) []string {
	t.Helper()
	unit, err := os.ReadFile("../../packaging/systemd/goqmail.service")
	must(t, err)
	for line := range strings.Lines(string(unit)) {
		if set, ok := strings.CutPrefix(line, "CapabilityBoundingSet="); ok {
			return strings.Fields(set)
		}
	}
	t.Fatal("the unit says nothing of capabilities")
	return nil
}

var capabilities = map[string]int{"CAP_SETUID": unix.CAP_SETUID, "CAP_SETGID": unix.CAP_SETGID, "CAP_KILL": unix.CAP_KILL}

// TestCapabilities starts the system as root with the capabilities that the unit for
// systemd leaves it, and no others: qmail-lspawn delivers to a user whose home is
// closed to others. Without one of those that make a user of root it does not, and
// the message waits.
func TestCapabilities(t *testing.T) {
	if !onHost(t) {
		return
	}
	must(t, os.Chmod("/home/pat", 0o700))
	all := unitCapabilities(t)
	for i, without := range append([]string{""}, all...) {
		var numbers []string
		want := 0
		for _, name := range all {
			number, ok := capabilities[name]
			if !ok {
				t.Fatalf("the unit has %s, and this test says nothing of it", name)
			}
			if name != without {
				numbers = append(numbers, strconv.Itoa(number))
				want |= 1 << number
			}
		}
		log := testhost.NewLog()
		cmd := exec.Command("/proc/self/exe", home+"/bin/qmail-start", "./Mailbox")
		cmd.Env = []string{"PATH=/usr/bin:/bin", bounded + "=" + strings.Join(numbers, ",")}
		cmd.Stdout, cmd.Stderr = log, log
		must(t, cmd.Start())
		switch without {
		case "CAP_SETUID", "CAP_SETGID": // not even qmail-start can become another user
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != exitcode.Soft || !strings.Contains(log.String(), "operation not permitted") {
				t.Errorf("without %s: exit code %d, %s", without, code, log)
			}
			continue
		}
		log.Wait(t, "status: local 0/10 remote 0/20\n", 1)
		if got := capabilitiesOf(t, "qmail-lspawn"); got != want {
			t.Errorf("qmail-lspawn has capabilities %x, want %x", got, want)
		}
		queueMessage(t, "pat@here.test")
		log.Wait(t, "end msg", 1)
		must(t, cmd.Process.Signal(syscall.SIGTERM))
		cmd.Wait()
		mail, err := os.ReadFile("/home/pat/Mailbox")
		if got := strings.Count(string(mail), "\nSubject: s\n"); err != nil || strings.Count(log.String(), ": success: ") != 1 || got == 0 {
			t.Errorf("round %d, without %q: %d messages, %v, %s", i, without, got, err, log)
		}
	}
}

// capabilitiesOf returns those of a program, which has no more than these in any of
// its sets.
func capabilitiesOf(t *testing.T, name string) int {
	t.Helper()
	for _, pid := range pids(t) {
		status := statusOf(t, filepath.Join("/proc", strconv.Itoa(pid), "status"))
		if status["Name"] != name {
			continue
		}
		var got int
		for _, set := range []string{"CapPrm", "CapEff", "CapBnd"} {
			n, err := strconv.ParseInt(status[set], 16, 64)
			must(t, err)
			got |= int(n)
		}
		return got
	}
	t.Fatal(fmt.Sprint(name, " does not run"))
	return 0
}
