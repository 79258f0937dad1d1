// Package testhost makes a host of its own for a test that needs root: with its own
// processes, and other files in /var, /home, /etc/passwd and /etc/group than the real
// one, and with this system in /var/qmail, owners and modes and all. Nothing of the
// real host is touched.
package testhost

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/testbin"
)

// Users and groups of the host.
const (
	Alias  = 8601
	Qmaild = 8602
	Qmaill = 8603
	Qmailp = 8604
	Qmailq = 8605
	Qmailr = 8606
	Qmails = 8607
	Pat    = 8701 // gets mail
	Eve    = 8702 // has an account

	Nofiles = 8651
	Qmail   = 8652
	Keys    = 8653 // qmailr is in it
	Wheel   = 8654 // pat is in it
)

// Home is the system's home.
const Home = "/var/qmail"

// Passwd is the host's password file.
func Passwd() string {
	account := func(name string, uid, gid int) string {
		return fmt.Sprintf("%s:x:%d:%d::/home/%[1]s:/bin/sh\n", name, uid, gid)
	}
	return account("root", 0, 0) + account("alias", Alias, Nofiles) +
		account("qmaild", Qmaild, Nofiles) + account("qmaill", Qmaill, Nofiles) + account("qmailp", Qmailp, Nofiles) +
		account("qmailq", Qmailq, Qmail) + account("qmailr", Qmailr, Qmail) + account("qmails", Qmails, Qmail) +
		account("pat", Pat, Pat) + account("eve", Eve, Eve) + account("nobody", 65534, 65534)
}

// Group is its group file.
func Group() string {
	return fmt.Sprintf("root:x:0:\nnofiles:x:%d:\nqmail:x:%d:\nkeys:x:%d:qmailr\nwheel:x:%d:pat,root\n", Nofiles, Qmail, Keys, Wheel)
}

// inside is the environment variable that says that this process is on the host
// that [On] has made.
const inside = "GOQMAIL_TEST_HOST"

// On runs the rest of a test as root on a host of its own, with more variables in its
// environment. It reports whether this is the process that is to go on.
func On(t *testing.T, more ...string) bool {
	t.Helper()
	if os.Getenv(inside) == t.Name() {
		makeHost(t)
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("needs root to have a host of its own")
	}
	bin, err := testbin.Dir()
	Must(t, err)
	self, err := os.Executable()
	Must(t, err)
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	cmd.Env = append(append(os.Environ(), inside+"="+t.Name(), "Q_BIN="+bin, "TMPDIR=/tmp"), more...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip("cannot have name spaces: ", err)
	}
	t.Logf("%s", out)
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name()+" ")) && !bytes.Contains(out, []byte("--- SKIP: "+t.Name()+" ")) {
		t.Error(err)
	}
	return false
}

// makeHost mounts what is to be different. This process has name spaces of its own.
func makeHost(t *testing.T) {
	t.Helper()
	Must(t, unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)) // what the test was started with
	Must(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	Must(t, syscall.Mount("proc", "/proc", "proc", 0, ""))
	Must(t, syscall.Mount("tmpfs", "/var", "tmpfs", 0, "mode=755"))
	for _, name := range []string{"alias", "pat", "eve"} {
		Must(t, os.MkdirAll("/var/home/"+name, 0o755))
	}
	Must(t, syscall.Mount("/var/home", "/home", "", syscall.MS_BIND, ""))
	Must(t, os.Chown("/home/pat", Pat, Pat))
	Must(t, os.Chown("/home/eve", Eve, Eve))
	for name, text := range map[string]string{"passwd": Passwd(), "group": Group()} {
		Must(t, os.WriteFile("/var/"+name, []byte(text), 0o644))
		Must(t, syscall.Mount("/var/"+name, "/etc/"+name, "", syscall.MS_BIND, ""))
	}
	makeHome(t)
}

// Must ends the test if there is an error.
func Must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// As is a user for a program.
func As(uid, gid uint32) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid, Groups: []uint32{gid}}}
}

// FIFO makes a named pipe for a user.
func FIFO(t *testing.T, name string, uid int) {
	t.Helper()
	Must(t, syscall.Mkfifo(name, 0o600))
	Must(t, os.Chown(name, uid, uid))
}

// Told returns when somebody has written to a named pipe.
func Told(t *testing.T, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	Must(t, err)
	defer f.Close()
	Must(t, f.SetReadDeadline(time.Now().Add(patience)))
	_, err = f.Read(make([]byte, 1))
	Must(t, err)
}

// Place puts a program into the home's bin.
func Place(t *testing.T, name string, data []byte) {
	t.Helper()
	syscall.ForkLock.RLock() // a child that had it open would keep it from being run
	defer syscall.ForkLock.RUnlock()
	Must(t, os.WriteFile(filepath.Join(Home, "bin", name), data, 0o755))
	Must(t, os.Chmod(filepath.Join(Home, "bin", name), 0o755))
}
