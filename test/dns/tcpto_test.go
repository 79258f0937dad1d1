package dns

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// fullPort is a port at which connections are waited for in vain: whoever listens
// there has no room for more, and accepts none.
const fullPort = 2525

func listenInVain(t *testing.T) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skip("socket: ", err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet6{Port: fullPort}); err != nil {
		t.Skip("bind: ", err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 10 { // until it is full
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("192.0.2.1:%d", fullPort), time.Second)
		if err != nil {
			return
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Skip("it is never full")
}

// timeouts has more hosts than qmail's table has room for not answer, one of them by
// IPv6: the programs around the table know all of them.
func (w *world) timeouts(t *testing.T, bin string) {
	listenInVain(t)
	home := t.TempDir()
	table := filepath.Join(home, "queue/lock/tcpto")
	for _, dir := range []string{"control", "queue/lock"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var routes strings.Builder
	hosts := []string{"2001:db8::25"}
	if !w.ipv6 {
		hosts = nil
	}
	for i := range 70 {
		hosts = append(hosts, fmt.Sprintf("192.0.2.%d", 100+i))
	}
	for i, host := range hosts {
		fmt.Fprintf(&routes, "host%d.example.org:[%s]:%d\n", i, host, fullPort)
	}
	for name, text := range map[string]string{
		"control/me": "mx.test.example", "control/timeoutconnect": "1", "control/smtproutes": routes.String(),
		"queue/lock/tcpto": strings.Repeat("\x00", 1024),
	} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(program string, args ...string) string {
		cmd := exec.Command(filepath.Join(bin, program), args...)
		cmd.Env = append(os.Environ(), "QMAILHOME="+home)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", program, err, out)
		}
		return string(out)
	}
	var all sync.WaitGroup
	for i := range hosts {
		all.Go(func() {
			if got := run("qmail-remote", fmt.Sprintf("host%d.example.org", i), "a@test.example", "b@example.org"); got != noSMTP+"\x00" {
				t.Errorf("reports %q", got)
			}
		})
	}
	all.Wait()
	lines := strings.Split(strings.TrimSuffix(run("qmail-tcpto"), "\n"), "\n")
	if len(lines) != len(hosts) {
		t.Errorf("qmail-tcpto prints %d lines for %d hosts", len(lines), len(hosts))
	}
	line := regexp.MustCompile(`^(\S+) timed out \d+ seconds ago; # recent timeouts: 1$`)
	for i, text := range lines {
		if found := line.FindStringSubmatch(text); found == nil || !slices.Contains(hosts, found[1]) {
			t.Errorf("line %d is %q", i, text)
		}
	}
	run("qmail-tcpok")
	if got := run("qmail-tcpto"); got != "" {
		t.Errorf("after qmail-tcpok there is %q", got)
	}
	if info, err := os.Stat(table); err != nil || info.Size() != 1024 {
		t.Errorf("after qmail-tcpok the table is %v, %v", info, err)
	}
}
