// Package peers has the system speak with mail programs of the wider world, as
// Debian has them, over loopback: what they send is taken as they meant it, and
// they take what is sent to them.
//
// Peers that are not installed are skipped. Postfix and Exim need not be installed
// but unpacked, into a folder each below $GOQMAIL_PEERS or /var/cache/goqmail-peers
// (.ci/run does that): their packages would change who sends the machine's mail.
// As servers they are run by root alone, in a namespace in which their accounts
// exist; the rest needs no rights.
package peers

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/privatehome"
	"goqmail/internal/testbin"
	"goqmail/receive/receivetest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testbin.Remove()
	os.Exit(code)
}

const (
	nobody   = 65534 // runs the system if root runs the test
	patience = 2 * time.Minute
)

// host is a private home, whose user is joe@here.test.
type host struct {
	t    *testing.T
	home privatehome.Home
	dir  string // for other files of the test
}

func newHost(t *testing.T) *host {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers")
	}
	bin, err := testbin.Dir()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &host{t: t, dir: dir}
	h.home = privatehome.Home{Dir: filepath.Join(dir, "home"), Bin: bin, User: "joe", UID: os.Getuid(), GID: os.Getgid()}
	if h.home.UID == 0 {
		h.home.UID, h.home.GID = nobody, nobody
	}
	h.must(os.Chmod(dir, 0o755))
	h.must(h.home.Make())
	h.must(h.home.Relay("127.0.0.1:1")) // nobody listens
	h.must(os.WriteFile(filepath.Join(h.home.Dir, "control/rcpthosts"), []byte(privatehome.Me+"\n"), 0o644))
	h.own(h.home.Dir)
	return h
}

func (h *host) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// own gives a folder and all in it to the user of the system.
func (h *host) own(dir string) {
	h.t.Helper()
	h.must(filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(name, h.home.UID, h.home.GID))
	}))
}

// path is a file below the home.
func (h *host) path(name string) string { return filepath.Join(h.home.Dir, name) }

// control writes a control file.
func (h *host) control(name, text string) {
	h.t.Helper()
	h.must(os.MkdirAll(filepath.Dir(h.path("control/"+name)), 0o755))
	h.must(os.WriteFile(h.path("control/"+name), []byte(text), 0o644))
	h.own(h.path("control"))
}

// certificate gives the servers of the home one, and returns the file.
func (h *host) certificate() string {
	h.t.Helper()
	h.control("servercert.pem", receivetest.Certificate(h.t, "mx.test.example"))
	return h.path("control/servercert.pem")
}

// file writes a file for the user of the system, and returns its path. It can be
// run if it is a script.
func (h *host) file(name, text string) string {
	h.t.Helper()
	name = filepath.Join(h.dir, name)
	mode := fs.FileMode(0o600)
	if strings.HasPrefix(text, "#!") {
		mode = 0o755
	}
	syscall.ForkLock.RLock() // a child that had it open would keep it from being run
	defer syscall.ForkLock.RUnlock()
	h.must(os.WriteFile(name, []byte(text), mode))
	h.must(os.Chown(name, h.home.UID, h.home.GID))
	return name
}

// folder makes a folder for the user of the system, and returns its path.
func (h *host) folder(name string) string {
	h.t.Helper()
	name = filepath.Join(h.dir, name)
	h.must(os.MkdirAll(name, 0o755))
	h.own(name)
	return name
}

// command is a program run by the user of the system: ours by name, others by path.
func (h *host) command(program string, args ...string) *exec.Cmd {
	if !strings.Contains(program, "/") {
		program = h.path("bin/" + program)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = h.home.Dir
	cmd.Env = append(os.Environ(), "QMAILHOME="+h.home.Dir, "USER="+h.home.User, "HOME="+h.path(h.home.User), "LC_ALL=C.UTF-8")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(h.home.UID), Gid: uint32(h.home.GID)}
	}
	return cmd
}

// run runs a command to its end, and returns its exit code and what it wrote.
func (h *host) run(cmd *exec.Cmd) (int, string) {
	h.t.Helper()
	r := h.start(cmd)
	select {
	case <-r.ended:
	case <-time.After(patience):
		h.t.Fatalf("%s does not end: %s", cmd, r.log())
	}
	return cmd.ProcessState.ExitCode(), r.log()
}

// smtpd starts qmail-smtpd on a port of its own, with those variables set and that
// password checker.
func (h *host) smtpd(env []string, checker ...string) (*running, string) {
	h.t.Helper()
	cmd := h.command("qmail-smtpd", append([]string{"-listen", "127.0.0.1:0"}, checker...)...)
	cmd.Env = append(cmd.Env, env...)
	r := h.start(cmd)
	return r, strings.Fields(r.after("listening on "))[0] // what it serves there follows
}

