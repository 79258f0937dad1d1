package system

import (
	"fmt"
	"io/fs"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/smtpsink"
	"goqmail/internal/testbin"
)

// overseer is a supervisor of services in folders.
type overseer struct {
	name  string
	watch string   // the program that watches the folder of services
	needs []string // what else is run
}

var overseers = []overseer{
	{"daemontools", "svscan", []string{"svc", "svstat", "multilog"}},
	{"runit", "runsvdir", []string{"sv", "svlogd"}},
	{"s6", "s6-svscan", []string{"s6-svc", "s6-svstat", "s6-log"}},
}

func (o overseer) installed(t *testing.T) {
	t.Helper()
	for _, program := range append([]string{o.watch, "tcpserver"}, o.needs...) {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (Debian: %s, ucspi-tcp)", program, o.name)
		}
	}
}

const shipped = "../../packaging"

// TestSupervisors has the system run, from the run scripts that are shipped, by the
// real supervisors, and does all that qmailctl can.
func TestSupervisors(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the whole system")
	}
	for _, o := range overseers {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			o.installed(t)
			newSupervised(t, o).tour()
		})
	}
}

// supervised is a system below a supervisor.
type supervised struct {
	*system
	overseer
	services string
	smtp     string // address of its SMTP server
	watcher  *exec.Cmd
}

// newSupervised makes the folder of services and has it watched. The services are
// down, as after a boot with a file down in them.
func newSupervised(t *testing.T, o overseer) *supervised {
	s := &supervised{system: newSystem(t), overseer: o}
	s.services, s.smtp = s.path("service"), freePort(t)
	s.copyTree(filepath.Join(shipped, "run"), s.path("boot"))
	_, port, _ := net.SplitHostPort(s.smtp)
	s.must(os.Mkdir(s.services, 0o755))
	for _, name := range []string{"qmail-send", "qmail-smtpd"} {
		service := filepath.Join(s.services, name)
		s.must(os.Rename(filepath.Join(s.path("boot"), o.name, name), service))
		s.must(os.WriteFile(filepath.Join(service, "down"), nil, 0o644))
		conf := "ADDRESS=127.0.0.1 PORT=" + port + " RULES=" + s.path("tcp.smtp.cdb") + " LOGDIR=" + s.path("log") + "\n"
		s.must(os.WriteFile(filepath.Join(service, "conf"), []byte(conf), 0o644))
	}
	s.write("control/defaultdelivery", "./Maildir/\n")
	s.write("control/rcpthosts", "here.test\n")
	s.own()
	s.watcher = s.command("env", o.watch, s.services)
	s.watcher.Path, _ = exec.LookPath("env")
	s.watcher.Env = append(s.watcher.Env, "PATH="+s.home.Bin+":"+os.Getenv("PATH"), "SVDIR="+s.services)
	s.must(s.watcher.Start())
	t.Cleanup(s.end)
	return s
}

// end kills whatever runs in the home: supervisors leave nobody to wait for.
func (s *supervised) end() {
	s.watcher.Process.Kill()
	s.watcher.Wait()
	for none := false; !none; {
		none = true
		all, _ := filepath.Glob("/proc/[0-9]*/environ")
		for _, file := range all {
			env, _ := os.ReadFile(file)
			if !strings.Contains("\x00"+string(env), "\x00QMAILHOME="+s.home.Dir+"\x00") {
				continue
			}
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
				none = false
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// copyTree copies scripts, which are run: so no child may have them open.
func (s *system) copyTree(from, to string) {
	s.t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	s.must(filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, name)
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, st.Mode().Perm())
	}))
}

// eventually waits for what nobody tells.
func (s *system) eventually(what string, done func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// ctl runs qmailctl, which has to exit with a code.
func (s *supervised) ctl(want int, args ...string) string {
	s.t.Helper()
	cmd := s.command("qmailctl", args...)
	cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, "SVDIR=") })
	if s.services != "" {
		cmd.Env = append(cmd.Env, "SVDIR="+s.services)
	}
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != want {
		s.t.Fatalf("qmailctl %s exits with %d, want %d: %s", strings.Join(args, " "), code, want, out)
	}
	return string(out)
}

