package spawn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/fault"
	"goqmail/internal/ids"
	"goqmail/internal/report"
)

// The test binary stands in for qmail-local and qmail-remote. What it does is in
// its message: lines of a verb and a quoted text.
const fakeVariable = "GOQMAIL_FAKE"

// With this variable it is a spawner that is short of descriptors, over the
// folder of messages that the variable names.
const poorVariable = "GOQMAIL_POOR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(poorVariable); dir != "" {
		os.Exit(poorSpawner(dir))
	}
	if os.Getenv(fakeVariable) != "" {
		if len(os.Args) == 2 && os.Args[1] == "-serve" {
			os.Exit(fakeStaying())
		}
		os.Exit(fake())
	}
	os.Exit(m.Run())
}

func fake() int {
	text, _ := io.ReadAll(os.Stdin)
	if s := os.Getenv(fakeVariable); s != "message" {
		text = []byte(s)
	}
	for line := range strings.Lines(string(text)) {
		verb, quoted, _ := strings.Cut(strings.TrimSpace(line), " ")
		arg, _ := strconv.Unquote(quoted)
		switch verb {
		case "say":
			os.Stdout.WriteString(arg)
		case "err":
			os.Stderr.WriteString(arg)
		case "args":
			fmt.Printf("%q", os.Args)
		case "env":
			fmt.Print(os.Getenv(arg))
		case "ids":
			groups, _ := os.Getgroups()
			fmt.Print(os.Getuid(), os.Geteuid(), os.Getgid(), os.Getegid(), groups)
		case "lots":
			for range 1000 {
				os.Stdout.WriteString(strings.Repeat(arg, 1000))
			}
		case "wait": // until nobody holds a FIFO open for writing
			f, _ := os.OpenFile(arg, os.O_RDONLY|syscall.O_NONBLOCK, 0)
			io.Copy(io.Discard, f)
		case "leave": // a process behind that holds the descriptors and waits
			syscall.ForkExec("/proc/self/exe", []string{"left"}, &syscall.ProcAttr{
				Env:   []string{fakeVariable + "=wait " + quoted},
				Files: []uintptr{0, 1, 2},
			})
		case "close":
			os.Stdout.Close()
			os.Stderr.Close()
		case "panic":
			panic(arg)
		case "die":
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		case "exit":
			code, _ := strconv.Atoi(arg)
			return code
		}
	}
	return 0
}

// hold makes a FIFO for the verb wait and holds it open until the test ends.
func hold(t testing.TB) (quoted string) {
	t.Helper()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return strconv.Quote(fifo)
}

func poorSpawner(dir string) int {
	ReserveThreads()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 20, Max: 20}); err != nil {
		return 1
	}
	r := Remote{Program: Program{Name: "qmail-remote", Path: "/proc/self/exe"}, Env: fakeEnv}
	s := Server{Slots: Slots, Messages: dir, Trusted: me, Deliver: r.Deliver}
	if s.Serve(os.Stdin, os.Stdout) != nil {
		return 1
	}
	return 0
}

// TestPoor asks a spawner for more than it has descriptors for: there is an answer
// for each, success or try again.
func TestPoor(t *testing.T) {
	exe := self(t)
	dir := messages(t)
	os.WriteFile(filepath.Join(dir, "7/1"), []byte(`say "rfine\n\x00K\x00"`), 0o644)
	var in strings.Builder
	for i := range Slots {
		in.WriteString(asCommand(byte(i), "7/1", "", "a@b"))
	}
	out, status, err := Child{
		Path: exe, Args: []string{"spawner"}, Env: []string{poorVariable + "=" + dir}, Stdin: message(t, in.String()), Limit: time.Minute,
	}.Output(1 << 20)
	if status != 0 || err != nil || len(out) == 0 {
		t.Fatalf("got %q, %v, %v", out, status, err)
	}
	answered := map[byte]bool{}
	for rest := string(out[1:]); rest != ""; {
		var answer string
		number := rest[0]
		answer, rest, _ = strings.Cut(rest[1:], "\x00")
		if answered[number] || answer != "Kfine\n" && answer[0] != 'Z' {
			t.Errorf("answer to %d: %q", number, answer)
		}
		answered[number] = true
	}
	if len(answered) != Slots {
		t.Errorf("%d answers, want %d", len(answered), Slots)
	}
}

