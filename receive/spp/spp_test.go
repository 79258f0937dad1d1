package spp

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/control"
)

// example is the file of the package documentation.
const example = `[connection]
plugins/greeting
[rcpt]
plugins/greylisting
:plugins/quota --soft 90
`

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       Config
	}{
		{"example", example, Config{Connection: {"plugins/greeting"}, Rcpt: {"plugins/greylisting", ":plugins/quota --soft 90"}}},
		{"nothing", "", Config{}},
		{"before a section", "a\n[mail]\nb\n", Config{Mail: {"b"}}},
		{"unknown sections", "[mail]\na\n[]\nb\n[xyz]\nc\n[\nd\n[r\ne\n", Config{Mail: {"a"}, Rcpt: {"e"}}},
		{"twice", "[auth]\na\n[data]\nb\n[a]\nc\n[helo]\nd\n[pass]\ne\n", Config{Auth: {"a", "c"}, Data: {"b"}, Helo: {"d"}, Passed: {"e"}}},
	} {
		if got := Parse(control.ParseList(tt.text)); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// saying is a session whose plug-ins, all of one event, are shell commands.
func saying(e Event, commands ...string) (*Session, *[]string) {
	said := &[]string{}
	s := &Session{
		Config: Config{},
		Env:    map[string]string{"PATH": os.Getenv("PATH"), "GIVEN": "yes"},
		Start: func(argv, env []string, files []*os.File) (*os.Process, error) {
			return os.StartProcess(argv[0], argv, &os.ProcAttr{Env: env, Files: files})
		},
		Say:   func(reply string) { *said = append(*said, reply) },
		Limit: 10 * time.Second,
	}
	for _, c := range commands {
		s.Config[e] = append(s.Config[e], ":"+c)
	}
	return s, said
}

const failed = "451 qmail-spp failure: plug-in failed (#4.3.0)"

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name     string
		commands []string
		want     Verdict
		said     string // replies, with | between them
		addr     string
		env      string // a variable with its value, which is there
		header   string
	}{
		{name: "nothing said", commands: []string{"true"}},
		{name: "exit codes count for nothing", commands: []string{"exit 1", "exit 111"}},
		{name: "next", commands: []string{"echo N; echo E500 no", "echo E500 no"}},
		{name: "accept", commands: []string{"echo O", "echo E500 no"}, want: Accept},
		{name: "error", commands: []string{"echo E550 no", "echo E500 not asked"}, want: Refused, said: "550 no"},
		{name: "error without its newline", commands: []string{"printf 'E550 no'"}, want: Refused, said: "550 no"},
		{name: "error without a text", commands: []string{"echo E"}, want: Refused, said: "451 qmail-spp failure: no reply given (#4.3.0)"},
		{name: "error of several lines", commands: []string{`printf 'P550-no\nE550 no\n'`}, want: Refused, said: "550-no|550 no"},
		{name: "no reply of one's own", commands: []string{`printf 'E550 no\r250 ok\r\n'`}, want: Refused, said: "550 no 250 ok"},
		{name: "drop", commands: []string{"echo D"}, want: Drop},
		{name: "error and drop", commands: []string{"echo R421 away"}, want: Drop, said: "421 away"},
		{name: "the second decides", commands: []string{"true", "echo E550 no"}, want: Refused, said: "550 no"},
		{name: "unknown answers", commands: []string{"echo x; echo; echo e550 no"}},
		{name: "address", commands: []string{"echo Cb@c", `test "$SMTPRCPTTO" = b@c || echo E550 no`}, addr: "b@c"},
		{name: "variables", commands: []string{"echo SA=b=c; echo UGIVEN; echo S=x; echo Sx", `test "$A-$GIVEN" = b=c- || echo E550 no`}, env: "A=b=c"},
		{name: "what there is", commands: []string{`echo S"V=$SMTPRCPTTO $SMTPRCPTCOUNT $SMTPRCPTCOUNTALL $SMTPRCPTHOSTSOK $GIVEN"`}, env: "V=a@b 0 1 1 yes"},
		{name: "header", commands: []string{"echo HX-A: b; echo H", "echo HX-C: d"}, header: "X-A: b\nX-C: d\n"},
		{name: "nothing to read", commands: []string{"read x && echo E550 no"}},
		{name: "not run", commands: []string{"exit 120"}, want: Refused, said: failed},
		{name: "crash", commands: []string{"kill -9 $$"}, want: Refused, said: failed},
		{name: "too much", commands: []string{"yes"}, want: Refused, said: failed},
		{name: "one long line", commands: []string{"head -c 100000 /dev/zero | tr '\\0' P"}, want: Refused, said: failed},
		{name: "more than is wanted", commands: []string{"echo N; exec yes"}},
	} {
		s, said := saying(Rcpt, tt.commands...)
		addr := "a@b"
		v := s.AskRcpt(&addr, true)
		if tt.addr == "" {
			tt.addr = "a@b"
		}
		name, value, _ := strings.Cut(tt.env, "=")
		if v != tt.want || strings.Join(*said, "|") != tt.said || addr != tt.addr || s.Env[name] != value || s.Header() != tt.header {
			t.Errorf("%s: %v, said %q, address %q, environment %q", tt.name, v, *said, addr, s.Env)
		}
	}
}