// pid is the process of qmail-send, in the words of the supervisor.
func (s *supervised) pid() string {
	s.t.Helper()
	for line := range strings.Lines(s.ctl(0, "stat", "send")) {
		if m := regexp.MustCompile(`qmail-send: .*?\(pid (\d+)`).FindStringSubmatch(line); m != nil {
			return m[1]
		}
	}
	s.t.Fatalf("no process of qmail-send")
	return ""
}

// isPaused reports whether a process is stopped.
func isPaused(pid string) bool {
	stat, _ := os.ReadFile("/proc/" + pid + "/stat")
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "T")
}

func (s *supervised) delivered(n int) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("message %d", n), func() bool { return len(s.mails(s.home.Mailbox())) >= n })
}

// tour is an administrator's day.
func (s *supervised) tour() {
	s.eventually("the supervisor", func() bool {
		cmd := s.command("qmailctl", "-d", s.services, "stat")
		out, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode() == 3 && strings.Count(string(out), "down") > 1
	})
	s.ctl(0, "start")
	if out := s.ctl(0, "stat"); !strings.Contains(out, "qmail-smtpd: ") || !strings.Contains(out, "messages in queue: 0\n") {
		s.t.Errorf("stat says\n%s", out)
	}
	s.queue("", []string{s.home.Address()}, []byte("Subject: one\n\n"))
	s.delivered(1)
	s.overSMTP()
	s.delivered(2)
	s.pausing()
	s.flushing()
	before := s.pid()
	s.ctl(0, "restart")
	if after := s.pid(); after == before {
		s.t.Errorf("after restart qmail-send is still process %s", after)
	}
	s.write("control/concurrencylocal", "7\n")
	s.ctl(0, "reload")
	s.eventually("the new limit in the log", func() bool { return strings.Contains(s.logFile("qmail-send"), " local 0/7 remote ") })
	s.ctl(0, "-w", "30", "stop")
	if out := s.ctl(3, "stat"); !strings.Contains(out, "down") || !strings.Contains(out, "qmail-send does not run") {
		s.t.Errorf("stat says\n%s", out)
	}
	s.checkLogs()
}