// self is the test binary under a name that any user may run.
func self(t testing.TB) string {
	t.Helper()
	const path = "/proc/self/exe"
	if _, err := os.Stat(path); err != nil {
		t.Skip("needs /proc/self/exe")
	}
	return path
}

// message makes a message and opens it.
func message(t testing.TB, text string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

var fakeEnv = []string{fakeVariable + "=message", "PATH=" + os.Getenv("PATH")}

// do delivers a message whose text is what the program does.
func do(t testing.TB, deliver func(Delivery) report.Report, text string) string {
	t.Helper()
	return string(deliver(Delivery{
		Message: message(t, text), Sender: "ann@a.example", Recipient: "Joe-x@b.example", Local: "Joe-x", Host: "b.example",
	}).Append(nil))
}

func remote(t testing.TB) Remote {
	return Remote{Program: Program{Name: "qmail-remote", Path: self(t)}, Env: fakeEnv}
}

func local(t testing.TB, find func(string) (User, error)) Local {
	return Local{
		Program: Program{Name: "bin/qmail-local", Path: self(t)}, Env: fakeEnv, Default: "./Mailbox",
		UID: uint32(os.Getuid()), Find: find,
	}
}

// someone is a user that the tests may deliver to.
func someone(string) (User, error) {
	u := User{Name: "joe", UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Home: "/home/joe", Dash: "-", Ext: "x"}
	if u.UID == 0 {
		u.UID, u.GID = 65534, 65533
	}
	return u, nil
}

func TestRemote(t *testing.T) {
	many := strings.Repeat("0", 5000)
	tests := []struct{ name, does, want string }{
		{"success", `say "rfine\n\x00Kdone\n\x00"`, "Kfine\ndone\n"},
		{"arguments", "say \"r\"\nargs\nsay \"\\x00K\\x00\"", `K["qmail-remote" "b.example" "ann@a.example" "Joe-x@b.example"]`},
		{"stderr too", "err \"rok\\n\\x00\"\nsay \"Kfine\\n\\x00\"", "Kok\nfine\n"},
		{"long", `say "r` + many + `\x00K\x00"`, "K" + many},
		{"no output", "", "Zqmail-remote produced no output.\n"},
		{"temporary", "say \"rfine\\x00K\\x00\"\nexit \"111\"", "ZUnable to run qmail-remote.\n"},
		{"permanent", `exit "100"`, "DUnable to run qmail-remote.\n"},
		{"unknown exit code", `exit "1"`, "ZUnable to run qmail-remote.\n"},
		{"shell cannot run it", `exit "127"`, "ZUnable to run qmail-remote.\n"},
		{"killed", "say \"rfine\\x00K\\x00\"\ndie", "Zqmail-remote crashed.\n"},
		{"panic", "say \"rfine\\x00K\\x00\"\npanic \"x\"", "Zqmail-remote crashed.\n"},
		{"closes its output", "say \"r\\x00Kfine\\x00\"\nclose\nexit \"100\"", "DUnable to run qmail-remote.\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := do(t, remote(t).Deliver, tt.does); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLocal(t *testing.T) {
	tests := []struct{ name, does, want string }{
		{"success", `say "did 1+0+0\n"`, "Kdid 1+0+0\n"},
		{"arguments", "args", `K["bin/qmail-local" "--" "joe" "/home/joe" "Joe-x" "-" "x" "b.example" "ann@a.example" "./Mailbox"]`},
		{"stderr too", "say \"a\"\nerr \"b\\n\"\nexit \"111\"", "Zab\n"},
		{"permanent", "say \"Closed. (#5.2.1)\\n\"\nexit \"100\"", "DClosed. (#5.2.1)\n"},
		{"other temporary", "say \"x\"\nexit \"75\"", "Zx"},
		{"unknown exit code", "say \"x\"\nexit \"77\"", "Zx"},
		{"codes of the start", "say \"x\"\nexit \"115\"", "ZNFS failure in qmail-local.\n"},
		{"shell cannot run it", "say \"x\"\nexit \"126\"", "ZUnable to run qmail-local.\n"},
		{"killed", "say \"x\"\ndie", "Zqmail-local crashed.\n"},
		{"panic", `panic "x"`, "Zqmail-local crashed.\n"},
		{"cut at a NUL", `say "seen\x00hidden\n"`, "Kseen"},
		{"just not too long", `say "` + strings.Repeat("a", 3000) + `"`, "K" + strings.Repeat("a", 3000)},
		{"too long", `say "` + strings.Repeat("a", 3001) + `"`, "K" + strings.Repeat("a", 2966) + "\nError report too long, sorry.\n"},
		{"endless", "lots \"a\"\nexit \"100\"", "D" + strings.Repeat("a", 2966) + "\nError report too long, sorry.\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := do(t, local(t, someone).Deliver, tt.does); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLocalUser(t *testing.T) {
	tests := []struct {
		name string
		find func(string) (User, error)
		want string
	}{
		{"root", func(string) (User, error) { return User{Name: "root"}, nil }, "ZNot allowed to perform deliveries as root.\n"},
		{"temporary", func(string) (User, error) { return User{}, fault.Soft("Unable to find alias user!", nil) }, "ZUnable to find alias user!\n"},
		{"permanent", func(string) (User, error) { return User{}, fault.Hard("No. (#5.1.1)") }, "DNo. (#5.1.1)\n"},
		{"unknown", func(string) (User, error) { return User{}, errors.New("x") }, "ZTemporary failure in qmail-lspawn.\n"},
	}
	for _, tt := range tests {
		if got := do(t, local(t, tt.find).Deliver, `say "x"`); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	another := local(t, func(string) (User, error) { return User{Name: "eve", UID: 5002}, nil })
	another.UID = 5001
	if got, want := do(t, another.Deliver, `say "x"`), "ZUnable to deliver to eve: qmail-lspawn does not run as root. (#4.3.5)\n"; got != want {
		t.Errorf("another user: got %q, want %q", got, want)
	}
	if got := another.Deliver(Delivery{Recipient: "@x", Host: "x"}); got != report.K("") {
		t.Errorf("an empty local part gives %v, want success", got)
	}
}

// TestBecomesUser needs root.
func TestBecomesUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to become another user")
	}
	if got, want := do(t, local(t, someone).Deliver, "ids"), "K65534 65534 65533 65533 [65533]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCannotRun(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	os.WriteFile(empty, nil, 0o755)
	for _, path := range []string{filepath.Join(dir, "none"), dir, empty} {
		r, l := remote(t), local(t, someone)
		r.Program.Path, l.Program.Path = path, path
		l.Program.Shell = true
		if got, want := do(t, r.Deliver, ""), "ZUnable to run qmail-remote.\n"; got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
		if got, want := do(t, l.Deliver, ""), "ZUnable to run qmail-local.\n"; got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	r := remote(t)
	r.Program = Program{Name: empty, Path: empty, Shell: true}
	if got, want := do(t, r.Deliver, ""), "Zqmail-remote produced no output.\n"; got != want {
		t.Errorf("empty script: got %q, want %q", got, want)
	}
	for err, want := range map[error]string{
		fmt.Errorf("%w: %w", errPipe, syscall.EMFILE):          "Zqmail-spawn unable to create pipe. (#4.3.0)\n",
		fmt.Errorf("start x: %w", syscall.EAGAIN):              "Zqmail-spawn unable to fork. (#4.3.0)\n",
		fmt.Errorf("start x: %w", syscall.ENOMEM):              "Zqmail-spawn unable to fork. (#4.3.0)\n",
		fmt.Errorf("start x: %w", syscall.EACCES):              "Zx\n",
		fmt.Errorf("wait for process 1: %w", io.ErrNoProgress): "Zx\n",
	} {
		if got := string(notRun(err, "x").Append(nil)); got != want {
			t.Errorf("%v: got %q, want %q", err, got, want)
		}
	}
}

// TestLeftBehind has children that end and leave their descriptors to others.
func TestLeftBehind(t *testing.T) {
	r := remote(t)
	r.Wait = time.Millisecond
	if got, want := do(t, r.Deliver, "say \"rfine\\n\\x00K\\x00\"\nleave "+hold(t)), "Kfine\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLimit(t *testing.T) {
	fifo := hold(t)
	for _, does := range []string{"wait ", "close\nwait "} {
		c := Child{
			Path: self(t), Args: []string{"x"}, Env: fakeEnv, Stdin: message(t, "say \"x\"\n"+does+fifo),
			Limit: 200 * time.Millisecond, Linger: time.Millisecond,
		}
		status, err := c.Run(io.Discard)
		if err != nil || !status.Signaled() || status.Signal() != syscall.SIGKILL {
			t.Errorf("%q: status %v, %v, want it killed", does, status, err)
		}
	}
	c := Child{Path: self(t), Args: []string{"x"}, Env: fakeEnv, Stdin: message(t, "say \"abcdef\"\nexit \"3\""), Limit: time.Minute}
	out, status, err := c.Output(4)
	if string(out) != "abcd" || status.ExitStatus() != 3 || err != nil {
		t.Errorf("Output = %q, %v, %v, want abcd and 3", out, status.ExitStatus(), err)
	}
}

func TestGetpw(t *testing.T) {
	tests := []struct{ name, does, want, wantErr string }{
		{"user", "say \"joe\\x00\"\nargs", "joe\x00[\"bin/qmail-getpw\" \"joe-x\"]", ""},
		{"no alias", "say \"x\"\nexit \"116\"", "", "Unable to find alias user!"},
		{"trouble", `exit "118"`, "", "Temporary failure in qmail-lspawn."},
		{"unknown exit code", `exit "1"`, "", "Temporary failure in qmail-lspawn."},
		{"refused", `exit "100"`, "", "Sorry, qmail-getpw refuses this address. (#5.1.1)"},
		{"killed", "die", "", "Temporary failure in qmail-lspawn."},
	}
	for _, tt := range tests {
		g := Getpw{Path: self(t), Env: []string{fakeVariable + "=" + tt.does}, Limit: time.Minute}
		got, err := g.Run("joe-x")
		var f *fault.Error
		errors.As(err, &f)
		if tt.wantErr == "" && (string(got) != tt.want || err != nil) || tt.wantErr != "" && (f == nil || f.Text != tt.wantErr) {
			t.Errorf("%s: got %q, %v, want %q, %q", tt.name, got, err, tt.want, tt.wantErr)
		}
	}
	nobody := func() (*syscall.Credential, error) { return GetpwUser(ids.Files{Passwd: "/none", Group: "/none"}) }
	for _, g := range []Getpw{{Path: "/none"}, {Path: self(t), Credential: nobody}} {
		if _, err := g.Run("joe"); err == nil || !strings.HasPrefix(err.Error(), "Unable to run qmail-getpw.") {
			t.Errorf("got %v, want: Unable to run qmail-getpw.", err)
		}
	}
}

func TestInPlaceOf(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "there"), nil, 0o755)
	os.WriteFile(filepath.Join(dir, "plain"), nil, 0o644)
	usual := Program{Name: "qmail-remote", Path: "/var/qmail/bin/qmail-remote"}
	for _, tt := range []struct{ named, path string }{
		{"there", filepath.Join(dir, "there")}, {"plain", "plain"}, {"none", "none"},
		{"./there", "./there"}, {"/x/y", "/x/y"},
	} {
		want := Program{Name: tt.named, Path: tt.path, Shell: true}
		if got := InPlaceOf(usual, tt.named, "/none:"+dir); got != want {
			t.Errorf("InPlaceOf(%q) = %v, want %v", tt.named, got, want)
		}
	}
	if got := InPlaceOf(usual, "", dir); got != usual {
		t.Errorf("InPlaceOf nothing = %v, want %v", got, usual)
	}
}

func TestOwners(t *testing.T) {
	dir := t.TempDir()
	accounts := ids.Files{Passwd: filepath.Join(dir, "passwd")}
	mine := os.Getuid()
	owners := func(home string, uid int) func(uint32) bool {
		t.Helper()
		trusted, err := Owners(accounts, home, uid)
		if err != nil {
			t.Fatal(err)
		}
		return trusted
	}
	without := owners(dir, mine)
	if without(uint32(mine)) != (mine != 0) {
		t.Errorf("in my own home I am trusted: %v", without(uint32(mine)))
	}
	if without(4711) {
		t.Error("without an account qmailq 4711 is trusted")
	}
	os.WriteFile(accounts.Passwd, []byte("qmailq:x:4711:1::/:\n"), 0o644)
	for uid, want := range map[uint32]bool{4711: true, 4712: false, 0: false} {
		if got := owners("/none", 4712)(uid); got != want {
			t.Errorf("uid %d is trusted: %v, want %v", uid, got, want)
		}
	}
	if _, err := Owners(ids.Files{Passwd: dir}, dir, mine); err == nil {
		t.Error("accounts that cannot be read are none")
	}
}

func TestForgetTimeouts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tcpto")
	ForgetTimeouts(path)
	os.WriteFile(path, bytes.Repeat([]byte{7}, 1024), 0o644)
	ForgetTimeouts(path)
	if got, _ := os.ReadFile(path); !bytes.Equal(got, make([]byte, 1024)) {
		t.Errorf("got %v, want 1024 zeros", got)
	}
}

// TestManyProcesses runs a spawner with real programs, all slots at a time.
func TestManyProcesses(t *testing.T) {
	dir := t.TempDir()
	os.Mkdir(filepath.Join(dir, "7"), 0o755)
	scripts := map[string]string{
		"7/1": `say "rfine\n\x00K\x00"`,
		"7/2": "die",
		"7/3": `lots "r"`,
	}
	want := map[string]string{"7/1": "Kfine\n", "7/2": "Zqmail-remote crashed.\n", "7/3": "D", "7/4": "Zqmail-spawn unable to open message. (#4.3.0)\n"}
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const count = 40
	var in strings.Builder
	for i := range count {
		in.WriteString(asCommand(byte(i), "7/"+strconv.Itoa(i%4+1), "s@a.example", "r@b.example"))
	}
	var out bytes.Buffer
	server := Server{Slots: count, Messages: dir, Trusted: me, Deliver: remote(t).Deliver}
	if err := server.Serve(strings.NewReader(in.String()), &out); err != nil {
		t.Fatal(err)
	}
	seen := map[byte]bool{}
	for rest := out.String()[1:]; rest != ""; {
		number := rest[0]
		var got string
		got, rest, _ = strings.Cut(rest[1:], "\x00")
		if seen[number] || got != want["7/"+strconv.Itoa(int(number)%4+1)] {
			t.Errorf("delivery %d: got %.100q again or wrong", number, got)
		}
		seen[number] = true
	}
	if len(seen) != count {
		t.Errorf("%d answers, want %d", len(seen), count)
	}
}
