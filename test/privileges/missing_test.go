package privileges

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMissing has the kernel refuse what confinement is made of: the program goes on,
// with what is left of it, and says so only if something failed that is there, or if
// it is asked to.
func TestMissing(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root to make a kernel that lacks something")
	}
	if version() < byLandlock {
		t.Skip("this kernel has no Landlock")
	}
	lack := func(number int, errno syscall.Errno) string { return fmt.Sprint(number, " ", int(errno)) }
	for _, tt := range []struct {
		name    string
		without string // number and error
		log     string
		writes  string // the outcome of writing a message
		becomes string // of becoming another user
	}{
		{"nothing", "", `^confined by no_new_privs, Landlock \d+, seccomp$`, "permission denied", "operation not permitted"},
		{"Landlock", lack(unix.SYS_LANDLOCK_CREATE_RULESET, syscall.ENOSYS), `^confined by no_new_privs, seccomp$`, "done", "operation not permitted"},
		{"Landlock, not started", lack(unix.SYS_LANDLOCK_CREATE_RULESET, syscall.EOPNOTSUPP), `^confined by no_new_privs, seccomp$`, "done", "operation not permitted"},
		{"rules", lack(unix.SYS_LANDLOCK_ADD_RULE, syscall.ENOMEM),
			`^warning: not fully confined: Landlock: rule for .*cannot allocate memory confined by no_new_privs, seccomp$`, "done", "operation not permitted"},
		{"restricting", lack(unix.SYS_LANDLOCK_RESTRICT_SELF, syscall.E2BIG),
			`^warning: not fully confined: Landlock: argument list too long confined by no_new_privs, seccomp$`, "done", "operation not permitted"},
		{"seccomp", lack(unix.SYS_SECCOMP, syscall.ENOSYS), `^confined by no_new_privs, Landlock \d+$`, "permission denied", "done"},
		{"seccomp, forbidden", lack(unix.SYS_SECCOMP, syscall.EACCES),
			`^warning: not fully confined: seccomp: permission denied confined by no_new_privs, Landlock \d+$`, "permission denied", "done"},
		{"no_new_privs", lack(unix.SYS_PRCTL, syscall.ENOSYS), `^confined by nothing$`, "done", "done"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for act, want := range map[string]string{"write a message": tt.writes, "become another user": tt.becomes} {
				result, log := tryWithout(t, tt.without, act)
				if !regexp.MustCompile(tt.log).MatchString(log) {
					t.Errorf("it says %q, want %s", log, tt.log)
				}
				if !strings.HasSuffix(result, want) {
					t.Errorf("%s: %s, want %s", act, result, want)
				}
			}
		})
	}
}

// tryWithout tries an act as qmail-clean, with 2 in control/confine.
func tryWithout(t *testing.T, without, act string) (result, log string) {
	t.Helper()
	program, err := tryer()
	if err != nil {
		t.Fatal(err)
	}
	home, user := tryHome(t)
	write(t, filepath.Join(home, "control/confine"), "2\n")
	cmd := exec.Command(program, "qmail-clean", home, act)
	cmd.Env = append(os.Environ(), "TRY_USER="+user, "TRY_WITHOUT="+without)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v, %s%s", err, out.String(), errs.String())
	}
	log = strings.ReplaceAll(strings.ReplaceAll(errs.String(), "qmail-clean: ", ""), "\n", " ")
	return strings.TrimSpace(out.String()), strings.TrimSpace(log)
}
