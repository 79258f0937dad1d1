package spawn

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/serve"
)

// fakeStaying does what the first word of a message says.
func fakeStaying() int {
	if os.Getenv(fakeVariable) == "hangs up" {
		return 0
	}
	conn, err := serve.NewConn(0)
	if err != nil {
		return 1
	}
	id, err := serve.Self()
	if err != nil {
		return 1
	}
	s := serve.Server{Self: id, Most: 10, Do: func(args []string, files []*os.File) serve.Answer {
		text, _ := io.ReadAll(files[0])
		verb, rest, _ := strings.Cut(string(text), " ")
		switch verb {
		case "die":
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		case "exit":
			code, _ := strconv.Atoi(rest)
			return serve.Answer{Code: code, Text: "x"}
		case "args":
			return serve.Answer{Text: strings.Join(args, " ")}
		case "stay":
			return serve.Answer{Text: strconv.Itoa(os.Getpid()) + " " + strconv.Itoa(os.Getuid())}
		}
		return serve.Answer{Code: serve.Once, Text: "not this"}
	}}
	if os.Getenv(manyVariable) != "" {
		s.Many, s.Most = fakeMany, 1000
	}
	if s.Serve(conn) != nil {
		return 1
	}
	return 0
}

// manyVariable has the test binary take requests for many.
const manyVariable = "GOQMAIL_MANY"

// fakeMany does what recipients say, or reports how many were asked for together.
func fakeMany(count int, args []string, files []*os.File, answer func(int, serve.Answer)) {
	for i := range count {
		host, sender, recipient := args[3*i], args[3*i+1], args[3*i+2]
		switch verb, _, _ := strings.Cut(recipient, "@"); verb {
		case "die":
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		case "once":
			answer(i, serve.Answer{Code: serve.Once})
		case "refused":
			answer(i, serve.Answer{Text: "hno\n\x00Dgiven up\n\x00"})
		default:
			answer(i, serve.Answer{Text: "r\x00K" + host + " " + sender + " " + recipient + " of " + strconv.Itoa(count) + "\n\x00"})
		}
	}
}

