package conformance

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakes makes a folder of programs that are shell scripts.
func fakes(t *testing.T, scripts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestJudge(t *testing.T) {
	const prints = "printf 'a\\377b'; echo no >&2; exit 3"
	right := &Want{Exit: 3, Stdout: "a\xffb", Stderr: "no\n"}
	for _, test := range []struct {
		name, script string
		c            Case
		different    bool
		verdict      Verdict
		detail       string
	}{
		{name: "same", script: prints, c: Case{Want: right}, verdict: Passed},
		{name: "other exit code", script: "exit 1", c: Case{Want: &Want{}}, verdict: Failed,
			detail: "  exit\n    want 0\n    got  1\n"},
		{name: "other output", script: "echo 'a<b'", c: Case{Want: &Want{}}, verdict: Failed,
			detail: "  stdout\n    want \"\"\n    got  \"a<b\\n\"\n"},
		{name: "meant to differ", script: "exit 1", c: Case{Want: &Want{}}, different: true, verdict: Differs},
		{name: "meant to differ, but does not", script: prints, c: Case{Want: right}, different: true, verdict: Failed,
			detail: "  listed as different, but it passes\n"},
		{name: "not on this host", script: "exit 1", c: Case{Needs: "false", Want: &Want{}}, verdict: Skipped, detail: "  needs false\n"},
		{name: "arguments, environment and input", script: `printf '%s|%s|%s' "$1" "$V" "$(cat)"`,
			c:       Case{Args: []Bytes{"a b"}, Env: map[string]Bytes{"V": "{port}"}, Stdin: "in", Want: &Want{Stdout: "a b|1|in"}},
			verdict: Passed},
		{name: "files", script: "echo changed >old; echo new >new/1.2.host; rm gone; echo home >$QMAILHOME/control/me",
			c: Case{Files: map[string]Bytes{"old": "x", "gone": "", "new/": "", "same": "x"},
				Want: &Want{Files: map[string]Bytes{"old": "changed\n", "new/{unique}": "new\n"}, Gone: []string{"gone"},
					Home: map[string]Bytes{"control/me": "home\n"}}},
			verdict: Passed},
		{name: "a file too many", script: "echo x >new", c: Case{Want: &Want{}}, verdict: Failed,
			detail: "  file new\n    want (none)\n    got  \"x\\n\"\n"},
		{name: "modes and ages", script: "stat -c %a f; find . -mmin +9 -type f",
			c: Case{Files: map[string]Bytes{"f": ""}, Modes: map[string]string{"f": "640"}, Ages: map[string]int{"f": 600},
				Want: &Want{Stdout: "640\n./f\n"}},
			verdict: Passed},
		{name: "message queued", script: `printf 'Fa\0Tb\0\0' >e; echo hello | "$QMAILQUEUE" 1<e; rm e`,
			c:       Case{Want: &Want{Queued: []Queued{{Envelope: "Fa\x00Tb\x00\x00", Message: "hello\n"}}}},
			verdict: Passed},
		{name: "message refused", script: `printf 'Fa\0Tb\0\0' >e; echo hello | "$QMAILQUEUE" 1<e; echo $?; rm e`,
			c:       Case{QueueExit: 31, Want: &Want{Stdout: "31\n"}},
			verdict: Passed},
		{name: "message given up", script: `printf 'Fa\0Tb\0' >e; echo hello | "$QMAILQUEUE" 1<e; echo $?; rm e`,
			c:       Case{Want: &Want{Stdout: "91\n"}},
			verdict: Passed},
		{name: "too slow", script: "exec sleep 60", c: Case{Want: &Want{}}, verdict: Failed,
			detail: "  prog: no answer in 1s\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newTestRunner(t, fakes(t, map[string]string{"prog": test.script}))
			test.c.Name, test.c.Prog, test.c.area = "name", "prog", "area"
			if test.different {
				r.Different = map[string]string{"area/name": "reason"}
			}
			if test.name == "too slow" {
				r.Timeout = 1e9
			}
			verdict, detail := r.Judge(&test.c)
			if verdict != test.verdict || test.detail != "" && detail != test.detail {
				t.Errorf("Judge = %s\n%s, want %s\n%s", verdict, detail, test.verdict, test.detail)
			}
		})
	}
}

func TestJudgeWithoutProgram(t *testing.T) {
	r := newTestRunner(t, t.TempDir())
	verdict, detail := r.Judge(&Case{Prog: "qmail-local", Want: &Want{}})
	if verdict != Skipped || detail != "  no qmail-local in this build\n" {
		t.Errorf("Judge = %s %q", verdict, detail)
	}
}

func TestReport(t *testing.T) {
	r := newTestRunner(t, fakes(t, map[string]string{"good": "", "bad": "exit 1"}))
	r.Different = map[string]string{"area/other": "reason"}
	var cases []*Case
	for name, prog := range map[string]string{"a": "good", "b": "bad", "c": "none", "other": "bad"} {
		cases = append(cases, &Case{Name: name, Prog: prog, area: "area", Want: &Want{}})
	}
	var out bytes.Buffer
	if failed := Report(&out, r.Start(cases, 2), false); failed != 1 {
		t.Errorf("Report = %d, want 1", failed)
	}
	want := "FAIL area/b\n  exit\n    want 0\n    got  1\n" +
		"SKIP 1 cases: no none in this build\n1 differ as they are meant to\n1 passed, 1 failed, 1 skipped\n"
	if out.String() != want {
		t.Errorf("Report prints\n%s\nwant\n%s", &out, want)
	}
}

func TestNormal(t *testing.T) {
	w := &world{runner: &Runner{}, dir: "/tmp/x/dir", home: "/tmp/x/home", port: "40404"}
	for in, want := range map[string]string{
		"cd /tmp/x/dir; cd /tmp/x/home/bin":                      "cd {dir}; cd {home}/bin",
		"(qmail 12 invoked by uid 0); 1 Jan 2020 10:11:12 -0000": "(qmail {pid} invoked by uid {uid}); {date}",
		"port 40404": "port {port}",
		"250-h\r\n250-PIPELINING\r\n250-SIZE 9\r\n250 8BITMIME\r\n250 ok\n": "250-h\r\n{PIPELINING, 8BITMIME and what else is offered}\r\n250 ok\n",
		"250-h\r\n250-PIPELINING\r\n250 SIZE 9\r\n":                         "250-h\r\n250-PIPELINING\r\n250 SIZE 9\r\n",
	} {
		if got := w.normal(Bytes(in)); string(got) != want {
			t.Errorf("normal(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMessageNames(t *testing.T) {
	m := newMessageNames()
	var got []string
	for _, line := range []string{"new msg 7", "starting delivery 1: msg 7 to local a", "end msg 7", "new msg 7", "mess/3/9"} {
		got = append(got, m.logLine(line, line))
	}
	want := "new msg {message1}|starting delivery 1: msg {message1} to local a|end msg {message1}|new msg {message2}|mess/{message3}"
	if strings.Join(got, "|") != want {
		t.Errorf("logLine gives %q, want %q", got, want)
	}
}
