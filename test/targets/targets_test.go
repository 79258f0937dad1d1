// Package targets tests .qmail lines that name programs of the wider world, as
// Debian has them. What is not installed is skipped.
//
// Root runs them as nobody, since root is not delivered to.
package targets

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/testbin"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testbin.Remove()
	os.Exit(code)
}

const message = "From: Sue <sue@far.example>\nSubject: lunch\n\nAt noon?\n\nFrom here it is not far.\n.\n"

const (
	returnPath  = "Return-Path: <sue@far.example>\n"
	deliveredTo = "Delivered-To: kim@test.example\n"
)

// nobody runs the programs if root runs the test.
const nobody = 65534

// home is a user's home.
type home struct {
	t        *testing.T
	dir, bin string
	uid, gid int
}

// newHome makes a home, for a test of those programs.
func newHome(t *testing.T, programs ...string) *home {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
	bin, err := testbin.Dir()
	if err != nil {
		t.Fatal(err)
	}
	h := &home{t: t, bin: bin, uid: os.Getuid(), gid: os.Getgid()}
	if h.uid == 0 {
		h.uid, h.gid = nobody, nobody
	}
	// Short, since it will have sockets in it.
	if h.dir, err = os.MkdirTemp("", "kim"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(h.dir) })
	h.own(h.dir, 0o700)
	return h
}

func (h *home) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) own(name string, mode fs.FileMode) {
	h.t.Helper()
	h.must(errors.Join(os.Chown(name, h.uid, h.gid), os.Chmod(name, mode)))
}

func (h *home) write(name, text string, mode fs.FileMode) {
	h.t.Helper()
	name = filepath.Join(h.dir, name)
	h.must(os.WriteFile(name, []byte(text), mode))
	h.own(name, mode)
}

// maildir makes a maildir.
func (h *home) maildir(name string) {
	h.t.Helper()
	for _, folder := range []string{"", "/tmp", "/new", "/cur"} {
		h.must(os.Mkdir(filepath.Join(h.dir, name+folder), 0o700))
		h.own(filepath.Join(h.dir, name+folder), 0o700)
	}
}

// command is a program run by the user.
func (h *home) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = h.dir
	cmd.Env = []string{"PATH=" + h.bin + ":" + os.Getenv("PATH"), "USER=kim", "LOGNAME=kim", "HOME=" + h.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(h.uid), Gid: uint32(h.gid)}
	}
	return cmd
}

// deliver delivers the message by those lines, and wants that exit code.
func (h *home) deliver(want int, lines ...string) {
	h.t.Helper()
	h.write(".qmail", strings.Join(lines, "\n")+"\n", 0o600)
	file, err := os.CreateTemp(h.dir, "message")
	h.must(err)
	defer file.Close()
	_, err = file.WriteString(message)
	h.must(err)
	h.must(os.Remove(file.Name()))
	cmd := h.command(filepath.Join(h.bin, "qmail-local"), "kim", h.dir, "kim", "", "", "test.example", "sue@far.example", "./none/")
	cmd.Stdin = file
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != want {
		h.t.Fatalf("qmail-local exits with %d, want %d: %v: %s", got, want, err, out)
	}
}

// one returns the only message in a maildir.
func (h *home) one(maildir string) string {
	h.t.Helper()
	names, err := filepath.Glob(filepath.Join(h.dir, maildir, "new", "*"))
	h.must(err)
	if len(names) != 1 {
		h.t.Fatalf("%s has %d messages, want one", maildir, len(names))
	}
	text, err := os.ReadFile(names[0])
	h.must(err)
	return string(text)
}

