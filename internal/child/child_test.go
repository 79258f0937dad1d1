package child

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"goqmail/internal/fault"
)

// folder makes a folder of programs: a name with a mode and a text each.
func folder(t *testing.T, programs map[string]string, mode fs.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// run runs a program with these folders in PATH and returns its exit code.
func run(t *testing.T, path string, argv ...string) (int, error) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	p, err := Start(argv, []string{"PATH=" + path, "PATH=/none"}, []*os.File{null, null, null})
	if err != nil {
		return 0, err
	}
	return Wait(p)
}

func TestSearch(t *testing.T) {
	first := folder(t, map[string]string{"both": "#!/bin/sh\nexit 1", "plain": "exit 2", "args": "test \"$1$2\" = ab && exit 3", "killed": "kill -9 $$"}, 0o755)
	second := folder(t, map[string]string{"both": "exit 11", "other": "exit 12", "closed": "exit 13"}, 0o755)
	closed := folder(t, map[string]string{"closed": "exit 21", "only": "exit 22"}, 0o644)
	broken := folder(t, map[string]string{"both": "#!/none/there\n"}, 0o755)
	os.Mkdir(filepath.Join(first, "dir"), 0o755)
	t.Chdir(second)
	for _, tt := range []struct {
		name, path string
		argv       []string
		want       int
		err        string
	}{
		{"the first one", first + ":" + second, []string{"both"}, 1, ""},
		{"a script without #!", first, []string{"plain"}, 2, ""},
		{"its arguments", first, []string{"args", "a", "b"}, 3, ""},
		{"in the second folder", first + ":" + second, []string{"other"}, 12, ""},
		{"closed in the first", closed + ":" + second, []string{"closed"}, 13, ""},
		{"interpreter missing in the first", broken + ":" + first, []string{"both"}, 1, ""},
		{"closed", second + ":" + closed, []string{"only"}, 0, "unable to run only: access denied"},
		{"a folder", first, []string{"dir"}, 0, "unable to run dir: access denied"},
		{"an empty part is the working folder", "/none:", []string{"other"}, 12, ""},
		{"below a file", first + "/both:" + second, []string{"other"}, 12, ""},
		{"none", first, []string{"other"}, 0, "unable to run other: file does not exist"},
		{"a slash: no search", first, []string{"./both"}, 11, ""},
		{"a slash: closed", first, []string{closed + "/only"}, 0, "unable to run " + closed + "/only: access denied"},
		{"empty name", first, []string{""}, 0, "unable to run : file does not exist"},
		{"no name", first, nil, 0, "unable to run : file does not exist"},
		{"too long", first, []string{strings.Repeat("x", 5000)}, 0, "unable to run " + strings.Repeat("x", 5000) + ": file name too long"},
		{"killed", first, []string{"killed"}, 0, "child crashed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, err := run(t, tt.path, tt.argv...)
			if code != tt.want || text(err) != tt.err {
				t.Errorf("got %d, %q, want %d, %q", code, text(err), tt.want, tt.err)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	var f *fault.Error
	if !errors.As(err, &f) {
		return "no fault: " + err.Error()
	}
	return f.Text
}

func TestUsualPath(t *testing.T) {
	if got := pathOf([]string{"XPATH=/x", "HOME=/"}); got != usualPath {
		t.Errorf("got %q", got)
	}
}

func TestIn(t *testing.T) {
	dir := t.TempDir()
	syscall.ForkLock.RLock() // or a process forked now keeps the file open for writing
	err := os.WriteFile(filepath.Join(dir, "program"), []byte("#!/bin/sh\ntest -f program\n"), 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	p, err := In(dir).Start([]string{"./program"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if code, err := Wait(p); code != 0 || err != nil {
		t.Errorf("%d, %v", code, err)
	}
}

func TestNotStarted(t *testing.T) {
	for _, tt := range []struct {
		err  error
		perm bool
		want string
	}{
		{syscall.ENOENT, true, "unable to run x: file does not exist"},
		{syscall.EIO, false, "unable to run x: input/output error"},
		{syscall.EAGAIN, false, "unable to fork: temporary failure"},
		{fmt.Errorf("x: %w", syscall.ENOMEM), false, "unable to fork: out of memory"},
	} {
		err := notStarted([]string{"x"}, tt.err)
		if text(err) != tt.want || fault.IsPermanent(err) != tt.perm {
			t.Errorf("%v: got %v", tt.err, err)
		}
	}
}

func TestExecFails(t *testing.T) {
	if err := Exec([]string{"/no/such/program"}, nil); text(err) != "unable to run /no/such/program: file does not exist" {
		t.Errorf("got %v", err)
	}
}

func TestSucceeds(t *testing.T) {
	for _, tt := range []struct {
		script string
		want   bool
		err    string
	}{
		{"exit 0", true, ""},
		{"exit 1", false, ""},
		{"exit 99", false, ""},
		{"exit 100", false, ""},
		{"exit 111", false, "temporary child error"},
		{"kill -15 $$", false, "child crashed"},
	} {
		yes, err := Succeeds([]string{"/bin/sh", "-c", tt.script})
		if yes != tt.want || text(err) != tt.err || fault.IsPermanent(err) {
			t.Errorf("%s: got %v, %v, want %v, %q", tt.script, yes, err, tt.want, tt.err)
		}
	}
	if yes, err := Succeeds([]string{"/no/such/program"}); yes || err != nil {
		t.Errorf("a missing program: got %v, %v", yes, err)
	}
}

func TestFeed(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	large := strings.Repeat("line\n", 100_000)
	for _, tt := range []struct {
		name, script string
		in           io.Reader
		want         Fed
		err, out     string
	}{
		{"all", "cat >" + out, strings.NewReader("in"), Fed{}, "", "textin"},
		{"a byte at a time", "cat >" + out, iotest.OneByteReader(strings.NewReader("in\x00")), Fed{}, "", "textin\x00"},
		{"large", "cat >" + out, strings.NewReader(large), Fed{}, "", "text" + large},
		{"exit code", "cat >" + out + "; exit 17", strings.NewReader(""), Fed{Code: 17}, "", "text"},
		{"not read", "exec <&-; exit 3", strings.NewReader(large), Fed{Code: 3, Unread: true}, "", ""},
		{"killed", "cat >" + out + "; kill -9 $$", strings.NewReader(""), Fed{}, "child crashed", "text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			os.Remove(out)
			got, err := Feed([]string{"/bin/sh", "-c", tt.script}, "text", tt.in)
			written, _ := os.ReadFile(out)
			if got != tt.want || text(err) != tt.err || string(written) != tt.out {
				t.Errorf("got %v, %v, %.50q, want %v, %q, %.50q", got, err, written, tt.want, tt.err, tt.out)
			}
		})
	}
}

// What cannot be read must not be taken for the end of the message.
func TestFeedReadError(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	in := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(syscall.EIO))
	_, err := Feed([]string{"/bin/sh", "-c", "cat >/dev/null; echo whole >" + out}, "", in)
	if text(err) != "unable to copy input: input/output error" || fault.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("the program went on")
	}
}

func TestFeedMissing(t *testing.T) {
	_, err := Feed([]string{"/no/such/program"}, "x", strings.NewReader(""))
	if text(err) != "unable to run /no/such/program: file does not exist" || !fault.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
}
