package system

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// firstProcess goes on with systemd, which sees the system's units, and of the
// machine's own those of the journal alone.
const firstProcess = ownHost + `
mount -t tmpfs -o mode=755 tmpfs /etc/systemd/system
mkdir -p /run/units /run/systemd
cp /lib/systemd/system/systemd-journald* /run/units/
cp /usr/local/lib/systemd/system/goqmail* /run/units/
for target in sysinit basic sockets timers multi-user shutdown network nss-lookup remote-fs; do
	printf '[Unit]\nDefaultDependencies=no\n' >/run/units/$target.target
done
printf '[Unit]\nRequires=basic.target systemd-journald.service\nAfter=basic.target systemd-journald.service\nDefaultDependencies=no\n' >/run/units/first.target
printf '[Journal]\nReadKMsg=no\nStorage=volatile\n' >/etc/systemd/journald.conf
echo systemd begins
export container=test SYSTEMD_UNIT_PATH=/etc/systemd/system:/run/units
exec /lib/systemd/systemd --system --unit=first.target --log-target=console --show-status=no
`

// booted is a host with systemd.
type booted struct {
	t   *testing.T
	pid string // of systemd, outside
}

func boot(t *testing.T) *booted {
	t.Helper()
	cmd := onOwnHost(t, firstProcess, "--cgroup", "--net")
	for _, program := range []string{"/lib/systemd/systemd", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (Debian: systemd, util-linux)", program)
		}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	over := false
	t.Cleanup(func() {
		if !over {
			cmd.Process.Kill()
			<-ended
		}
	})
	h := &booted{t: t}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		select {
		case err := <-ended:
			over = true
			if text := out.String(); !strings.Contains(text, "the host is there") || strings.Contains(text, "systemd begins") {
				t.Skipf("no host in namespaces here: %v: %s", err, text)
			}
			t.Fatalf("%v: %s", err, out.String())
		default:
		}
		children, _ := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/task/" + strconv.Itoa(cmd.Process.Pid) + "/children")
		if h.pid = strings.TrimSpace(string(children)); h.pid != "" {
			state, _ := exec.Command("nsenter", "-t", h.pid, "-a", "systemctl", "is-system-running").CombinedOutput()
			if strings.HasPrefix(string(state), "running") {
				return h
			}
		}
		if time.Now().After(deadline) {
			cmd.Process.Kill()
			<-ended
			over = true
			t.Skipf("systemd does not come up here: %s", out.String())
		}
	}
}

// command is a shell script on the host.
func (h *booted) command(script string) *exec.Cmd {
	cmd := exec.Command("nsenter", "-t", h.pid, "-a", "bash", "-c", script)
	cmd.Env = []string{"PATH=/var/qmail/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_UNIT_PATH=/etc/systemd/system:/run/units"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// do runs a script that has to exit with 0.
func (h *booted) do(script string) string {
	h.t.Helper()
	out, err := h.command(script).CombinedOutput()
	if err != nil {
		journal, _ := h.command("journalctl --no-pager -n 40").CombinedOutput()
		h.t.Fatalf("%s\n%v: %s\nthe journal:\n%s", script, err, out, journal)
	}
	return string(out)
}

func (h *booted) eventually(script string) {
	h.t.Helper()
	for deadline := time.Now().Add(time.Minute); h.command(script).Run() != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.do(script)
		}
	}
}

// send has joe send a message, which needs a set-uid program.
const send = "printf 'To: joe-%s\nSubject: %[1]s\n\n' | setpriv --reuid joe --regid joe --clear-groups qmail-inject\n"

// session takes mail by SMTP.
const session = `exec 3<>/dev/tcp/127.0.0.1/25 &&
	printf 'HELO x\r\nMAIL FROM:<ann@example.org>\r\nRCPT TO:<joe@here.test>\r\nDATA\r\nSubject: by SMTP\r\n\r\n.\r\nQUIT\r\n' >&3 &&
	timeout 20 cat <&3`