// has checks that a text has the whole message in it, behind those header lines.
func (h *home) has(text string, header ...string) {
	h.t.Helper()
	head, body, _ := strings.Cut(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n")
	lines := strings.Split(head, "\n")
	for _, want := range append(header, "From: Sue <sue@far.example>", "Subject: lunch") {
		if !slices.Contains(lines, strings.TrimSuffix(want, "\n")) {
			h.t.Errorf("there is no line %q in the header %q", want, head)
		}
	}
	if _, want, _ := strings.Cut(message, "\n\n"); body != want {
		h.t.Errorf("the body is %q, want %q", body, want)
	}
}

func TestProcmail(t *testing.T) {
	h := newHome(t, "procmail")
	h.maildir("lunch")
	// Procmail takes HOME from the password file.
	h.write("rc", "MAILDIR="+h.dir+"\n:0\n* ^Subject: lunch\nlunch/\n", 0o600)
	h.deliver(0, "|preline procmail -m ./rc")
	h.has(h.one("lunch"), returnPath, deliveredTo)
}

func TestMaildrop(t *testing.T) {
	h := newHome(t, "maildrop")
	h.maildir("lunch")
	h.write("filter", "if (/^Subject: lunch/)\n{\n  to \"./lunch/\"\n}\n", 0o600)
	h.deliver(0, "|preline maildrop ./filter")
	h.has(h.one("lunch"), returnPath, deliveredTo)
	h.write("filter", "EXITCODE=77\nexit\n", 0o600)
	h.deliver(100, "|preline maildrop ./filter", "./never")
	h.write("filter", "EXITCODE=75\nexit\n", 0o600)
	h.deliver(111, "|preline maildrop ./filter", "./never")
}

// A filter that adds to the header, in front of a mailbox.
func TestFormail(t *testing.T) {
	h := newHome(t, "formail")
	h.deliver(0, `|preline formail -A "X-Filter: yes" >>box`, "|exit 99", "./never")
	text, err := os.ReadFile(filepath.Join(h.dir, "box"))
	h.must(err)
	from, rest, _ := strings.Cut(string(text), "\n")
	if !strings.HasPrefix(from, "From sue@far.example ") {
		t.Errorf("the mbox begins with %q", from)
	}
	h.has(strings.TrimSuffix(strings.ReplaceAll(rest, "\n>From ", "\nFrom "), "\n"), returnPath, deliveredTo, "X-Filter: yes")
}

// What spamc does, with a shell script in its place: the message goes in, comes out
// with a verdict in its header, and a maildrop behind it sorts it.
func TestSpamFilter(t *testing.T) {
	h := newHome(t, "maildrop")
	h.maildir("junk")
	h.write("spamc", "#!/bin/sh\necho 'X-Spam-Status: Yes, score=9.9'\nexec cat\n", 0o700)
	h.write("filter", "if (/^X-Spam-Status: Yes/)\n{\n  to \"./junk/\"\n}\nEXITCODE=75\nexit\n", 0o600)
	h.deliver(0, "|preline -f ./spamc | maildrop ./filter")
	h.has(h.one("junk"), returnPath, deliveredTo, "X-Spam-Status: Yes, score=9.9")
}

// dovecot writes a configuration for Dovecot that runs as the user alone.
func (h *home) dovecot() {
	h.t.Helper()
	version, err := exec.Command("dovecot", "--version").Output()
	if err != nil || !bytes.HasPrefix(version, []byte("2.3.")) {
		h.t.Skipf("the configuration is one for Dovecot 2.3, and this is %s", version)
	}
	account := h.account()
	h.maildir("store")
	h.write("dovecot.conf", strings.NewReplacer("DIR", h.dir, "ACCOUNT", account[0], "GROUP", account[1]).Replace(`
base_dir = DIR/run
state_dir = DIR/run
log_path = /dev/stderr
protocols = lmtp
ssl = no
default_internal_user = ACCOUNT
default_internal_group = GROUP
default_login_user = ACCOUNT
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:DIR/store
postmaster_address = postmaster@test.example
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=ACCOUNT gid=GROUP home=DIR username_format=%n
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
service lmtp {
  unix_listener lmtp {
    path = DIR/lmtp
    mode = 0600
  }
}
`), 0o600)
}

// account is the names of the user and the group.
func (h *home) account() [2]string {
	out, err := h.command("sh", "-c", "id -un && id -gn").Output()
	f := strings.Fields(string(out))
	if err != nil || len(f) != 2 {
		h.t.Skip("the user who runs the test has no name")
	}
	return [2]string{f[0], f[1]}
}

const lda = "/usr/lib/dovecot/dovecot-lda"

func TestDovecotLDA(t *testing.T) {
	h := newHome(t, lda)
	h.dovecot()
	h.deliver(0, `|preline -d -f `+lda+` -c ./dovecot.conf -f "$SENDER" -a "$RECIPIENT"`)
	h.has(h.one("store"), returnPath)
}

func TestDovecotLMTP(t *testing.T) {
	h := newHome(t, "dovecot", "/usr/lib/dovecot/lmtp")
	h.dovecot()
	server := h.command("dovecot", "-F", "-c", filepath.Join(h.dir, "dovecot.conf"))
	log, err := server.StderrPipe()
	h.must(err)
	h.must(server.Start())
	defer server.Wait()
	defer syscall.Kill(-server.Process.Pid, syscall.SIGTERM)
	if text := until(log, "starting up"); !strings.Contains(text, "starting up") {
		t.Fatalf("dovecot does not start: %s", text)
	}
	h.deliver(0, "|qmail-lmtp "+h.dir+"/lmtp")
	h.has(h.one("store"), returnPath, deliveredTo)
	// A recipient that it does not take.
	h.deliver(100, "|qmail-lmtp "+h.dir+`/lmtp "<>"`, "./never")
}

// until reads up to that text.
func until(log interface{ Read([]byte) (int, error) }, text string) string {
	var all []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(all, []byte(text)) {
		n, err := log.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			break
		}
	}
	return string(all)
}
