// Package dns has qmail-remote find its way by a DNS of the test's own: unbound,
// with a zone of testdata, in a network and a file system of their own.
//
// In that network hosts have addresses of the documentation's, all of which lead
// to one SMTP server: what qmail-remote reports tells which of them it took. The
// test runs itself once more there, as root or with the rights that it has in a user
// name space; there it also looks at the table of hosts that did not answer. It is
// skipped where that cannot be, or without unbound. Unbound need not be installed but
// unpacked, in the folder unbound below $GOQMAIL_PEERS or /var/cache/goqmail-peers: its
// package would answer for the machine.
package dns

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/testbin"
)

// inside is the variable that names the folder of the programs to the process in
// the name spaces.
const inside = "GOQMAIL_DNS_TEST_BIN"

func TestMain(m *testing.M) {
	code := m.Run()
	testbin.Remove()
	os.Exit(code)
}

func TestZone(t *testing.T) {
	if bin := os.Getenv(inside); bin != "" {
		w := enter(t)
		w.run(t, filepath.Join(bin, "qmail-remote"))
		t.Run("timeouts", func(t *testing.T) { w.timeouts(t, bin) })
		return
	}
	if testing.Short() {
		t.Skip("starts a server")
	}
	if unbound() == "" {
		t.Skip("unbound is not installed")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip (iproute2) is not installed")
	}
	spaces := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		spaces.Cloneflags |= syscall.CLONE_NEWUSER
		spaces.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		spaces.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	try := exec.Command("true")
	try.SysProcAttr = spaces
	if err := try.Run(); err != nil {
		t.Skip("no name spaces here: ", err)
	}
	bin, err := testbin.Dir()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestZone$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"="+bin)
	cmd.SysProcAttr = spaces
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "--- SKIP: TestZone") {
		t.Skipf("in the name spaces:\n%s", out)
	}
	if err != nil {
		t.Fatalf("in the name spaces: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// unbound returns the path of the program, or "".
func unbound() string {
	cache := os.Getenv("GOQMAIL_PEERS")
	if cache == "" {
		cache = "/var/cache/goqmail-peers"
	}
	for _, path := range []string{filepath.Join(cache, "unbound/usr/sbin/unbound"), "/usr/sbin/unbound"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}