// running is a program and what it has written so far.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	ended chan struct{} // closed then

	mu      sync.Mutex
	changed sync.Cond
	text    bytes.Buffer
	over    bool // no more text will come
}

// start starts a program, which ends with the test.
func (h *host) start(cmd *exec.Cmd) *running {
	h.t.Helper()
	r := &running{t: h.t, cmd: cmd, ended: make(chan struct{})}
	r.changed.L = &r.mu
	cmd.Stderr = r
	if cmd.Stdout == nil {
		cmd.Stdout = r
	}
	cmd.WaitDelay = 10 * time.Second
	h.must(cmd.Start())
	go func() {
		cmd.Wait()
		r.mu.Lock()
		r.over = true
		r.changed.Broadcast()
		r.mu.Unlock()
		close(r.ended)
	}()
	h.t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-r.ended
	})
	return r
}

func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.Write(p)
	r.changed.Broadcast()
	return len(p), nil
}

func (r *running) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// wait returns when the program has written that text so many times.
func (r *running) wait(text string, times int) {
	r.t.Helper()
	r.until(r.t, fmt.Sprintf("%q %d times", text, times), func(log string) bool { return strings.Count(log, text) >= times })
}

// line returns when the program has written a line with all those words, behind so
// many bytes.
func (r *running) line(t *testing.T, from int, words ...string) {
	t.Helper()
	r.until(t, fmt.Sprintf("a line with %q", words), func(log string) bool {
		for line := range strings.Lines(log[from:]) {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
				return true
			}
		}
		return false
	})
}

// until returns when what the program has written is as wanted.
func (r *running) until(t *testing.T, what string, wanted func(log string) bool) {
	t.Helper()
	gaveUp := false
	timer := time.AfterFunc(patience, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		gaveUp = true
		r.changed.Broadcast()
	})
	defer timer.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for !wanted(r.text.String()) {
		if r.over || gaveUp {
			t.Fatalf("%s has not written %s:\n%s", filepath.Base(r.cmd.Path), what, tail(r.text.String()))
		}
		r.changed.Wait()
	}
}

// after waits for a line, and returns what follows a text in it.
func (r *running) after(text string) (line string) {
	r.t.Helper()
	r.until(r.t, fmt.Sprintf("a line with %q", text), func(log string) (whole bool) {
		_, rest, _ := strings.Cut(log, text)
		line, _, whole = strings.Cut(rest, "\n")
		return whole
	})
	return line
}

func tail(log string) string { return log[max(0, len(log)-4000):] }

// installed returns the path of a program, and skips the test if it is not there.
func installed(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	return path
}

// unpacked returns the folder that a package was unpacked in, or / if the program
// is installed, and skips the test if it is neither.
func unpacked(t *testing.T, pkg, program string) string {
	t.Helper()
	root := peerFolder(pkg, program)
	if root == "" {
		t.Skipf("%s is neither unpacked nor installed", pkg)
	}
	return root
}

func peerFolder(pkg, program string) string {
	cache := os.Getenv("GOQMAIL_PEERS")
	if cache == "" {
		cache = "/var/cache/goqmail-peers"
	}
	for _, root := range []string{filepath.Join(cache, pkg), "/"} {
		if _, err := os.Stat(filepath.Join(root, program)); err == nil {
			return root
		}
	}
	return ""
}

// freeAddress returns an address of loopback at which nobody listens, port 2525.
// No connection to elsewhere begins there, so that it stays free.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		ip := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
		if l, err := net.Listen("tcp", ip+":2525"); err == nil {
			l.Close()
			return ip
		}
	}
	t.Fatal("no address of loopback is free")
	return ""
}

// apart is a shell script run by root in namespaces of its own, in which those
// lines are in the password and the group file.
func (h *host) apart(passwd, group, script string) *exec.Cmd {
	h.t.Helper()
	if os.Getuid() != 0 {
		h.t.Skip("only root can have a mount namespace")
	}
	if out, err := exec.Command("unshare", "--mount", "--pid", "--fork", "true").CombinedOutput(); err != nil {
		h.t.Skipf("no namespaces here: %v: %s", err, out)
	}
	for name, lines := range map[string]string{"passwd": passwd, "group": group} {
		text, err := os.ReadFile("/etc/" + name)
		h.must(err)
		h.must(os.WriteFile(filepath.Join(h.dir, name), append([]byte(lines), text...), 0o644))
	}
	cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", `
mount --make-rprivate /
mount --bind passwd /etc/passwd
mount --bind group /etc/group
`+script)
	cmd.Dir = h.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}