// TestProgram runs a plug-in without a shell.
func TestProgram(t *testing.T) {
	t.Chdir(t.TempDir())
	s, said := saying(Data)
	s.Config[Data] = []string{"plugin; echo x"} // the name of a file, whatever is in it
	for _, script := range []string{"#!/bin/sh\necho E550 $#\n", ""} {
		syscall.ForkLock.RLock() // or a process forked now keeps the file open for writing
		err := os.WriteFile("plugin; echo x", []byte(script), 0o755)
		syscall.ForkLock.RUnlock()
		if err != nil {
			t.Fatal(err)
		}
		s.Ask(Data)
	}
	var why error
	s.Failed = func(_ string, err error) { why = err }
	s.Config[Data] = []string{"./none"}
	if v := s.Ask(Data); v != Refused || !errors.Is(why, os.ErrNotExist) {
		t.Errorf("a plug-in that is missing: %v, %v", v, why)
	}
	if want := []string{"550 0", failed, failed}; !reflect.DeepEqual(*said, want) {
		t.Errorf("said %q, want %q", *said, want)
	}
}

// TestLimit has a plug-in that never ends.
func TestLimit(t *testing.T) {
	dir := t.TempDir()
	s, said := saying(Connection, "exec cat "+filepath.Join(dir, "never"))
	fifo := filepath.Join(dir, "never")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skip(err)
	}
	s.Limit = time.Millisecond
	if v := s.Ask(Connection); v != Refused || len(*said) != 1 || (*said)[0] != failed {
		t.Errorf("%v, said %q", v, *said)
	}
}

// TestSession asks about several commands.
func TestSession(t *testing.T) {
	s, said := saying(Helo, `test "$SMTPHELOHOST" = one && echo LR550 later && echo LR550 again && echo LD551 data && echo LX && echo L`)
	s.Config[Rcpt] = []string{`:echo "P250-$SMTPRCPTCOUNT of $SMTPRCPTCOUNTALL $SMTPRCPTHOSTSOK"`}
	s.Config[Auth] = []string{`:test "$SMTPAUTHUSER-$SMTPAUTHMETHOD" = joe-plain || echo E535 no`}
	s.Config[Mail] = []string{`:test -z "$SMTPMAILFROM" || echo A`}
	a, empty, sender := "a@b", "", "x@y"
	verdicts := []Verdict{
		s.AskHelo("one"), s.AskRcpt(&a, false), s.Ask(Data), s.AskHelo("two"), s.AskRcpt(&a, false), // still refused
	}
	s.Reset()
	verdicts = append(verdicts, s.Ask(Data), s.AskRcpt(&a, false), s.AskPassed(&a), s.AskRcpt(&a, true), s.AskMail(&empty), s.AskRcpt(&a, true),
		s.AskAuth("plain", "joe"), s.AskAuth("plain", "ann"))
	if _, there := s.Env["SMTPAUTHUSER"]; there {
		t.Error("a user who was refused is in the environment")
	}
	verdicts = append(verdicts, s.AskMail(&sender), s.AskAuth("plain", "ann"))
	want := []Verdict{Go, Refused, Refused, Go, Refused, Go, Go, Go, Go, Go, Go, Go, Refused, Go, Go}
	if !reflect.DeepEqual(verdicts, want) {
		t.Errorf("got %v, want %v", verdicts, want)
	}
	if got, want := strings.Join(*said, "|"), "550 later|550 again|551 data|550 later|550 again|250-0 of 1 0|250-1 of 2 1|250-0 of 1 1|535 no"; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
	var none *Session
	none.Reset()
	if none.Ask(Data) != Go || none.AskHelo("x") != Go || none.AskMail(&a) != Go || none.AskRcpt(&a, true) != Go || none.AskPassed(&a) != Go || none.Header() != "" {
		t.Error("plug-ins that there are not have a say")
	}
}

// FuzzAnswer: whatever a plug-in says, a reply is one line, and what it adds is
// bounded.
func FuzzAnswer(f *testing.F) {
	for _, line := range []string{"", "E550 no\r\n", "C<a>\x00", "LRx", "L", "S=", "Sa=b", "U", "HA: b", "P"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		line, _, _ = strings.Cut(line, "\n")
		s, said := saying(Mail)
		addr := "a"
		v, decided := s.answer(clean(line), &address{"SMTPMAILFROM", &addr})
		if v != Go && !decided {
			t.Errorf("%q is %v, and more is read", line, v)
		}
		for _, reply := range append(*said, s.Header(), addr) {
			if strings.ContainsAny(strings.TrimSuffix(reply, "\n"), "\r\n\x00") {
				t.Errorf("%q leads to %q", line, reply)
			}
		}
		for name := range s.Env {
			if name == "" || strings.Contains(name, "=") {
				t.Errorf("%q sets %q", line, name)
			}
		}
	})
}