// together has a spawner do deliveries of the messages 7/1 and 7/2, as they come, and
// returns its answers, sorted.
func together(t *testing.T, r Remote, commands ...string) []string {
	t.Helper()
	dir := messages(t)
	for _, name := range []string{"7/1", "7/2"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(`say "r\x00Kalone\n\x00"`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := Server{Slots: 100, Messages: dir, Trusted: me, Deliver: r.Deliver, Together: r.Together}
	var out bytes.Buffer
	if err := s.Serve(strings.NewReader(strings.Join(commands, "")), &out); err != nil {
		t.Fatal(err)
	}
	answers := strings.SplitAfter(out.String()[1:], "\x00")
	answers = answers[:len(answers)-1]
	slices.Sort(answers)
	return answers
}

// TestTogether asks for deliveries of two messages at once: those of each are one
// request, and each gets its own answer.
func TestTogether(t *testing.T) {
	r := remote(t)
	r.Staying = &Staying{Program: r.Program, Env: append(r.Env, manyVariable+"=yes"), Most: 1, Each: 100, Idle: time.Hour, Hello: time.Minute}
	defer r.Staying.Close()
	got := together(t, r, asCommand(1, "7/1", "a@x", "1@b"), asCommand(2, "7/2", "a@x", "2@b"), asCommand(3, "7/1", "c@x", "3@d"),
		asCommand(4, "7/9", "a@x", "4@b"), asCommand(5, "7/1", "", "once@b"), asCommand(6, "7/1", "a@x", "refused@b"), asCommand(7, "7/1", "a@x", "nohost"))
	want := []string{
		"\x01Kb a@x 1@b of 4\n\x00", "\x02Kb a@x 2@b of 1\n\x00", "\x03Kd c@x 3@d of 4\n\x00",
		"\x04Zqmail-spawn unable to open message. (#4.3.0)\n\x00", "\x05Kalone\n\x00", "\x06Dno\ngiven up\n\x00",
		"\x07DSorry, address must include host name. (#5.1.3)\n\x00",
	}
	if !slices.Equal(got, want) {
		t.Errorf("answers %q, want %q", got, want)
	}
	got = together(t, r, asCommand(1, "7/1", "a@x", "1@b"), asCommand(2, "7/1", "a@x", "die@b"), asCommand(3, "7/2", "a@x", "3@b"))
	for _, answer := range got {
		if text := answer[1:]; text != "Zqmail-remote crashed.\n\x00" && !strings.HasPrefix(text, "Kb a@x") && text != "Kalone\n\x00" {
			t.Errorf("with a crash: %q", answer)
		}
	}
	if len(got) != 3 || got[1] != "\x02Zqmail-remote crashed.\n\x00" {
		t.Errorf("with a crash: answers %q", got)
	}
}

// TestTogetherAlone has programs that do not take requests for many: each delivery is
// asked for, or done, by itself.
func TestTogetherAlone(t *testing.T) {
	commands := []string{asCommand(1, "7/1", "a@x", "1@b"), asCommand(2, "7/1", "a@x", "2@b"), asCommand(3, "7/2", "c@x", "3@d")}
	want := []string{"\x01Kalone\n\x00", "\x02Kalone\n\x00", "\x03Kalone\n\x00"}
	for _, tt := range []struct {
		name string
		env  []string // nil: none stays
	}{
		{"one each", nil},
		{"one that stays for one at a time", fakeEnv},
		{"a wrapper", []string{fakeVariable + "=hangs up"}},
	} {
		r := remote(t)
		if tt.env != nil {
			r.Staying = &Staying{Program: r.Program, Env: tt.env, Most: 1, Each: 100, Idle: time.Hour, Hello: time.Minute}
		}
		if got := together(t, r, commands...); !slices.Equal(got, want) {
			t.Errorf("%s: answers %q, want %q", tt.name, got, want)
		}
		if r.Staying != nil {
			r.Staying.Close()
		}
	}
}

// TestRequestsFit has more to ask for than a packet holds.
func TestRequestsFit(t *testing.T) {
	r := remote(t)
	r.Staying = &Staying{Program: r.Program, Env: append(r.Env, manyVariable+"=yes"), Most: 1, Each: 100, Idle: time.Hour, Hello: time.Minute}
	defer r.Staying.Close()
	var commands []string
	for i := range 90 {
		commands = append(commands, asCommand(byte(i+1), "7/1", strings.Repeat("s", 1000), strings.Repeat("r", 1000)+"@b"))
	}
	got := together(t, r, commands...)
	for i, answer := range got {
		if !strings.HasPrefix(answer, string([]byte{byte(i + 1)})+"Kb sss") {
			t.Errorf("answer %d is %.100q", i, answer)
		}
	}
	if len(got) != len(commands) {
		t.Errorf("%d answers", len(got))
	}
}

// stays returns a Local whose program stays.
func stays(t testing.TB) Local {
	l := local(t, someone)
	l.Staying = &Staying{Program: l.Program, Env: l.Env, Most: 2, Each: 10, Idle: time.Hour, Hello: time.Minute}
	t.Cleanup(l.Staying.Close)
	return l
}

func TestStaying(t *testing.T) {
	l := stays(t)
	first := do(t, l.Deliver, "stay ")
	if again := do(t, l.Deliver, "stay "); again != first || first[0] != 'K' {
		t.Errorf("two deliveries are done by %q and %q", first, again)
	}
	for _, tt := range []struct{ name, does, want string }{
		{"arguments", "args ", "Kjoe /home/joe Joe-x - x b.example ann@a.example ./Mailbox"},
		{"permanent", "exit 100", "Dx"},
		{"temporary", "exit 111", "Zx"},
		{"unknown exit code", "exit 77", "Zx"},
		{"a process of its own", `say "done"`, "Kdone"},
		{"crash", "die ", "Zqmail-local crashed.\n"},
	} {
		if got := do(t, l.Deliver, tt.does); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if after := do(t, l.Deliver, "stay "); after == first || after[0] != 'K' {
		t.Errorf("after the crash of %q: %q", first, after)
	}
}

func TestStayingRemote(t *testing.T) {
	r := remote(t)
	r.Staying = &Staying{Program: r.Program, Env: r.Env, Most: 1, Each: 10, Idle: time.Hour, Hello: time.Minute}
	defer r.Staying.Close()
	for _, tt := range []struct{ does, want string }{
		{"exit 111", "ZUnable to run qmail-remote.\n"},
		{"die ", "Zqmail-remote crashed.\n"},
		{`say "rfine\n\x00Kdone\n\x00"`, "Kfine\ndone\n"},
	} {
		if got := do(t, r.Deliver, tt.does); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.does, got, tt.want)
		}
	}
}

// TestStayingRefused has a program that does not know how to stay: it is run once for
// each delivery, and not asked again.
func TestStayingRefused(t *testing.T) {
	l := stays(t)
	l.Staying.Env = []string{fakeVariable + "=hangs up"}
	if got := do(t, l.Deliver, `say "done"`); got != "Kdone" {
		t.Errorf("got %q", got)
	}
	l.Staying.Env = l.Env
	if got := do(t, l.Deliver, "stay "); got != "K" { // which is none of the verbs of one that is run once
		t.Errorf("it was asked again: %q", got)
	}
}

// TestStayingExchanged puts another file in the program's place.
func TestStayingExchanged(t *testing.T) {
	l := stays(t)
	dir := t.TempDir()
	if os.Getuid() == 0 {
		for d := dir; d != "/tmp" && d != "/"; d = filepath.Dir(d) {
			os.Chmod(d, 0o755)
		}
	}
	exe, err := os.ReadFile(self(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "program")
	install := func() {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if err := os.WriteFile(path+".new", exe, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	install()
	l.Program.Path, l.Staying.Program.Path = path, path
	first := do(t, l.Deliver, "stay ")
	install()
	if second := do(t, l.Deliver, "stay "); second == first || second[0] != 'K' {
		t.Errorf("done by %q and %q", first, second)
	}
	if n := len(l.Staying.byUser); n != 1 {
		t.Errorf("%d processes stay, want 1", n)
	}
}

// TestStayingIdle has nothing to do for a while.
func TestStayingIdle(t *testing.T) {
	l := stays(t)
	l.Staying.Idle = time.Millisecond
	do(t, l.Deliver, "stay ")
	l.Staying.mu.Lock()
	var all []*stayer
	for _, p := range l.Staying.byUser {
		all = append(all, p)
	}
	l.Staying.mu.Unlock()
	for _, p := range all { // unless it has gone already
		<-p.client.Gone()
	}
	if got := do(t, l.Deliver, "stay "); got[0] != 'K' {
		t.Errorf("the next delivery: %q", got)
	}
}

// TestStayingUsers has more users than processes may stay.
func TestStayingUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become users")
	}
	l := stays(t)
	uid := uint32(65530)
	l.Find = func(string) (User, error) { return User{Name: "joe", UID: uid, GID: 65533, Home: "/home/joe"}, nil }
	for uid = 65530; uid < 65534; uid++ {
		got := do(t, l.Deliver, "stay ")
		if _, as, _ := strings.Cut(got, " "); as != strconv.Itoa(int(uid)) {
			t.Errorf("for uid %d: %q", uid, got)
		}
		if n := len(l.Staying.byUser); n > 2 {
			t.Errorf("%d processes stay, want 2 at most", n)
		}
	}
}
