package privileges

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// profiles are what a program may be confined as, and the letters that stand for
// them below. Small letters of qmail-remote: alone, and as a child of qmail-rspawn.
var profiles = []struct {
	letter string
	name   string
}{
	{"c", "qmail-clean"},
	{"q", "qmail-queue -serve"},
	{"m", "qmail-remote"},
	{"M", "qmail-remote below qmail-rspawn"},
	{"n", "qmail-remote -serve"},
	{"r", "qmail-rspawn"},
	{"s", "qmail-send"},
	{"d", "qmail-smtpd"},
}

// What an act is forbidden by.
const (
	bySeccomp  = 0
	byLandlock = 1 // and newer versions of it
	byTruncate = 3
	byTCP      = 4
	bySignals  = 6 // and a mistake in it that is mended
)

// table is what each program may and may not: the table of privileges in
// doc/security.md, taken at its word. An act that nobody may is listed too.
var table = []struct {
	act string
	may string // letters of profiles
	by  int
}{
	// The queue: each may change what is its own.
	{"read a message", "qrsd", byLandlock},
	{"list messages", "qrsd", byLandlock},
	{"list pid", "cqrsd", byLandlock},
	{"write a message", "q", byLandlock},
	{"cut a message", "q", byTruncate},
	{"make a message", "q", byLandlock},
	{"make a file in todo", "q", byLandlock},
	{"move a message", "", byLandlock},
	{"remove a message", "cq", byLandlock},
	{"remove the envelope", "cq", byLandlock},
	{"write info", "s", byLandlock},
	{"make info", "s", byLandlock},
	{"pull the trigger", "qs", byLandlock},
	{"make a link", "", byLandlock},
	{"move info", "s", byLandlock},
	{"remove info", "s", byLandlock},
	{"write tcpto", "mMnrs", byLandlock}, // for qmail-send it is one of the locks
	// Other files.
	{"read a control file", "mMnrsd", byLandlock},
	{"read a linked one", "mMnrsd", byLandlock},
	{"write a control file", "", byLandlock},
	{"remove a control file", "", byLandlock},
	{"read an address file", "mMnrd", byLandlock},
	{"read a file of the host", "mMnrsd", byLandlock},
	{"tell the time", "mMnrsd", byLandlock},
	{"read another file", "nrd", byLandlock},
	{"read alias's mail", "nrd", byLandlock},
	{"read a mailbox", "nrd", byLandlock},
	{"write a mailbox", "", byLandlock},
	{"make a mail", "", byLandlock},
	{"remove a mailbox", "", byLandlock},
	{"make a file elsewhere", "", byLandlock},
	{"write to null", "r", byLandlock},
	// The network.
	{"connect", "mMnrd", bySeccomp},
	{"take a port", "", byTCP},
	{"bind to an address", "mMnrd", bySeccomp},
	{"ask by UDP", "mMnrd", bySeccomp},
	{"ask for interfaces", "mMnrd", bySeccomp},
	{"a Unix socket", "sd", bySeccomp},
	{"look at packets", "", bySeccomp},
	{"a Bluetooth socket", "", bySeccomp},
	// Programs and processes.
	{"start a program", "r", bySeccomp},
	{"become a program", "r", bySeccomp},
	{"start a set-uid program", "", bySeccomp},
	{"make a thread", "cqmMnrsd", bySeccomp},
	{"signal itself", "cqmMnrsd", bySeccomp},
	{"signal the parent", "r", bySignals},
	{"trace the parent", "", bySeccomp},
	{"read the parent's memory", "", byLandlock},
	// The host.
	{"become another user", "", bySeccomp},
	{"leave all groups", "", bySeccomp},
	{"a user name space", "", bySeccomp},
	{"clone a name space", "", bySeccomp},
	{"clone3", "", bySeccomp},
	{"mount", "", bySeccomp},
	{"change the root", "", bySeccomp},
	{"load BPF", "", bySeccomp},
	{"io_uring", "", bySeccomp},
	{"keys", "", bySeccomp},
	{"set the clock", "", bySeccomp},
	{"type for the user", "", bySeccomp},
	{"any other ioctl", "cqmMnrsd", bySeccomp},
}

