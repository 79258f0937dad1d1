package system

import (
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// withDevLog begins a script for root in a mount namespace of its own, in which
// /dev/log is the socket $SOCKET, and ends in qmail-start with splogger.
const withDevLog = `
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /mnt
for name in null zero full random urandom tty; do
	: >/mnt/$name
	mount --bind /dev/$name /mnt/$name
done
ln -s "$SOCKET" /mnt/log
mount --bind /mnt /dev
exec setpriv --reuid 65534 --regid 65534 --clear-groups "$QMAILHOME/bin/qmail-start" ./Maildir/ splogger qmail 23
`

// TestSplogger has the log go to syslog, by the socket that all hosts have.
func TestSplogger(t *testing.T) {
	if testing.Short() || os.Getuid() != 0 {
		t.Skip("only root can have a /dev/log of its own")
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("setpriv is not installed (Debian: util-linux)")
	}
	if out, err := exec.Command("unshare", "--mount", "true").CombinedOutput(); err != nil {
		t.Skipf("no mount namespaces here: %v: %s", err, out)
	}
	t.Parallel()
	s := newSystem(t)
	socket := s.path("log")
	syslog, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	s.must(err)
	defer syslog.Close()
	s.must(os.Chmod(socket, 0o777))
	s.process = exec.Command("unshare", "--mount", "sh", "-ec", withDevLog)
	s.process.Env = append(os.Environ(), "QMAILHOME="+s.home.Dir, "SOCKET="+socket)
	s.process.Stderr = s
	s.must(s.process.Start())
	defer s.process.Wait()
	defer s.process.Process.Kill()
	syslog.SetReadDeadline(time.Now().Add(patience))
	s.queue("ann@example.org", []string{s.home.Address()}, []byte("Subject: hello\n\n"))
	log := &strings.Builder{}
	s.readUntil(syslog, log, " end msg ")
	s.must(s.process.Process.Signal(syscall.SIGTERM))
	s.readUntil(syslog, log, " status: exiting")

	// Facility 23 (local7), informational, and a time as qmail-analog wants it.
	line := regexp.MustCompile(`^<190>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d qmail: \d+\.\d{6} (status: local \d/10 remote 0/20|status: exiting|new msg \d+|info msg \d+: bytes \d+ from <ann@example.org> qp \d+ uid \d+|starting delivery 1: msg \d+ to local joe@here.test|delivery 1: success: did_1\+0\+0/|end msg \d+)$`)
	for text := range strings.Lines(log.String()) {
		if !line.MatchString(strings.TrimSuffix(text, "\n")) {
			t.Errorf("/dev/log gets %q", text)
		}
	}
}

// readUntil reads records, a line each, until one with a text in it.
func (s *system) readUntil(syslog *net.UnixConn, log *strings.Builder, text string) {
	s.t.Helper()
	for buf := make([]byte, 9000); ; {
		n, err := syslog.Read(buf)
		if err != nil {
			s.t.Fatalf("no %q: %v; the log is\n%s%s", text, err, log, s.logged())
		}
		log.Write(append(buf[:n:n], '\n'))
		if strings.Contains(string(buf[:n]), text) {
			return
		}
	}
}
