package callers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// apart begins a shell script for root in a mount namespace of its own, in which
// /usr/sbin/sendmail is the host's under test, and nothing of the machine's own
// jobs is seen.
const apart = `
mount --make-rprivate /
if [ -e /usr/sbin/sendmail ]; then
	mount --bind "$SENDMAIL" /usr/sbin/sendmail
else
	mount -t tmpfs tmpfs /mnt
	mkdir /mnt/upper /mnt/work
	mount -t overlay overlay -o lowerdir=/usr/sbin,upperdir=/mnt/upper,workdir=/mnt/work /usr/sbin
	cp "$SENDMAIL" /usr/sbin/sendmail
fi
mount -t tmpfs tmpfs /run
`

// runApart runs a script in such a namespace until mail is in the queue, and then
// ends it.
func (h *host) runApart(program, script string) mail {
	h.t.Helper()
	if os.Getuid() != 0 {
		h.t.Skip("only root can have a mount namespace")
	}
	if _, err := exec.LookPath(program); err != nil {
		h.t.Skipf("%s is not installed (Debian: %s)", program, program)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	// Its processes are in a namespace of their own too, and end with the first.
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", apart+script)
	cmd.Dir = h.dir
	cmd.Env = append(os.Environ(), "SENDMAIL="+h.sendmail, "DIR="+h.dir)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	h.must(cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for poll := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case err := <-done:
			if all := h.queued(); len(all) > 0 { // sudo may send two
				return all[0]
			}
			if text := out.String(); strings.Contains(text, "mount") || strings.Contains(text, "unshare") {
				h.t.Skipf("no mount namespaces here: %s", text)
			}
			h.t.Fatalf("%s: %v %s: queued are %q", program, err, out.String(), h.queued())
		case <-poll.C:
			if all := h.queued(); len(all) > 0 { // sudo may send two
				cancel()
				<-done
				return all[0]
			}
		}
	}
}

func (m mail) check(t *testing.T, recipient, subject, body string) {
	t.Helper()
	if len(m.recipients) != 1 || m.recipients[0] != recipient || !strings.Contains(m.header("Subject"), subject) || !strings.Contains(m.body(), body) {
		t.Errorf("to %q, with subject %q and body %q; want %s, %q, %q", m.recipients, m.header("Subject"), m.body(), recipient, subject, body)
	}
}

// Cron waits for the minute to begin.
func TestCronDaemon(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.runApart("cron", `
for d in /etc/cron.d /var/spool/cron; do mount -t tmpfs tmpfs $d; done
mkdir -p /var/spool/cron/crontabs
printf 'MAILTO=joe@mx.test.example\n* * * * * root echo hello from cron\n' >/run/crontab
chmod 644 /run/crontab
mount --bind /run/crontab /etc/crontab
exec cron -f
`).check(t, "joe@mx.test.example", "echo hello from cron", "hello from cron\n")
}

func TestAtDaemon(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.runApart("atd", `
for d in atjobs atspool; do
	mount -t tmpfs -o mode=1770,uid=$(id -u daemon),gid=$(id -g daemon) tmpfs /var/spool/cron/$d
done
printf 00000 >/var/spool/cron/atjobs/.SEQ
chown daemon:daemon /var/spool/cron/atjobs/.SEQ
echo 'echo hello from at' | at now
exec atd -f -b 1
`).check(t, "root@mx.test.example", "Output from your job", "hello from at\n")
}

func TestSudoMail(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.runApart("sudo", fmt.Sprintf(`
printf 'Defaults mail_always, mailto="joe@mx.test.example", mailerpath="%s"\nroot ALL=(ALL) ALL\n' >/run/sudoers
chmod 440 /run/sudoers
mount --bind /run/sudoers /etc/sudoers
sudo -n true
sleep 20 # the mail is sent by a process of its own
`, h.sendmail)).check(t, "joe@mx.test.example", "***", "COMMAND=")
}
