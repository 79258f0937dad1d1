// Package system tests the whole system: qmail-start and all that it starts, in a
// private home, with real programs, real files and a real SMTP server on loopback.
//
// Root runs it as nobody, since root is not delivered to. The programs are built
// for the test, or are those in the folder $Q_BIN.
package system

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/privatehome"
	"goqmail/internal/smtpsink"
	"goqmail/internal/testbin"
)

func TestMain(m *testing.M) {
	if how := os.Getenv(misbehave); how != "" {
		exitcode.Main(func() int { return behaveBadly(how) })
	}
	code := m.Run()
	testbin.Remove()
	os.Exit(code)
}

// nobody runs the system if root runs the test.
const nobody = 65534

// system is a private home and what runs in it.
type system struct {
	t    *testing.T
	home privatehome.Home
	uid  int // who runs it

	process *exec.Cmd
	mu      sync.Mutex
	changed sync.Cond
	log     bytes.Buffer
	ended   bool // the log of the present run has ended

	stopping, stopped chan struct{} // see keepRunning
}

// newSystem makes a home whose programs can be replaced one by one.
func newSystem(t *testing.T) *system {
	t.Helper()
	bin, err := testbin.Dir()
	if err != nil {
		t.Fatal(err)
	}
	top, err := os.MkdirTemp("", "system")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	s := &system{t: t, uid: os.Getuid()}
	s.changed.L = &s.mu
	gid := os.Getgid()
	if s.uid == 0 {
		s.uid, gid = nobody, nobody
	}
	s.must(os.Chmod(top, 0o755))
	s.home = privatehome.Home{Dir: filepath.Join(top, "home"), Bin: filepath.Join(top, "bin"), User: "joe", UID: s.uid, GID: gid}
	s.must(os.Mkdir(s.home.Bin, 0o755))
	names, err := os.ReadDir(bin)
	s.must(err)
	for _, name := range names {
		s.must(os.Symlink(filepath.Join(bin, name.Name()), filepath.Join(s.home.Bin, name.Name())))
	}
	s.must(s.home.Make())
	s.must(s.home.Relay("127.0.0.1:1")) // nobody listens, unless a test says otherwise
	s.own()
	return s
}

func (s *system) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// own gives all files to whoever runs the system.
func (s *system) own() {
	s.must(filepath.WalkDir(s.home.Dir, func(name string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(name, s.uid, s.home.GID))
	}))
}

// path is a file below the home.
func (s *system) path(name string) string { return filepath.Join(s.home.Dir, name) }

// write writes a file below the home.
func (s *system) write(name, text string) {
	s.t.Helper()
	s.must(os.WriteFile(s.path(name), []byte(text), 0o644))
	s.must(os.Chown(s.path(name), s.uid, s.home.GID))
}

// replace puts a shell script in a program's place. An empty one removes it.
func (s *system) replace(program, script string) {
	s.t.Helper()
	name := filepath.Join(s.home.Bin, program)
	s.must(os.Remove(name))
	if script != "" {
		syscall.ForkLock.RLock() // a child that had it open would keep it from being run
		s.must(os.WriteFile(name, []byte("#!/bin/sh\n"+script+"\n"), 0o755))
		syscall.ForkLock.RUnlock()
	}
}

// restore puts a program back.
func (s *system) restore(program string) {
	s.t.Helper()
	bin, _ := testbin.Dir()
	os.Remove(filepath.Join(s.home.Bin, program))
	s.must(os.Symlink(filepath.Join(bin, program), filepath.Join(s.home.Bin, program)))
}

// command is a program of the home, run by the user of the system.
func (s *system) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.home.Bin, program), args...)
	cmd.Dir = s.home.Dir
	cmd.Env = append(os.Environ(), "QMAILHOME="+s.home.Dir, "USER="+s.home.User)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(s.uid), Gid: uint32(s.home.GID)}
	}
	return cmd
}