// TestConfined tries from inside each program's confinement what it may and may not.
// Each act is first tried without confinement: what the host forbids to everybody
// says nothing.
func TestConfined(t *testing.T) {
	t.Parallel()
	if version() < byLandlock {
		t.Skip("this kernel has no Landlock")
	}
	port := listen(t)
	for _, row := range table {
		t.Run(row.act, func(t *testing.T) {
			t.Parallel()
			if version() < row.by {
				t.Skipf("this kernel has version %d of Landlock and not %d", version(), row.by)
			}
			switch root := os.Getuid() == 0; {
			case root && row.act == "read the parent's memory":
				t.Skip("root may, by CAP_PERFMON")
			case !root && row.act == "start a set-uid program":
				t.Skip("needs root to make one")
			}
			if result := try(t, port, "nothing", row.act); result != "done" {
				t.Skipf("forbidden to everybody here: %s", result)
			}
			for _, p := range profiles {
				result := try(t, port, p.name, row.act)
				switch may := strings.Contains(row.may, p.letter); {
				case may && result != "done":
					t.Errorf("%s: %s", p.name, result)
				case !may && !isForbidden(result, row.act):
					t.Errorf("%s: %q, want it forbidden", p.name, result)
				}
			}
		})
	}
}

func isForbidden(result, act string) bool {
	for _, text := range []string{"operation not permitted", "permission denied", "invalid cross-device link"} {
		if strings.HasSuffix(result, text) {
			return true
		}
	}
	switch act {
	case "clone3":
		return strings.HasSuffix(result, "function not implemented")
	case "start a set-uid program":
		return strings.HasPrefix(result, "it runs as ")
	}
	return false
}

// version is that of Landlock, 5 if it is 6 with the mistake about signals.
var version = sync.OnceValue(func() int {
	v, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	const signals = 1 << 1
	mended, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_ERRATA)
	if v >= bySignals && (errno != 0 || mended&signals == 0) {
		return bySignals - 1
	}
	return int(v)
})

// listen returns a port of this host that takes connections.
func listen(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// tryer builds the program that tries.
var tryer = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "try")
	if err != nil {
		return "", err
	}
	remove = append(remove, dir)
	program := filepath.Join(dir, "try")
	if built := os.Getenv("TRY_PROGRAM"); built != "" { // see onHost
		return built, nil
	}
	build := exec.Command("go", "build", "-o", program, "./try")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // C threads know nothing of AllThreadsSyscall
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return program, os.Chmod(dir, 0o755)
})

// try tries an act in a home of its own.
func try(t *testing.T, port, profile, act string) string {
	t.Helper()
	program, err := tryer()
	if err != nil {
		t.Fatal(err)
	}
	home, user := tryHome(t)
	cmd := exec.Command(program, profile, home, act)
	cmd.Env = append(os.Environ(), "TRY_PORT="+port, "TRY_USER="+user)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil || log.Len() > 0 {
		t.Fatalf("%s, %s: %v, %s%s", profile, act, err, out.String(), log.String())
	}
	return strings.TrimSpace(out.String())
}

// tryHome makes a home with the files that are tried, and a user's.
func tryHome(t *testing.T) (home, user string) {
	t.Helper()
	home, user = t.TempDir(), t.TempDir()
	other := t.TempDir()
	write(t, filepath.Join(other, "linked"), "linked\n")
	for _, name := range []string{
		"control/me", "users/cdb", "alias/Mailbox", "queue/mess/0/1", "queue/todo/1", "queue/intd/1",
		"queue/info/0/1", "queue/bounce/2", "queue/local/0/1", "queue/remote/0/1", "queue/pid/1", "queue/lock/tcpto", "queue/lock/trigger",
	} {
		write(t, filepath.Join(home, name), "text\n")
	}
	for _, name := range []string{"file", "Mailbox", "Maildir/new/1"} {
		write(t, filepath.Join(user, name), "text\n")
	}
	if err := os.Symlink(filepath.Join(other, "linked"), filepath.Join(home, "control/linked")); err != nil {
		t.Fatal(err)
	}
	copySetUID(t, "/usr/bin/id", filepath.Join(home, "bin/setuid-id"))
	return home, user
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// copySetUID copies a program and makes it set-uid to nobody. An ordinary user
// cannot, and then it is not tried.
func copySetUID(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	syscall.ForkLock.RLock() // a child that had it open would keep it from being run
	write(t, to, string(data))
	syscall.ForkLock.RUnlock()
	if os.Getuid() == 0 {
		if err := os.Chown(to, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(to, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
}
