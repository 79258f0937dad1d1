package system

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goqmail/internal/testbin"
)

// ownHost begins a script for root in namespaces of its own: it makes a host on which
// the system is installed, with a user joe. Of the machine's files only /etc,
// /usr/local, /var, /run and /tmp are changed, each covered by another one.
const ownHost = `
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/etc /mnt/etcwork /mnt/local /mnt/localwork
mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/etc,workdir=/mnt/etcwork /etc
mount -t overlay overlay -o lowerdir=/usr/local,upperdir=/mnt/local,workdir=/mnt/localwork /usr/local
mount -t tmpfs -o mode=755 tmpfs /var
mkdir -p /var/log /var/tmp /var/lib
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
echo the host is there
"$BIN/qmail-install" -home /var/qmail -bin "$BIN" -packaging "$PACKAGING" -prefix /usr/local -mailer=false -name here.test
mount -t tmpfs -o mode=1777 tmpfs /tmp
useradd -m -d /var/joe -s /bin/sh joe
`

// onOwnHost is a command that runs such a script, in a mount and a process namespace
// and others that options of unshare name.
func onOwnHost(t *testing.T, script string, options ...string) *exec.Cmd {
	t.Helper()
	if testing.Short() || os.Getuid() != 0 {
		t.Skip("only root can have a host in namespaces")
	}
	for _, program := range []string{"unshare", "useradd"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (Debian: util-linux, passwd)", program)
		}
	}
	bin, err := testbin.Dir()
	if err != nil {
		t.Fatal(err)
	}
	packaging, err := filepath.Abs(shipped)
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--mount", "--pid", "--fork", "--kill-child"}, options...)
	cmd := exec.Command("unshare", append(args, "sh", "-ec", script)...)
	cmd.Env = append(os.Environ(), "BIN="+bin, "PACKAGING="+packaging)
	return cmd
}

// asRoot sets services up on a host, has root's supervisor run them, and looks who the
// processes and the logs belong to.
const asRoot = ownHost + `
export PATH=/var/qmail/bin:$PATH
mkdir /run/service
cp -R /var/qmail/boot/$SUPERVISOR/qmail-send /var/qmail/boot/$SUPERVISOR/qmail-smtpd /run/service/
echo "ADDRESS=127.0.0.1 PORT=$PORT" >/run/service/qmail-smtpd/conf
$WATCH /run/service &
wait_for() { until eval "$1"; do sleep .1; done; }
wait_for 'qmailctl stat 2>/dev/null'
echo ./Mailbox >/var/joe/.qmail && chown joe /var/joe/.qmail
printf 'To: joe\nSubject: one\n\n' | setpriv --reuid joe --regid joe --clear-groups qmail-inject
wait_for 'grep "^Subject: one" /var/joe/Mailbox 2>/dev/null'
wait_for "bash -c ': </dev/tcp/127.0.0.1/$PORT' 2>/dev/null"
bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT && printf 'HELO x\r\nMAIL FROM:<ann@example.org>\r\nRCPT TO:<joe@here.test>\r\nDATA\r\nSubject: two\r\n\r\n.\r\nQUIT\r\n' >&3 && cat <&3"
wait_for 'grep "^Subject: two" /var/joe/Mailbox'
for wanted in tcpserver:qmaild $LOGGER:qmaill qmail-send:qmails qmail-lspawn:root; do
	user=$(ps -o user= -C ${wanted%:*} | sort -u)
	[ "$user" = ${wanted#*:} ] || { echo "${wanted%:*} belongs to $user"; exit 1; }
done
[ "$(stat -c %U:%a /var/log/qmail/qmail-send)" = qmaill:750 ]
qmailctl stop
wait_for 'grep -q "status: exiting" /var/log/qmail/qmail-send/current'
echo all is well
`

// TestSupervisorsAsRoot runs the scripts as they are run on a real host.
func TestSupervisorsAsRoot(t *testing.T) {
	for _, o := range overseers {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			o.installed(t)
			cmd := onOwnHost(t, asRoot)
			_, port, _ := net.SplitHostPort(freePort(t))
			cmd.Env = append(cmd.Env, "SUPERVISOR="+o.name, "WATCH="+o.watch, "LOGGER="+o.needs[len(o.needs)-1], "PORT="+port)
			tooLong := time.AfterFunc(patience, func() { cmd.Process.Kill() })
			defer tooLong.Stop()
			out, err := cmd.CombinedOutput()
			switch {
			case strings.HasSuffix(string(out), "all is well\n"):
			case !strings.Contains(string(out), "the host is there"):
				t.Skipf("no host in namespaces here: %v: %s", err, out)
			default:
				t.Errorf("%v: %s", err, tail(string(out)))
			}
		})
	}
}
