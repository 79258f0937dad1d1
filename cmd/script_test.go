// Package cmd_test tests the programs as they are installed.
//
// # Scripts
//
// Each testdata/PROGRAM_topic.txtar is a script in the language of testscript,
// run in a folder of its own, with the programs first in PATH and a home of its
// own below it: home/control (me is mx.test.example unless the script brings
// one), an empty home/queue, home/users, home/alias. Beside the usual commands
// there are
//
//	exits N [-in FILE] [-env FILE] PROGRAM ARG...
//		run a program that must exit with N; -in is its descriptor 0, and
//		-env, for reading, its descriptor 1, as for qmail-queue
//	env0 FILE
//		turn each newline into a NUL, for an archive is text
//	crlf FILE
//		end lines with CR LF
//
// and the condition [root]. To run them with other programs:
//
//	Q_BIN=/folder/of/programs go test ./cmd
package cmd_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"goqmail/internal/testbin"
	"goqmail/queue"
)

var update = flag.Bool("update", false, "rewrite what the scripts expect")

func TestMain(m *testing.M) {
	code := m.Run()
	testbin.Remove()
	os.Exit(code)
}

func TestScripts(t *testing.T) {
	t.Parallel()
	bin, err := testbin.Dir()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup:               func(env *testscript.Env) error { return setUp(env, bin) },
		Condition:           condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"env0":  func(ts *testscript.TestScript, neg bool, args []string) { rewrite(ts, neg, args, "\x00") },
			"crlf":  func(ts *testscript.TestScript, neg bool, args []string) { rewrite(ts, neg, args, "\r\n") },
		},
	})
}

// setUp makes the home of a script.
func setUp(env *testscript.Env, bin string) error {
	home := filepath.Join(env.WorkDir, "home")
	for _, folder := range []string{"control", "users", "alias"} {
		if err := os.MkdirAll(filepath.Join(home, folder), 0o755); err != nil {
			return err
		}
	}
	me := filepath.Join(home, "control/me")
	if _, err := os.Stat(me); err != nil {
		if err := os.WriteFile(me, []byte("mx.test.example\n"), 0o644); err != nil {
			return err
		}
	}
	if err := os.Symlink(bin, filepath.Join(home, "bin")); err != nil {
		return err
	}
	env.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	env.Setenv("QMAILHOME", home)
	env.Setenv("LC_ALL", "C")
	env.Setenv("TZ", "UTC0")
	if dir := os.Getenv("GOCOVERDIR"); dir != "" {
		env.Setenv("GOCOVERDIR", dir)
	}
	return queue.Make(filepath.Join(home, "queue"), 23)
}

func condition(cond string) (bool, error) {
	if cond == "root" {
		return os.Getuid() == 0, nil
	}
	return false, fmt.Errorf("no condition is called %s", cond)
}

// rewrite ends the lines of a file in another way.
func rewrite(ts *testscript.TestScript, neg bool, args []string, end string) {
	if neg || len(args) != 1 {
		ts.Fatalf("one file is wanted")
	}
	file := ts.MkAbs(args[0])
	data, err := os.ReadFile(file)
	ts.Check(err)
	data = bytes.ReplaceAll(data, []byte("\n"), []byte(end))
	ts.Check(os.WriteFile(file, data, 0o644))
}

const exitsUsage = "usage: exits N [-in file] [-env file] program arg ..."

// exits runs a program through a shell, for the sake of its redirections.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	redirect := map[string]string{}
	want := -1
	if len(args) > 0 {
		want, _ = strconv.Atoi(args[0])
		args = args[1:]
	}
	for len(args) > 1 && (args[0] == "-in" || args[0] == "-env") {
		redirect[args[0]] = ts.MkAbs(args[1])
		args = args[2:]
	}
	if neg || len(args) == 0 {
		ts.Fatalf(exitsUsage)
	}
	line, files := `exec "$@"`, []string{}
	for _, r := range []struct{ option, redirection string }{{"-in", "exec <$1"}, {"-env", "exec 1<$1"}} {
		if file, ok := redirect[r.option]; ok {
			line = r.redirection + "; shift; " + line
			files = append([]string{file}, files...)
		}
	}
	argv := append([]string{"-c", line, "sh"}, append(files, args...)...)
	if got := exitCode(ts.Exec("/bin/sh", argv...)); got != want {
		ts.Fatalf("%s exits with %d, want %d", args[0], got, want)
	}
}

// exitCode is that of a program that has ended, -1 if it did otherwise.
func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}
