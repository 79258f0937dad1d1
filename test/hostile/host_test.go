package hostile

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/testhost"
)

const (
	home = testhost.Home
	pat  = testhost.Pat
	eve  = testhost.Eve // is hostile
)

// onHost runs the rest of a test on a host of its own. It reports whether this is the
// process that is to go on.
func onHost(t *testing.T) bool {
	t.Helper()
	return testhost.On(t)
}

// host is a system for all users of a host.
type host struct {
	t      *testing.T
	log    *testhost.Log
	start  *exec.Cmd
	queued int
}

// newHost starts the system, with a limit of the processes of each user, if there is
// one, as the administrator would set it.
func newHost(t *testing.T, processes int) *host {
	t.Helper()
	h := &host{t: t, log: testhost.NewLog()}
	must(t, os.WriteFile(home+"/control/smtproutes", []byte(":127.0.0.1:1\n"), 0o644))
	limit := "exec bin/qmail-start ./Maildir/"
	if processes > 0 {
		limit = fmt.Sprintf("ulimit -u %d; ", processes) + limit
	}
	h.start = exec.Command("/bin/bash", "-c", limit)
	h.start.Env, h.start.Dir = []string{"PATH=/usr/bin:/bin"}, home
	h.start.Stdout, h.start.Stderr = h.log, h.log
	for name, uid := range map[string]int{"pat": pat, "eve": eve} {
		maildir(t, "/home/"+name+"/Maildir", uid)
	}
	place(t, "/home/pat/.qmail-default", "./Maildir/\n", pat)
	must(t, h.start.Start())
	h.log.Wait(t, "status: local 0/10 remote 0/20\n", 1)
	return h
}

// maildir makes one that belongs to a user.
func maildir(t *testing.T, name string, uid int) {
	t.Helper()
	for _, folder := range []string{"", "/tmp", "/new", "/cur"} {
		must(t, os.MkdirAll(name+folder, 0o700))
		must(t, os.Chown(name+folder, uid, uid))
	}
}

// place writes a file of a user's.
func place(t *testing.T, name, text string, uid int) {
	t.Helper()
	must(t, os.WriteFile(name, []byte(text), 0o600))
	must(t, os.Chown(name, uid, uid))
}

// submission is a message from nobody to local users.
func submission(text string, to ...string) *exec.Cmd {
	cmd := exec.Command(home + "/bin/qmail-queue")
	cmd.Stdin = strings.NewReader(text)
	r, w, err := os.Pipe()
	if err != nil {
		return cmd
	}
	io.WriteString(w, "F\x00T"+strings.Join(to, "@here.test\x00T")+"@here.test\x00\x00")
	w.Close()
	cmd.Stdout = r
	return cmd
}

// send queues a message.
func (h *host) send(text string, to ...string) {
	h.t.Helper()
	cmd := submission(text, to...)
	must(h.t, cmd.Run())
	cmd.Stdout.(*os.File).Close()
	h.queued++
}

// outcome waits for the first delivery to a local part to end, and says how, as the
// log has it: success, failure or deferral, and why.
func (h *host) outcome(local string) (verdict, report string) {
	h.t.Helper()
	to := " to local " + local + "@here.test\n"
	h.log.Wait(h.t, to, 1)
	before, _, _ := strings.Cut(h.log.String(), to)
	var id int
	fmt.Sscanf(before[strings.LastIndex(before, "starting delivery "):], "starting delivery %d:", &id)
	ends := fmt.Sprintf("\ndelivery %d: ", id)
	h.log.Wait(h.t, ends, 1)
	_, line, _ := strings.Cut(h.log.String(), ends)
	line, _, _ = strings.Cut(line, "\n")
	verdict, report, _ = strings.Cut(line, ": ")
	return verdict, report
}

// others has pat get a number of messages, whatever eve does.
func (h *host) others(n int) {
	h.t.Helper()
	before := count(h.t, "/home/pat/Maildir")
	for range n {
		h.queued++
		to := fmt.Sprint("pat-", h.queued)
		h.send("Subject: s\n\nb\n", to)
		if verdict, report := h.outcome(to); verdict != "success" {
			h.t.Errorf("mail to pat ends with %s: %s", verdict, report)
		}
	}
	if got := count(h.t, "/home/pat/Maildir"); got != before+n {
		h.t.Errorf("pat has got %d messages, want %d", got-before, n)
	}
}

// count is how many messages a maildir has.
func count(t *testing.T, maildir string) int {
	t.Helper()
	names, err := filepath.Glob(maildir + "/new/*")
	must(t, err)
	return len(names)
}

// end ends all that runs on the host, and with it what the users have started.
func (h *host) end() {
	h.start.Process.Kill()
	for range 100 {
		var pids []int
		names, _ := filepath.Glob("/proc/[0-9]*")
		for _, name := range names {
			var pid int
			fmt.Sscanf(filepath.Base(name), "%d", &pid)
			state, err := os.ReadFile(name + "/stat")
			if err == nil && pid != os.Getpid() && !bytes.Contains(state, []byte(") Z ")) {
				pids = append(pids, pid)
			}
		}
		if len(pids) == 0 {
			break
		}
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	h.start.Wait()
}

// processes counts those of a user.
func processes(uid int) (n int) {
	names, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, name := range names {
		status, _ := os.ReadFile(name)
		if slices.Contains(strings.Split(string(status), "\n"), fmt.Sprintf("Uid:\t%d\t%[1]d\t%[1]d\t%[1]d", uid)) {
			n++
		}
	}
	return n
}
