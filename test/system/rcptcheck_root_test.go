//go:build linux

package system

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// capability is the extended attribute of a file with CAP_DAC_READ_SEARCH as
// permitted, capabilities(7).
func capability() []byte {
	const revision = 0x02000000
	var b []byte
	for _, word := range []uint32{revision, 1 << unix.CAP_DAC_READ_SEARCH, 0, 0, 0} {
		b = binary.LittleEndian.AppendUint32(b, word)
	}
	return b
}

// TestRecipientCheckCapability runs qmail-rcptcheck as an ordinary user who is
// curious about the homes of others.
func TestRecipientCheckCapability(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives capabilities to files")
	}
	t.Parallel()
	top, err := os.MkdirTemp("", "capability")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	const joe, mallory, curious = 40001, 40002, 40003
	home, program := filepath.Join(top, "home"), filepath.Join(top, "qmail-rcptcheck")
	path := func(name string) string { return filepath.Join(top, name) }
	var errs []error
	for _, dir := range []string{"home/bin", "home/control", "home/users", "joe", "mallory", "secret"} {
		errs = append(errs, os.MkdirAll(path(dir), 0o755))
	}
	assign := ""
	for name, uid := range map[string]int{"joe": joe, "mallory": mallory, "thief": mallory} {
		dir := map[string]string{"thief": "secret"}[name]
		if dir == "" {
			dir = name
		}
		assign += "+" + name + "-:" + name + ":" + strconv.Itoa(uid) + ":100:" + path(dir) + ":-::\n"
	}
	for name, text := range map[string]string{
		"home/control/me": "test.example\n", "home/users/assign": assign + ".\n",
		"joe/.qmail-list": "#\n", "secret/file": "x\n", "secret/.qmail-file": "x\n",
	} {
		errs = append(errs, os.WriteFile(path(name), []byte(text), 0o600))
	}
	errs = append(errs,
		os.Symlink(path("secret/file"), path("mallory/.qmail-there")), os.Symlink(path("secret/none"), path("mallory/.qmail-not")),
		os.Chmod(top, 0o755), os.Chmod(path("home/control/me"), 0o644),
		os.Chown(path("joe"), joe, 100), os.Chown(path("mallory"), mallory, 100), os.Chown(path("secret"), joe, 100),
		os.Chmod(path("joe"), 0o700), os.Chmod(path("secret"), 0o700), os.Chmod(path("mallory"), 0o700),
	)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	// What a caller can make of qmail-getpw, who runs as the caller.
	forged := "#!/bin/sh\nprintf 'joe\\000" + strconv.Itoa(joe) + "\\000100\\000" + path("joe") + "\\000-\\000%s\\000' \"${1#forged-}\"\n"
	syscall.ForkLock.RLock() // a child that had it open would keep it from being run
	err = os.WriteFile(path("home/bin/qmail-getpw"), []byte(forged), 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-ldflags", "-X goqmail/internal/home.Built="+home, "-o", top+"/", "goqmail/cmd/qmail-rcptcheck", "goqmail/cmd/qmail-newu")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	newu := exec.Command(path("qmail-newu"))
	newu.Env = append(os.Environ(), "QMAILHOME="+home)
	if out, err := newu.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ask := func(addr string) int {
		cmd := exec.Command(program, addr+"@test.example")
		cmd.Env = append(os.Environ(), "QMAILHOME=/none/there", "GODEBUG=x")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: curious, Gid: 40003}}
		_ = cmd.Run()
		return cmd.ProcessState.ExitCode()
	}
	if code := ask("joe-list"); code != 111 {
		t.Errorf("without the capability QMAILHOME counts, but it says %d", code)
	}
	if err := unix.Setxattr(program, "security.capability", capability(), 0); err != nil {
		t.Skip("no capabilities here: ", err)
	}
	for addr, want := range map[string]int{
		"joe-list": 0, "joe-none": 100,
		"mallory-there": 112, "mallory-not": 112, "mallory-none": 100, // the same, whether the file is there or not
		"thief-file": 112, "thief-none": 112, "forged-list": 112, "forged-none": 112,
		"joe-list/x": 112, "joe-" + strings.Repeat("-", 200): 100,
	} {
		if got := ask(addr); got != want {
			t.Errorf("%s: %d, want %d", addr, got, want)
		}
	}
}
