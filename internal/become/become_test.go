package become

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goqmail/internal/ids"
)

func accounts(t *testing.T) ids.Files {
	t.Helper()
	dir := t.TempDir()
	files := ids.Files{Passwd: filepath.Join(dir, "passwd"), Group: filepath.Join(dir, "group")}
	for file, text := range map[string]string{
		files.Passwd: "root:x:0:0::/root:/bin/sh\nqmaild2:x:1:1::/:\nqmaild:x:60001:60002::/var/qmail:/bin/false\nbad:x:y:1\n",
		files.Group:  "root:x:0:\nnofiles:x:60002:\nkeys:x:60003:qmaild\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestFind(t *testing.T) {
	files := accounts(t)
	u, err := Find(files, "qmaild")
	if err != nil || u.UID != 60001 || u.GID != 60002 || !slices.Equal(u.Groups, []int{60003}) {
		t.Errorf("%v, %v", u, err)
	}
	if _, err := Find(files, "nobody"); !errors.Is(err, ids.ErrUnknown) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := Find(files, "bad"); err == nil || errors.Is(err, ids.ErrUnknown) {
		t.Errorf("bad: %v", err)
	}
	if (User{Name: "root"}).Become() == nil {
		t.Error("became root")
	}
}

const marker = "GOQMAIL_TEST_BECOME"

// TestBecome changes the user in a process of its own, all threads of which are
// looked at.
func TestBecome(t *testing.T) {
	if os.Getenv(marker) == "" {
		t.Parallel()
		if os.Geteuid() != 0 {
			if err := (User{Name: "x", UID: 60001, GID: 60002}).Become(); err == nil {
				t.Error("an ordinary user became another one")
			}
			t.Skip("only root can become another user")
		}
		process, err := os.StartProcess(os.Args[0], []string{os.Args[0], "-test.run=^TestBecome$"}, &os.ProcAttr{
			Env: append(os.Environ(), marker+"=1"), Files: []*os.File{nil, os.Stderr, os.Stderr},
		})
		if err != nil {
			t.Fatal(err)
		}
		if state, err := process.Wait(); err != nil || !state.Success() {
			t.Errorf("%v, %v", state, err)
		}
		return
	}
	if err := (User{Name: "x", UID: 60001, GID: 60002, Groups: []int{60003}}).Become(); err != nil {
		t.Fatal(err)
	}
	all, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(all) < 2 {
		t.Fatalf("%d threads, %v", len(all), err)
	}
	for _, name := range all {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		status := string(text)
		for _, want := range []string{"\nUid:\t60001\t60001\t60001\t60001\n", "\nGid:\t60002\t60002\t60002\t60002\n", "\nGroups:\t60002 60003 \n", "\nCapEff:\t0000000000000000\n"} {
			if !strings.Contains(status, want) {
				t.Errorf("%s lacks %q:\n%s", name, want, status)
			}
		}
	}
}
