// Package packaging tests what is installed beside the programs: run scripts, units
// and completion.
package packaging

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func glob(t *testing.T, patterns ...string) []string {
	t.Helper()
	var all []string
	for _, pattern := range patterns {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		all = append(all, names...)
	}
	return all
}

func scripts(t *testing.T) []string {
	return glob(t, "run/rc", "run/*/*/run", "run/*/*/log/run")
}

func TestScriptsCanBeRun(t *testing.T) {
	for _, name := range scripts(t) {
		if st, err := os.Stat(name); err != nil || st.Mode().Perm()&0o111 != 0o111 {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
}

// TestScriptsAgree holds the scripts together that are the same for each supervisor.
func TestScriptsAgree(t *testing.T) {
	for _, service := range []string{"qmail-send/run", "qmail-smtpd/run", "qmail-pop3d/run"} {
		agree(t, "run/daemontools/"+service, "run/runit/"+service, "run/s6/"+service)
	}
	for _, supervisor := range []string{"daemontools", "runit", "s6"} {
		logs := glob(t, "run/"+supervisor+"/*/log/run")
		agree(t, logs...)
		if len(logs) != 3 {
			t.Errorf("%s: %d logs", supervisor, len(logs))
		}
	}
}

func agree(t *testing.T, names ...string) {
	t.Helper()
	var first []byte
	for i, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
		}
		if i == 0 {
			first = data
		}
		if !bytes.Equal(data, first) {
			t.Errorf("%s differs from %s", name, names[0])
		}
	}
}

func TestShellcheck(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("shellcheck is not installed (Debian: shellcheck)")
	}
	// The shell that the first line names is sh, and what is not POSIX is reported.
	out, err := exec.Command("shellcheck", scripts(t)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