// start runs qmail-start until stop or kill.
func (s *system) start() {
	s.t.Helper()
	s.mu.Lock()
	s.ended = false
	s.mu.Unlock()
	s.process = s.command("qmail-start", "./Maildir/")
	// A session of its own, as daemons have: a program of another one that stands still when
	// qmail-send is killed gets SIGHUP.
	s.process.SysProcAttr.Setpgid, s.process.SysProcAttr.Setsid = false, true
	s.process.Stdout, s.process.Stderr = s, s
	s.must(s.process.Start())
	process := s.process
	done := make(chan struct{})
	go func() {
		process.Wait()
		s.mu.Lock()
		s.ended = true
		s.changed.Broadcast()
		s.mu.Unlock()
		close(done)
	}()
	s.t.Cleanup(func() {
		syscall.Kill(-process.Process.Pid, syscall.SIGKILL)
		<-done
	})
}

// run starts the system and waits until qmail-send is there, so that signals
// reach it.
func (s *system) run() {
	s.t.Helper()
	const first = "status: local 0/10 remote 0/20\n"
	before := strings.Count(s.logged(), first)
	s.start()
	s.wait(first, before+1)
}

// Write takes the log.
func (s *system) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.Write(p)
	s.changed.Broadcast()
	return len(p), nil
}

// signal sends a signal to qmail-send, which has qmail-start's process id.
func (s *system) signal(sig syscall.Signal) { syscall.Kill(s.process.Process.Pid, sig) }

// stop ends the system as an administrator would.
func (s *system) stop() {
	s.signal(syscall.SIGTERM)
	s.waitEnd()
}

// waitEnd returns when qmail-send and all others that hold its log have ended.
func (s *system) waitEnd() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.ended {
		s.changed.Wait()
	}
}

// patience is after how long a test that waits for something gives up: long, as
// it says nothing but that the test has failed.
const patience = 3 * time.Minute

// wait returns when the log has so many lines with that text.
func (s *system) wait(text string, times int) {
	s.t.Helper()
	gaveUp := false
	timer := time.AfterFunc(patience, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		gaveUp = true
		s.changed.Broadcast()
	})
	defer timer.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for strings.Count(s.log.String(), text) < times {
		if gaveUp {
			s.t.Fatalf("%q is not %d times in the log:\n%s", text, times, tail(s.log.String()))
		}
		s.changed.Wait()
	}
}

func tail(log string) string { return log[max(0, len(log)-4000):] }

func (s *system) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// queue hands a message to qmail-queue and returns its exit code, -1 if it was
// killed.
func (s *system) queue(sender string, recipients []string, message []byte) int {
	envelope := "F" + sender + "\x00"
	for _, r := range recipients {
		envelope += "T" + r + "\x00"
	}
	return s.queueRaw(message, envelope+"\x00")
}

func (s *system) queueRaw(message []byte, envelope string) int {
	s.t.Helper()
	// The envelope is read from descriptor 1.
	file, err := os.CreateTemp(filepath.Dir(s.home.Dir), "envelope")
	s.must(err)
	defer os.Remove(file.Name())
	defer file.Close()
	_, err = file.WriteString(envelope)
	s.must(err)
	_, err = file.Seek(0, 0)
	s.must(err)
	cmd := s.command("qmail-queue")
	cmd.Stdin, cmd.Stdout = bytes.NewReader(message), file
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, syscall.EPIPE) {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

// inQueue lists the files of messages below queue.
func (s *system) inQueue() []string {
	var names []string
	for _, pattern := range []string{"mess/*/*", "intd/*", "todo/*", "info/*/*", "local/*/*", "remote/*/*", "bounce/*"} {
		found, _ := filepath.Glob(s.path("queue/" + pattern))
		for _, name := range found {
			names = append(names, strings.TrimPrefix(name, s.path("queue")+"/"))
		}
	}
	return names
}

// mails reads all messages in a maildir.
func (s *system) mails(maildir string) [][]byte {
	s.t.Helper()
	names, err := filepath.Glob(filepath.Join(maildir, "new", "*"))
	s.must(err)
	var all [][]byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		s.must(err)
		all = append(all, data)
	}
	return all
}

// sink plays the rest of the world, and has all remote mail sent there.
func (s *system) sink(deliver func(*smtpsink.Message) error) {
	s.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	s.t.Cleanup(cancel)
	go (&smtpsink.Server{Deliver: deliver, MaxSize: 256 << 20}).Serve(ctx, listener)
	s.must(s.home.Relay(listener.Addr().String()))
}
