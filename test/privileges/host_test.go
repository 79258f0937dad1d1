package privileges

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/testbin"
	"goqmail/queue"
)

// Users and groups of the host that the tests run on: its own, so that nothing of
// the real host is touched.
const (
	alias  = 8601
	qmaild = 8602
	qmaill = 8603
	qmailp = 8604
	qmailq = 8605
	qmailr = 8606
	qmails = 8607
	pat    = 8701 // gets mail
	eve    = 8702 // has an account

	nofiles = 8651
	qmail   = 8652
	keys    = 8653 // qmailr is in it
	wheel   = 8654 // pat is in it
)

var (
	passwd = account("root", 0, 0) + account("alias", alias, nofiles) +
		account("qmaild", qmaild, nofiles) + account("qmaill", qmaill, nofiles) + account("qmailp", qmailp, nofiles) +
		account("qmailq", qmailq, qmail) + account("qmailr", qmailr, qmail) + account("qmails", qmails, qmail) +
		account("pat", pat, pat) + account("eve", eve, eve) + account("nobody", 65534, 65534)
	group = fmt.Sprintf("root:x:0:\nnofiles:x:%d:\nqmail:x:%d:\nkeys:x:%d:qmailr\nwheel:x:%d:pat,root\n", nofiles, qmail, keys, wheel)
)

func account(name string, uid, gid int) string {
	return fmt.Sprintf("%s:x:%d:%d::/home/%[1]s:/bin/sh\n", name, uid, gid)
}

const home = "/var/qmail"

// inside is the environment variable that says that this process is on the host
// that [onHost] has made.
const inside = "PRIVILEGES_TEST_HOST"

// onHost runs the rest of a test as root on a host of its own: with other processes,
// and other files in /var, /home, /etc/passwd and /etc/group, than the real one. It
// reports whether this is the process that is to go on.
func onHost(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inside) == t.Name() {
		makeHost(t)
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("needs root to have a host of its own")
	}
	bin, err := testbin.Dir()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := tryer()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), inside+"="+t.Name(), "Q_BIN="+bin, "TRY_PROGRAM="+program, "TMPDIR=/tmp")
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
	must(t, unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)) // what the test was started with
	must(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	must(t, syscall.Mount("proc", "/proc", "proc", 0, ""))
	must(t, syscall.Mount("tmpfs", "/var", "tmpfs", 0, "mode=755"))
	must(t, os.MkdirAll("/var/home/alias", 0o755))
	must(t, os.MkdirAll("/var/home/pat", 0o755))
	must(t, os.MkdirAll("/var/home/eve", 0o755))
	must(t, syscall.Mount("/var/home", "/home", "", syscall.MS_BIND, ""))
	must(t, os.Chown("/home/pat", pat, pat))
	must(t, os.Chown("/home/eve", eve, eve))
	for name, text := range map[string]string{"passwd": passwd, "group": group} {
		must(t, os.WriteFile("/var/"+name, []byte(text), 0o644))
		must(t, syscall.Mount("/var/"+name, "/etc/"+name, "", syscall.MS_BIND, ""))
	}
	makeHome(t)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// makeHome makes /var/qmail with qmail's owners and modes.
func makeHome(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"bin", "control", "users", "alias"} {
		must(t, os.MkdirAll(filepath.Join(home, dir), 0o755))
		must(t, os.Chmod(filepath.Join(home, dir), 0o755))
	}
	must(t, os.Chmod(home, 0o755))
	must(t, os.Chown(filepath.Join(home, "alias"), alias, qmail))
	bin, err := testbin.Dir()
	must(t, err)
	programs, err := filepath.Glob(filepath.Join(bin, "*"))
	must(t, err)
	for _, program := range programs {
		data, err := os.ReadFile(program)
		must(t, err)
		place(t, filepath.Base(program), data)
	}
	must(t, os.Chown(filepath.Join(home, "bin/qmail-queue"), qmailq, qmail))
	must(t, os.Chmod(filepath.Join(home, "bin/qmail-queue"), 0o711|os.ModeSetuid))
	must(t, os.WriteFile(filepath.Join(home, "control/me"), []byte("here.test\n"), 0o644))
	makeQueue(t)
}

// place puts a program into bin.
func place(t *testing.T, name string, data []byte) {
	t.Helper()
	syscall.ForkLock.RLock() // a child that had it open would keep it from being run
	defer syscall.ForkLock.RUnlock()
	must(t, os.WriteFile(filepath.Join(home, "bin", name), data, 0o755))
	must(t, os.Chmod(filepath.Join(home, "bin", name), 0o755))
}

func makeQueue(t *testing.T) {
	t.Helper()
	top := filepath.Join(home, "queue")
	must(t, queue.Make(top, queue.DefaultSplit))
	owners := map[string]int{
		"bounce": qmails, "info": qmails, "local": qmails, "remote": qmails,
		"lock/sendmutex": qmails, "lock/trigger": qmails, "lock/send": qmails, "lock/tcpto": qmailr,
	}
	must(t, filepath.WalkDir(top, func(name string, _ fs.DirEntry, err error) error {
		below := strings.TrimPrefix(strings.TrimPrefix(name, top), "/")
		uid := qmailq
		for prefix, owner := range owners {
			if below == prefix || strings.HasPrefix(below, prefix+"/") {
				uid = owner
			}
		}
		return errors.Join(err, os.Lchown(name, uid, qmail))
	}))
}

// log takes what programs print.
type log struct {
	mu      sync.Mutex
	changed sync.Cond
	text    bytes.Buffer
}

func newLog() *log {
	l := &log{}
	l.changed.L = &l.mu
	return l
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changed.Broadcast()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// patience is after how long a test gives up: long, as it only says that the test
// has failed.
const patience = 2 * time.Minute

// wait returns when a text is in the log so many times.
func (l *log) wait(t *testing.T, text string, times int) {
	t.Helper()
	gaveUp := false
	timer := time.AfterFunc(patience, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		gaveUp = true
		l.changed.Broadcast()
	})
	defer timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for strings.Count(l.text.String(), text) < times {
		if gaveUp {
			t.Fatalf("%q is not %d times in the log:\n%s", text, times, l.text.String())
		}
		l.changed.Wait()
	}
}

// as is a user for a program.
func as(uid, gid uint32) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid, Groups: []uint32{gid}}}
}

// fifo makes a named pipe for a user.
func fifo(t *testing.T, name string, uid int) {
	t.Helper()
	must(t, syscall.Mkfifo(name, 0o600))
	must(t, os.Chown(name, uid, uid))
}

// told returns when somebody has written to a named pipe.
func told(t *testing.T, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	must(t, f.SetReadDeadline(time.Now().Add(patience)))
	_, err = f.Read(make([]byte, 1))
	must(t, err)
}
