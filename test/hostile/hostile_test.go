// Package hostile sends messages that are made to do harm through the whole system,
// by every way in and every way out, and has users of the host do what they can
// against it: what is done to whom is in the comments of the tests.
//
// Every process of the system, qmail-start and all that it starts, has little memory:
// what takes more dies, and the test fails.
package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/privatehome"
	"goqmail/internal/testbin"
	"goqmail/internal/testhost"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testbin.Remove()
	os.Exit(code)
}

// nobody runs the system if root runs the test.
const nobody = 65534

// memory is how many MB of data a process of the system may have (RLIMIT_DATA).
const memory = 128

// must ends the test if there is an error.
func must(t *testing.T, err error) {
	t.Helper()
	testhost.Must(t, err)
}

// system is a private home and what runs in it.
type system struct {
	t       *testing.T
	home    privatehome.Home
	log     *testhost.Log
	process *exec.Cmd
}

// newSystem makes a home of joe's.
func newSystem(t *testing.T) *system {
	t.Helper()
	bin, err := testbin.Dir()
	must(t, err)
	top, err := os.MkdirTemp("", "hostile")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(top) })
	must(t, os.Chmod(top, 0o755))
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = nobody, nobody
	}
	s := &system{t: t, log: testhost.NewLog(), home: privatehome.Home{
		Dir: filepath.Join(top, "home"), Bin: bin, User: "joe", UID: uid, GID: gid,
	}}
	must(t, s.home.Make())
	return s
}

// path is a file below the home.
func (s *system) path(name string) string { return filepath.Join(s.home.Dir, name) }

// write writes a file below the home.
func (s *system) write(name, text string) {
	s.t.Helper()
	must(s.t, os.WriteFile(s.path(name), []byte(text), 0o644))
}

// own gives all files to whoever runs the system.
func (s *system) own() {
	must(s.t, filepath.WalkDir(s.home.Dir, func(name string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(name, s.home.UID, s.home.GID))
	}))
}

// command is a program of the home, run by the user of the system.
func (s *system) command(program string, args ...string) *exec.Cmd {
	return s.run(filepath.Join(s.home.Bin, program), args...)
}

func (s *system) run(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Dir = s.home.Dir
	cmd.Env = append(os.Environ(), "QMAILHOME="+s.home.Dir, "USER="+s.home.User, "RELAYCLIENT=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(s.home.UID), Gid: uint32(s.home.GID)}
	}
	return cmd
}

// limited is a program of the home in little memory.
func (s *system) limited(program string, args ...string) *exec.Cmd {
	limit := fmt.Sprintf(`ulimit -c 0; ulimit -d %d; exec "$@"`, memory<<10)
	return s.run("/bin/sh", append([]string{"-c", limit, "sh", filepath.Join(s.home.Bin, program)}, args...)...)
}

// start runs a program until the end of the test, in little memory.
func (s *system) start(log *testhost.Log, program string, args ...string) *exec.Cmd {
	s.t.Helper()
	cmd := s.limited(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	must(s.t, cmd.Start())
	s.t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	return cmd
}

// begin starts the system.
func (s *system) begin() {
	s.t.Helper()
	s.own()
	s.process = s.start(s.log, "qmail-start", "./Maildir/")
	s.log.Wait(s.t, "status: local 0/", 1)
}

// listen starts a server and returns the address where it listens.
func (s *system) listen(program string) string {
	s.t.Helper()
	log := testhost.NewLog()
	s.start(log, program, "-listen", "127.0.0.1:0")
	log.Wait(s.t, "\n", 1)
	line, _, _ := strings.Cut(log.String(), "\n")
	words := strings.Fields(line)
	return words[len(words)-2]
}

// end ends the system as an administrator would, and returns its log.
func (s *system) end() string {
	s.t.Helper()
	must(s.t, s.process.Process.Signal(syscall.SIGTERM))
	s.log.Wait(s.t, "status: exiting", 1)
	s.process.Wait()
	return s.log.String()
}

// left lists the files of messages below queue.
func (s *system) left() (names []string) {
	for _, pattern := range []string{"pid/*", "mess/*/*", "intd/*", "todo/*", "info/*/*", "local/*/*", "remote/*/*", "bounce/*"} {
		found, _ := filepath.Glob(s.path("queue/" + pattern))
		names = append(names, found...)
	}
	return names
}

// peaks are the highest sizes so far, in MB, of the processes of the system that
// still run, by program.
func (s *system) peaks() map[string]int {
	largest := map[string]int{}
	names, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, name := range names {
		text, _ := os.ReadFile(name)
		environ, _ := os.ReadFile(filepath.Dir(name) + "/environ")
		if !bytes.Contains(environ, []byte("QMAILHOME="+s.home.Dir+"\x00")) {
			continue
		}
		var program string
		var kb int
		for line := range strings.Lines(string(text)) {
			fmt.Sscanf(line, "Name: %s", &program)
			fmt.Sscanf(line, "VmHWM: %d", &kb)
		}
		largest[program] = max(largest[program], (kb+1023)/1024)
	}
	return largest
}
