// Package install tests the system as it is installed: on a small Debian of its own,
// in which it may make users and links, and run as it does on a host. Nothing of the
// machine is touched.
//
// Only root can do that, with mmdebstrap or debootstrap and a Debian mirror; tests are
// skipped otherwise. DEBIAN_BASE names a tar file of such a Debian that is there
// already, with the packages in [packages].
package install

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"goqmail/internal/testbin"
)

// packages are those that the small Debian has beside what each has.
const packages = "cron,libcap2-bin,make,msmtp-mta,runit"

func TestMain(m *testing.M) {
	code := m.Run()
	testbin.Remove()
	os.RemoveAll(baseFolder)
	os.Exit(code)
}

var baseFolder string

// base makes a tar file of a small Debian, once.
var base = sync.OnceValues(func() (string, error) {
	if tar := os.Getenv("DEBIAN_BASE"); tar != "" {
		return tar, nil
	}
	var err error
	if baseFolder, err = os.MkdirTemp("", "debian"); err != nil {
		return "", err
	}
	tar := filepath.Join(baseFolder, "base.tar")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "mmdebstrap", "--quiet", "--variant=minbase", "--include="+packages, "--dpkgopt=force-unsafe-io",
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*", "bookworm", tar)
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		cmd = exec.CommandContext(ctx, "sh", "-ec", "debootstrap --variant=minbase --include="+packages+" bookworm "+
			baseFolder+"/root >/dev/null && tar -C "+baseFolder+"/root -cf "+tar+" .")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &exec.Error{Name: cmd.Path, Err: &outputError{err, string(out)}}
	}
	return tar, nil
})

// outputError is the failure of a program, with what it said.
type outputError struct {
	err error
	out string
}

func (e *outputError) Error() string { return e.err.Error() + ": " + e.out }

// newHost unpacks the small Debian into a folder and puts the programs and what goes
// with them below /src there.
func newHost(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can have a host to install on")
	}
	_, err1 := exec.LookPath("mmdebstrap")
	_, err2 := exec.LookPath("debootstrap")
	if err1 != nil && err2 != nil && os.Getenv("DEBIAN_BASE") == "" {
		t.Skip("neither mmdebstrap nor debootstrap is installed (Debian: mmdebstrap)")
	}
	tar, err := base()
	if err != nil {
		t.Skipf("no Debian to install on: %v", err)
	}
	bin, err := testbin.Dir()
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.MkdirTemp("", "host")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	tree := func(name, arg string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, append([]string{arg}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
	}
	tree("tar", "-xf", tar, "-C", root)
	tree("mkdir", "-p", filepath.Join(root, "src"))
	tree("cp", "-a", bin, filepath.Join(root, "src/bin"))
	tree("cp", "-a", "../../Makefile", "../../README.md", "../../doc", "../../man", "../../packaging", filepath.Join(root, "src"))
	tree("cp", "-a", "testdata", filepath.Join(root, "src/testdata"))
	return root
}

// run runs a script of testdata on the host, as its init: when it ends, so does
// everything that it has started.
func run(t *testing.T, root, script string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-ec", `
		mount --make-rprivate /
		mount -t proc proc "$1/proc"
		cd "$1"
		exec chroot . /bin/bash -eu /src/testdata/$2`, "sh", root, script)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	text := string(out)
	if err != nil && strings.Contains(text, "unshare") {
		t.Skipf("no namespaces here: %s", text)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, text)
	}
	t.Logf("%s", text)
}

// TestDebianPackage installs the Debian package on a host without a mailer: a cron
// job's mail reaches root's alias, an upgrade does not disturb, and removal leaves
// the mail.
func TestDebianPackage(t *testing.T) {
	t.Parallel()
	root := newHost(t)
	out, err := exec.Command("chroot", root, "/src/packaging/deb/build", "/src", "-Znone").CombinedOutput()
	if err != nil {
		t.Fatalf("the package is not built: %v: %s", err, out)
	}
	run(t, root, "deb.sh")
}

// TestMakeInstall installs from the sources over another mailer, runs, is killed,
// upgrades, and takes everything away again.
func TestMakeInstall(t *testing.T) {
	t.Parallel()
	run(t, newHost(t), "make.sh")
}