// TestSystemd runs the units that are shipped under a real systemd.
func TestSystemd(t *testing.T) {
	t.Parallel()
	h := boot(t)
	h.do("systemctl enable goqmail.service goqmail-smtpd.socket && qmailctl start && qmailctl stat")
	h.do(`cd /var/joe && echo ./Mailbox >.qmail && echo '&joe' >.qmail-fwd && mkfifo go gone &&
		echo '|echo >/var/joe/gone; cat /var/joe/go' >.qmail-slow && chown joe .qmail* go gone`)

	// A user's .qmail file sends mail on: by qmail-queue, below what is taken away.
	h.do(fmt.Sprintf(send, "fwd"))
	h.eventually("grep -q '^Subject: fwd' /var/joe/Mailbox")

	out := h.do(session)
	if !strings.Contains(out, "\n250 ok ") {
		t.Errorf("qmail-smtpd says %q", out)
	}
	h.eventually("grep -q '^Subject: by SMTP' /var/joe/Mailbox")
	h.do("systemctl start goqmail-qmtpd.socket")
	out = h.do(`exec 3<>/dev/tcp/127.0.0.1/209 && printf '13:\nSubject: Q\n\n,15:ann@example.org,17:13:joe@here.test,,' >&3 && read -rd , -u 3 said && echo "$said"`)
	if !strings.Contains(out, ":Kok ") {
		t.Errorf("qmail-qmtpd says %q", out)
	}
	h.eventually("grep -q '^Subject: Q' /var/joe/Mailbox")
	h.do("systemctl start goqmail-submission.socket goqmail-pop3d.socket")
	for port, want := range map[string]string{"587": "220 here.test ESMTP", "110": "+OK <"} {
		if out := h.do("read -rt 20 said </dev/tcp/127.0.0.1/" + port + "; echo \"$said\""); !strings.HasPrefix(out, want) {
			t.Errorf("port %s says %q", port, out)
		}
	}
	h.privileges()

	const paused = "grep -q 'State:.T' /proc/$(pgrep -x qmail-send)/status"
	h.do("qmailctl pause")
	h.eventually(paused)
	h.do("qmailctl cont")
	h.eventually("! " + paused)
	h.do("echo 7 >/var/qmail/control/concurrencylocal && qmailctl reload && qmailctl flush && qmailctl queue")
	h.eventually("journalctl --no-pager -o cat -t qmail-send | grep -q '^status: local 0/7 remote 0/20$'")
	h.do("kill -KILL $(pgrep -x qmail-send)") // all is started anew
	h.do(fmt.Sprintf(send, "fwd"))
	h.eventually("[ $(grep -c '^Subject: fwd' /var/joe/Mailbox) -eq 2 ]")
	h.slowStop()
	h.journal()
}

// privileges compares what the processes have with what the units say.
func (h *booted) privileges() {
	for program, want := range map[string][]string{
		"qmail-lspawn": {`Uid:\t0\t`, `CapBnd:\t0*e0\n`, `CapEff:\t0*e0\n`, `NoNewPrivs:\t0\n`}, // kill, setgid, setuid
		"qmail-send":   {`CapBnd:\t0*e0\n`, `CapEff:\t0*\n`},
		"qmail-smtpd":  {`CapBnd:\t0*\n`, `CapEff:\t0*\n`, `NoNewPrivs:\t0\n`},
	} {
		status := h.do("cat /proc/$(pgrep -ox " + program + ")/status")
		for _, line := range want {
			if !regexp.MustCompile(line).MatchString(status) {
				h.t.Errorf("%s has not %q:\n%s", program, line, status)
			}
		}
	}
	h.do(`[ "$(ps -o user= -C qmail-smtpd | sort -u)" = qmaild ]`)
	// The files of the host cannot be written to by either.
	for _, program := range []string{"qmail-send", "qmail-smtpd"} {
		h.do("! nsenter -m -t $(pgrep -ox " + program + ") touch /etc/x 2>/dev/null")
	}
	h.do("! nsenter -m -t $(pgrep -ox qmail-smtpd) touch /var/qmail/control/x 2>/dev/null")
}

// slowStop stops the system during a delivery, which is waited for.
func (h *booted) slowStop() {
	h.do(fmt.Sprintf(send, "slow"))
	h.do("cat /var/joe/gone") // it is under way
	stop := h.command("exec qmailctl -w 100 stop")
	if err := stop.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.eventually("systemctl show -p ActiveState goqmail.service | grep -q deactivating")
	h.do("systemctl show -p SubState goqmail.service | grep -q stop-sigterm; echo >/var/joe/go")
	if err := stop.Wait(); err != nil {
		h.t.Errorf("qmailctl stop: %v", err)
	}
	h.do("qmailctl stat; [ $? -eq 3 ]")
	h.do("[ -z \"$(qmail-qread)\" ]")
	h.eventually("! pgrep -l qmail-")
}

// journal looks whether the lines of the log came out whole.
func (h *booted) journal() {
	log := h.do("journalctl --no-pager -o cat -t qmail-send")
	line := regexp.MustCompile(`^(status: |new msg \d+$|info msg \d+: bytes \d+ from <|starting delivery \d+: msg |delivery \d+: success: |end msg \d+$)`)
	for text := range strings.Lines(log) {
		if !line.MatchString(strings.TrimSuffix(text, "\n")) {
			h.t.Errorf("the journal has the line %q", text)
		}
	}
	if !strings.HasSuffix(log, "status: exiting\n") || strings.Count(log, "new msg ") != 7 || strings.Count(log, "end msg ") != 7 {
		h.t.Errorf("the journal:\n%s", log)
	}
}