// overSMTP has a message come in by tcpserver, under the rules that cdb compiles.
func (s *supervised) overSMTP() {
	s.write("tcp.smtp", `127.:allow,RELAYCLIENT=""`+"\n:deny\n")
	s.must(os.Chown(s.home.Dir, s.uid, s.home.GID))
	s.ctl(0, "cdb", s.path("tcp.smtp"))
	s.ctl(0, "restart", "smtpd") // it looks for the table when it starts
	s.eventually("tcpserver", func() bool {
		conn, err := net.Dial("tcp", s.smtp)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	s.must(smtp.SendMail(s.smtp, nil, "ann@example.org", []string{s.home.Address()}, []byte("Subject: two\r\n\r\n")))
	err := smtp.SendMail(s.smtp, nil, "ann@example.org", []string{"joe@elsewhere.test"}, []byte("Subject: away\r\n\r\n"))
	if err != nil {
		s.t.Errorf("the rules do not let the host itself relay: %v", err)
	}
}

func (s *supervised) pausing() {
	pid := s.pid()
	s.ctl(0, "pause")
	s.eventually("the pause", func() bool { return isPaused(pid) })
	s.queue("", []string{s.home.Address()}, []byte("Subject: three\n\n"))
	s.ctl(0, "cont")
	s.delivered(3)
}

// flushing has the message that could not leave tried again.
func (s *supervised) flushing() {
	s.eventually("a deferral", func() bool { return strings.Contains(s.logFile("qmail-send"), ": deferral: ") })
	s.eventually("the list of one message", func() bool {
		out := s.ctl(0, "queue")
		return strings.Contains(out, "messages in queue: 1\n") && strings.Contains(out, "joe@elsewhere.test")
	})
	left := make(chan bool, 1)
	s.sink(func(*smtpsink.Message) error { left <- true; return nil })
	// A qmail-remote that stays knows the new route after a second.
	s.eventually("what is flushed", func() bool {
		s.ctl(0, "flush")
		select {
		case <-left:
			return true
		case <-time.After(100 * time.Millisecond):
			return false
		}
	})
}

func (s *supervised) logFile(service string) string {
	data, _ := os.ReadFile(filepath.Join(s.path("log"), service, "current"))
	return string(data)
}

// checkLogs looks whether each line came out whole, behind a time stamp.
func (s *supervised) checkLogs() {
	s.eventually("the last line", func() bool { return strings.HasSuffix(s.logFile("qmail-send"), "status: exiting\n") })
	log := s.logFile("qmail-send")
	line := regexp.MustCompile(`^@4[0-9a-f]{23} (status: |new msg \d+$|info msg \d+: bytes \d+ from <|starting delivery \d+: msg |delivery \d+: (success|deferral): |end msg \d+$)`)
	for text := range strings.Lines(log) {
		if !line.MatchString(strings.TrimSuffix(text, "\n")) {
			s.t.Errorf("the log has the line %q", text)
		}
	}
	for what, want := range map[string]int{"new msg ": 4, "end msg ": 4, "delivery 1: success: did_": 1, ": deferral: ": 1, "status: exiting": 2} {
		if n := strings.Count(log, what); n < want {
			s.t.Errorf("%q is %d times in the log, want %d:\n%s", what, n, want, log)
		}
	}
	if smtp := s.logFile("qmail-smtpd"); !strings.Contains(smtp, " tcpserver: ok ") {
		s.t.Errorf("the log of qmail-smtpd:\n%s", smtp)
	}
}

// TestUnsupervised has qmailctl find the system that somebody has started by hand.
func TestUnsupervised(t *testing.T) {
	for _, name := range []string{"/run/systemd/system", "/service/qmail-send", "/etc/service/qmail-send"} {
		if _, err := os.Stat(name); err == nil {
			t.Skipf("this host may have a system of its own: there is %s", name)
		}
	}
	s := &supervised{system: newSystem(t)}
	s.ctl(3, "stat")
	s.ctl(111, "reload")
	s.ctl(111, "start") // it would not be looked after
	s.run()
	if out := s.ctl(0, "stat"); !strings.HasPrefix(out, fmt.Sprintf("qmail-send: up (pid %d), without a supervisor\nmessages in queue: 0\n", s.process.Process.Pid)) {
		t.Errorf("stat says\n%s", out)
	}
	s.ctl(0, "pause")
	pid := strconv.Itoa(s.process.Process.Pid)
	s.eventually("the pause", func() bool { return isPaused(pid) })
	s.ctl(0, "cont")
	s.write("control/concurrencylocal", "7\n")
	s.ctl(0, "reload")
	s.wait("status: local 0/7 remote 0/20\n", 1)
	s.queue("", []string{"sue@elsewhere.test"}, []byte("\n"))
	s.wait(": deferral: ", 1)
	s.ctl(0, "flush")
	s.wait(": deferral: ", 2)
	s.ctl(0, "stop")
	s.waitEnd()
	s.ctl(3, "stat")
}

// TestSoftlimit runs programs with as little room for addresses as doc/compat.md tells
// administrators to leave, which is what softlimit -m 1000000000 does.
func TestSoftlimit(t *testing.T) {
	s := newSystem(t)
	limit := "ulimit -v 976562 && ulimit -d 976562 && exec "
	cmd := s.command("qmail-smtpd")
	cmd.Path, _ = exec.LookPath("sh")
	cmd.Args = []string{"sh", "-c", limit + filepath.Join(s.home.Bin, "qmail-smtpd")}
	cmd.Stdin = strings.NewReader("HELO x\r\nMAIL FROM:<ann@example.org>\r\nRCPT TO:<" + s.home.Address() + ">\r\nDATA\r\n\r\n.\r\nQUIT\r\n")
	cmd.Env = append(cmd.Env, "RELAYCLIENT=")
	out, _ := cmd.CombinedOutput()
	if !strings.Contains(string(out), "\n250 ok ") {
		t.Errorf("qmail-smtpd says %q", out)
	}
	s.replace("qmail-start", limit+mustDir(t)+`/qmail-start "$@"`)
	s.run()
	s.wait("success: did_1+0+0", 1)
	s.stop()
}

func mustDir(t *testing.T) string {
	t.Helper()
	bin, err := testbin.Dir()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}
