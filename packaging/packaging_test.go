// Package packaging tests what is installed beside the programs: run scripts, units
// and completion.
package packaging

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
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
	noted(t, scripts(t)...)
	out, err := exec.Command("shellcheck", scripts(t)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// limits are how exposed a unit may be, by the measure of systemd-analyze security,
// ten times. Those with set-uid programs below them can have few filters.
var limits = map[string]string{
	"goqmail.service": "54", "goqmail-smtpd.service": "60", "goqmail-submission.service": "60", "goqmail-smtps.service": "60",
	"goqmail-qmtpd@.service": "59", "goqmail-qmqpd@.service": "59", "goqmail-pop3d@.service": "40", "goqmail-check.service": "32",
}

// TestUnits has systemd look for mistakes in the units, and measure them.
func TestUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed (Debian: systemd)")
	}
	dir := t.TempDir()
	var names []string
	for _, name := range glob(t, "systemd/goqmail*") {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		// The programs have to be there.
		data = bytes.ReplaceAll(data, []byte("/var/qmail/bin/"), []byte(dir+"/"))
		for _, program := range regexp.MustCompile(regexp.QuoteMeta(dir)+`/([a-z0-9-]+)`).FindAllSubmatch(data, -1) {
			write(t, filepath.Join(dir, string(program[1])), nil, 0o755)
		}
		names = append(names, filepath.Join(dir, filepath.Base(name)))
		write(t, names[len(names)-1], data, 0o644)
	}
	out, err := exec.Command("systemd-analyze", append([]string{"verify", "--man=no"}, names...)...).CombinedOutput()
	if err != nil || strings.Contains(string(out), "goqmail") {
		t.Errorf("systemd-analyze verify: %v: %s", err, out)
	}
	for _, name := range names {
		limit, ok := limits[filepath.Base(name)]
		if !strings.HasSuffix(name, ".service") {
			continue
		}
		if !ok {
			t.Errorf("%s: limits does not say how exposed it may be", filepath.Base(name))
		}
		out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold="+limit, name).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", filepath.Base(name), err, out[max(0, len(out)-200):])
		}
	}
}

func write(t *testing.T, name string, data []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, data, mode); err != nil {
		t.Fatal(err)
	}
}
