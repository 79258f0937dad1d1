package start

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/ids"
)

// Variables that make the test's own program the one that starts a system.
const (
	startHome   = "START_TEST_HOME"
	startLogger = "START_TEST_LOGGER" // program and arguments, separated by |
	startUsers  = "START_TEST_USERS"  // folder of passwd and group
)

func TestMain(m *testing.M) {
	if home := os.Getenv(startHome); home != "" {
		fmt.Fprintln(os.Stderr, "cannot start:", startSystem(home))
		os.Exit(111)
	}
	os.Exit(m.Run())
}

func startSystem(home string) (err error) {
	if err := Reserve(); err != nil {
		return err
	}
	s := System{Home: home, Delivery: "./Maildir/"}
	if logger := os.Getenv(startLogger); logger != "" {
		s.Logger = strings.Split(logger, "|")
	}
	if dir := os.Getenv(startUsers); dir != "" {
		if s.Users, err = LookUp(ids.Files{Passwd: dir + "/passwd", Group: dir + "/group"}); err != nil {
			return err
		}
	}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "START_TEST") {
			s.Env = append(s.Env, v)
		}
	}
	return s.Run()
}

// about prints what a program was started as. Descriptors 9 and up are the
// shell's own.
const about = `#!/bin/sh
about() {
	open=
	for i in 0 1 2 3 4 5 6 7 8; do [ ! -e /proc/$$/fd/$i ] || open="$open $i"; done
	echo "${0##*/} $* uid $(id -u) groups $(id -G) descriptors$open"
}
`

// fakes are a system whose programs tell about themselves. Qmail-send closes its
// ends of the pipes and waits for the ends of the others, which wait for it.
var fakes = map[string]string{
	"qmail-lspawn": about + `about "$@"; exec cat >/dev/null`,
	"qmail-rspawn": about + `about "$@"; exec cat >/dev/null`,
	"qmail-clean":  about + `about "$@"; exec cat >/dev/null`,
	"qmail-send": about + `exec 9>&0; about "$@" >&9; exec 1>&- 3>&- 5>&-
		[ $$ = "$PID" ] || echo "another process id" >&9
		cat <&2 >&9; cat <&4 >&9; cat <&6 >&9; echo bye >&9`,
	"catcher": about + `about "$@"; sed "s/^/logged /"`,
}

func makeHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	os.Chmod(filepath.Dir(home), 0o755) // other users must get in
	bin := filepath.Join(home, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, script := range fakes {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return home
}

// starter is the command that starts the system at home.
func starter(t *testing.T, home string, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The shell tells the process id that qmail-send is to have.
	cmd := exec.Command("/bin/sh", "-c", `PID=$$ exec "$0"`, self)
	cmd.Env = append(os.Environ(), startHome+"="+home, "LC_ALL=C")
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// run runs the command until all who hold its output are gone.
func run(t *testing.T, cmd *exec.Cmd) (stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	if cmd.Start() != nil {
		t.Fatal("cannot start")
	}
	kill := time.AfterFunc(20*time.Second, func() {
		t.Error("something is still running after 20 s")
		cmd.Process.Kill()
	})
	defer kill.Stop()
	cmd.WaitDelay = 30 * time.Second
	cmd.Wait()
	return out.String(), err.String()
}

func ownIDs() string {
	groups, _ := exec.Command("id", "-G").Output()
	return fmt.Sprintf("uid %d groups %s", os.Getuid(), strings.TrimSpace(string(groups)))
}

// callersLog is what the system logs when everything runs as the caller.
func callersLog() string {
	return strings.ReplaceAll("qmail-send  IDS descriptors 0 1 2 3 4 5 6\n"+
		"qmail-lspawn ./Maildir/ IDS descriptors 0 1 2\n"+
		"qmail-rspawn  IDS descriptors 0 1 2\n"+
		"qmail-clean  IDS descriptors 0 1 2\nbye\n", "IDS", ownIDs())
}

func TestRunAsCaller(t *testing.T) {
	t.Parallel()
	stdout, stderr := run(t, starter(t, makeHome(t)))
	if want := callersLog(); stdout != want || stderr != "" {
		t.Errorf("the system logs\n%s and complains %q, want\n%s", stdout, stderr, want)
	}
}

func TestRunWithLogger(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"catcher", "{home}/bin/catcher"} {
		home := makeHome(t)
		logger := strings.ReplaceAll(name, "{home}", home)
		stdout, stderr := run(t, starter(t, home, startLogger+"="+logger+"|a b|c"))
		first, rest, _ := strings.Cut(stdout, "\n")
		if want := "catcher a b c " + ownIDs() + " descriptors 0 1 2"; first != want || stderr != "" {
			t.Errorf("the logger says %q and complains %q, want %q", first, stderr, want)
		}
		if !strings.HasPrefix(rest, "logged qmail-send  ") || !strings.HasSuffix(rest, "\nlogged bye\n") {
			t.Errorf("the logger gets\n%s", rest)
		}
	}
}

// TestRunWithFilesLeftOpen leaves descriptors open that the programs must not
// get, and gives one that is watched by the runtime.
func TestRunWithFilesLeftOpen(t *testing.T) {
	t.Parallel()
	cmd := starter(t, makeHome(t))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 6 {
		cmd.ExtraFiles = append(cmd.ExtraFiles, w)
	}
	var nonblocking [2]int
	if err := syscall.Pipe2(nonblocking[:], syscall.O_NONBLOCK|syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	stdin := os.NewFile(uintptr(nonblocking[0]), "stdin")
	defer stdin.Close()
	defer syscall.Close(nonblocking[1])
	cmd.Stdin = stdin
	stdout, stderr := run(t, cmd)
	w.Close()
	if n, err := r.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		t.Errorf("Read = %d, %v, want EOF", n, err)
	}
	if want := callersLog(); stdout != want || stderr != "" {
		t.Errorf("the system logs\n%s and complains %q, want\n%s", stdout, stderr, want)
	}
}

// TestRunWithoutSignals has qmail-send begin with those signals ignored that it is to obey
// later, and nobody else.
func TestRunWithoutSignals(t *testing.T) {
	t.Parallel()
	const ignored = 1<<(syscall.SIGALRM-1) | 1<<(syscall.SIGHUP-1)
	home := makeHome(t)
	for program, to := range map[string]string{"qmail-send": "0", "qmail-clean": "2"} {
		script := "#!/bin/sh\nexec sed -n 's/^SigIgn:.*\\(.....\\)$/" + program + " \\1/p' /proc/self/status >&" + to + "\n"
		if err := os.WriteFile(filepath.Join(home, "bin", program), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	stdout, stderr := run(t, starter(t, home))
	for said, want := range map[string]uint64{stdout: ignored, stderr: 0} {
		fields := strings.Fields(said)
		if len(fields) < 2 {
			t.Fatalf("the system logs\n%s and complains %q", stdout, stderr)
		}
		if got, err := strconv.ParseUint(fields[1], 16, 64); err != nil || got&ignored != want {
			t.Errorf("%s ignores %x, want %x of %x", fields[0], got, want, uint64(ignored))
		}
	}
}

func TestRunWithoutProgram(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{"qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-clean"} {
		home := makeHome(t)
		os.Remove(filepath.Join(home, "bin", missing))
		cmd := starter(t, home)
		stdout, stderr := run(t, cmd)
		want := "cannot start: run " + home + "/bin/" + missing + ": no such file or directory\n"
		if code := cmd.ProcessState.ExitCode(); code != 111 || stdout != "" || stderr != want {
			t.Errorf("without %s: exit %d, prints %q, complains %q, want %q", missing, code, stdout, stderr, want)
		}
	}
}

func TestRunWithoutLogger(t *testing.T) {
	t.Parallel()
	home := makeHome(t)
	_, stderr := run(t, starter(t, home, startLogger+"=no-such-logger"))
	if want := "cannot start: there is no program no-such-logger in PATH or in " + home + "/bin\n"; stderr != want {
		t.Errorf("complains %q, want %q", stderr, want)
	}
}

// TestRunBadProgram has qmail-send in a form that cannot be run, which shows only
// when the others are running: they must end, and the caller be told.
func TestRunBadProgram(t *testing.T) {
	t.Parallel()
	home := makeHome(t)
	os.WriteFile(filepath.Join(home, "bin/qmail-send"), []byte("#!/no/such/shell\n"), 0o755)
	cmd := starter(t, home)
	_, stderr := run(t, cmd)
	want := "cannot start: run " + home + "/bin/qmail-send: no such file or directory\n"
	if code := cmd.ProcessState.ExitCode(); code != 111 || stderr != want {
		t.Errorf("exit %d, complains %q, want 111, %q", code, stderr, want)
	}
}

const passwd = "qmaill:x:70001:1::/:\nqmailq:x:70002:1::/:\nqmailr:x:70003:1::/:\nqmails:x:70004:1::/:\n"
const group = "qmail:x:70010:\nnofiles:x:70011:\nkeys:x:70012:qmailr\n"

func TestRunAsRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become the users")
	}
	t.Parallel()
	home := makeHome(t)
	os.WriteFile(home+"/passwd", []byte(passwd), 0o644)
	os.WriteFile(home+"/group", []byte(group), 0o644)
	stdout, stderr := run(t, starter(t, home, startUsers+"="+home, startLogger+"=catcher"))
	want := "catcher  uid 70001 groups 70011 descriptors 0 1 2\n" +
		"logged qmail-send  uid 70004 groups 70010 descriptors 0 1 2 3 4 5 6\n" +
		"logged qmail-lspawn ./Maildir/ uid 0 groups 70010 descriptors 0 1 2\n" +
		"logged qmail-rspawn  uid 70003 groups 70010 70012 descriptors 0 1 2\n" +
		"logged qmail-clean  uid 70002 groups 70010 descriptors 0 1 2\nlogged bye\n"
	if stdout != want || stderr != "" {
		t.Errorf("the system logs\n%s and complains %q, want\n%s", stdout, stderr, want)
	}
}

func TestLookUpWithoutUser(t *testing.T) {
	dir := t.TempDir()
	files := ids.Files{Passwd: dir + "/passwd", Group: dir + "/group"}
	os.WriteFile(files.Passwd, []byte(passwd), 0o644)
	os.WriteFile(files.Group, []byte("qmail:x:1:\n"), 0o644)
	if _, err := LookUp(files); err == nil || err.Error() != "there is no group nofiles in "+files.Group {
		t.Errorf("LookUp without nofiles fails with %v", err)
	}
	os.WriteFile(files.Passwd, []byte("qmaill:x:70001:1::/:\n"), 0o644)
	if _, err := LookUp(files); err == nil || err.Error() != "there is no user qmailq in "+files.Passwd {
		t.Errorf("LookUp without qmailq fails with %v", err)
	}
}
