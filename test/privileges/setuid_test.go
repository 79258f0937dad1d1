package privileges

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/testhost"
)

// body is longer than the limits of a file's size below.
var body = "Subject: s\n\n" + strings.Repeat("All work and no play.\n", 2000)

const envelope = "Feve@here.test\x00Tpat@here.test\x00Tjoe@elsewhere.test\x00\x00"

// TestSetUID has a user run set-uid qmail-queue in all kinds of odd circumstances.
// Whatever they are: if it exits with 0 the message is queued, whole and once; if not
// there is nothing of it; and all files belong to qmailq and have their modes.
func TestSetUID(t *testing.T) {
	if !onHost(t) {
		return
	}
	// Folders and pipes of the user's that qmail-queue must not look into: a pipe
	// that is opened for reading keeps it waiting for ever.
	for _, dir := range []string{"cover", "qmail/queue/pid", "qmail/queue/mess/0", "tmp"} {
		must(t, os.MkdirAll("/home/eve/"+dir, 0o777))
		must(t, os.Chmod("/home/eve/"+dir, 0o777))
	}
	testhost.FIFO(t, "/home/eve/fifo", eve)
	must(t, os.Chmod("/home/eve/fifo", 0o666))
	accepted, folder, refused := []int{exitcode.OK}, []int{exitcode.QueueHome, exitcode.QueueFolder}, []int{exitcode.QueueWrite}
	read := []int{exitcode.QueueRead}
	var any []int // whatever it is
	for _, tt := range []struct {
		name  string
		env   string
		words string
		codes []int
	}{
		{"nothing odd", "", "", accepted},
		{"no variables", "-", "", accepted},
		{"another home", "QMAILHOME=/home/eve/qmail HOME=/home/eve/qmail QMAILQUEUE=/bin/false", "", accepted},
		{"preload", "LD_PRELOAD=/home/eve/fifo LD_LIBRARY_PATH=/home/eve LD_AUDIT=/home/eve/fifo", "", accepted},
		{"time zone", "TZ=:/home/eve/fifo TZDIR=/home/eve ZONEINFO=/home/eve/fifo", "", accepted},
		{"locale", "LC_ALL=xx LANG=../../home/eve LOCPATH=/home/eve NLSPATH=/home/eve/fifo", "", accepted},
		{"temporary files", "TMPDIR=/home/eve/tmp GOTMPDIR=/home/eve/tmp", "", accepted},
		{"coverage", "GOCOVERDIR=/home/eve/cover GORACE=log_path=/home/eve/tmp/x", "", accepted},
		{"traces", "GOTRACEBACK=crash GOMAXPROCS=1", "", accepted},
		{"no processors", "GOMAXPROCS=0", "", accepted},
		{"many processors", "GOMAXPROCS=2000", "", accepted},
		{"little memory", "GOMEMLIMIT=1 GOGC=1", "", accepted},
		{"no collection", "GOGC=off", "", accepted},
		{"odd runtime", "GODEBUG=asyncpreemptoff=1,madvdontneed=1,clobberfree=1,netdns=cgo,panicnil=1,sbrk=1", "", accepted},
		{"nonsense", "GODEBUG=\x01=,,= PATH=\xff IFS=x", "", accepted},
		{"a long variable", "LONG=" + strings.Repeat("x", 100<<10), "", accepted},

		{"0 closed", "", "close 0", read},
		{"1 closed", "", "close 1", read},
		{"2 closed", "", "close 2", accepted},
		{"0 and 1 closed", "", "close 0,close 1", read},
		{"all closed", "", "close 0,close 1,close 2", read},

		{"mask 0", "", "umask 0", accepted},
		{"mask 777", "", "umask 777", accepted},
		{"folder that cannot be read", "", "unreadable", accepted},
		{"folder that is gone", "", "gone", accepted},
		{"no signals", "", "ignore 1,ignore 14,ignore 15,ignore 17,ignore 23", accepted},

		{"no new privileges", "", "no_new_privs", folder},
		{"traced", "", "traced", folder},

		{"no files", "", "nofile 0", any},
		{"3 files", "", "nofile 3", any},
		{"4 files", "", "nofile 4", any},
		{"5 files", "", "nofile 5", any},
		{"6 files", "", "nofile 6", any},
		{"7 files", "", "nofile 7", any},
		{"8 files", "", "nofile 8", any},
		{"9 files", "", "nofile 9", any},
		{"10 files", "", "nofile 10", any},
		{"16 files", "", "nofile 16", accepted},
		{"files of 0 bytes", "", "fsize 0", refused},
		{"files of 10 bytes", "", "fsize 10", refused},
		{"files of the message's size", "", fmt.Sprint("fsize ", len(body)), refused},
		{"no time", "", "cpu 0", any},
		{"a second", "", "cpu 1", accepted},
		{"no address space", "", "as 0", any},
		{"1 MB of address space", "", "as 1000000", any},
		{"20 MB of address space", "", "as 20000000", any},
		{"100 MB of address space", "", "as 100000000", any},
		{"500 MB of address space", "", "as 500000000", any},
		{"no stack", "", "stack 0", any},
		{"4 KB of stack", "", "stack 4096", any},
		{"64 KB of stack", "", "stack 65536", any},
		{"no data", "", "data 0", any},
		{"1 MB of data", "", "data 1000000", any},
		{"no processes", "", "nproc 0", any},
		{"one process", "", "nproc 1", any},
		{"three processes", "", "nproc 3", any},
		{"no signals pending", "", "sigpending 0", any},
		{"no locked memory", "", "memlock 0,core 0", accepted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := submission{env: strings.Fields(tt.env), words: tt.words}
			code, stderr := s.run(t)
			if tt.codes != nil && !slices.Contains(tt.codes, code) {
				t.Errorf("exit code %d, want one of %d; %s", code, tt.codes, stderr)
			}
			checkExit(t, code)
			if left, _ := filepath.Glob("/home/eve/*/*"); len(left) != 1 { // qmail/queue
				t.Errorf("it has made %q", left)
			}
		})
	}
}

// submission is a run of qmail-queue by eve.
type submission struct {
	env   []string
	words string
	began func(pid int)
}

// run returns the exit code, -1 if it was killed, and what came on descriptor 2.
func (s submission) run(t *testing.T) (code int, stderr string) {
	t.Helper()
	dir := t.TempDir() // os.TempDir is that of the test
	for name, text := range map[string]string{"message": body, "envelope": envelope} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	message, err := os.Open(filepath.Join(dir, "message"))
	must(t, err)
	defer message.Close()
	env, err := os.Open(filepath.Join(dir, "envelope"))
	must(t, err)
	defer env.Close()
	must(t, os.MkdirAll("/home/eve", 0o755))
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"launch"}
	cmd.Dir = "/home/eve"
	env0 := append([]string{"PATH=/bin:/usr/bin", "HOME=/home/eve"}, s.env...)
	if slices.Equal(s.env, []string{"-"}) {
		env0 = nil
	}
	cmd.Env = []string{launched + "=" + s.words, launchedEnv + "=" + strings.Join(env0, " ")} // they are not for the launcher itself
	cmd.SysProcAttr = testhost.As(eve, eve)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = message, env, &out
	must(t, cmd.Start())
	if s.began != nil {
		s.began(cmd.Process.Pid)
	}
	hangs := time.AfterFunc(patience, func() {
		t.Error("it does not end")
		cmd.Process.Kill()
	})
	defer hangs.Stop()
	cmd.Wait()
	os.Remove("/home/eve/closed")
	return cmd.ProcessState.ExitCode(), out.String()
}

// crashed is how Go's runtime ends a set-uid program that it cannot go on with. As
// after a signal there may be garbage, or all of the message.
const crashed = 2

// checkExit compares what is in the queue with how qmail-queue has ended, and takes
// it away.
func checkExit(t *testing.T, code int) {
	t.Helper()
	mess, todo := inQueue(t, "mess/*/*"), inQueue(t, "todo/*")
	switch {
	case code == exitcode.OK && len(todo) != 1:
		t.Errorf("exit code 0, and %q in todo", todo)
	case code > 0 && code != crashed && len(todo)+len(mess) > 0:
		t.Errorf("exit code %d, and in the queue is %q", code, append(mess, todo...))
	}
	if len(todo) > 1 || len(todo) == 1 && len(mess) != 1 {
		t.Errorf("the queue has %q", append(mess, todo...))
	}
	if len(todo) == 1 && len(mess) == 1 {
		checkMessage(t, mess[0], todo[0])
	}
	checkFiles(t)
	for _, pattern := range []string{"mess/*/*", "intd/*", "todo/*", "pid/*"} {
		for _, name := range inQueue(t, pattern) {
			must(t, os.Remove(name))
		}
	}
}

func inQueue(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(home + "/queue/" + pattern)
	must(t, err)
	return names
}

// checkMessage checks that a message is whole and says truly who has queued it.
func checkMessage(t *testing.T, mess, todo string) {
	t.Helper()
	text, err := os.ReadFile(mess)
	must(t, err)
	received, rest, _ := strings.Cut(string(text), "\n")
	if by := fmt.Sprintf(" invoked by uid %d); ", eve); !strings.HasPrefix(received, "Received: (qmail ") || !strings.Contains(received, by) {
		t.Errorf("the message begins with %q", received)
	}
	if rest != body && rest != "" {
		t.Errorf("the message has %d bytes, want %d", len(rest), len(body))
	}
	text, err = os.ReadFile(todo)
	must(t, err)
	if !strings.HasPrefix(string(text), fmt.Sprintf("u%d\x00p", eve)) || !strings.HasSuffix(string(text), "\x00"+envelope[:len(envelope)-1]) {
		t.Errorf("the envelope is %q", text)
	}
}

// checkFiles looks at the owner and mode of every file in the queue.
func checkFiles(t *testing.T) {
	t.Helper()
	top := home + "/queue"
	must(t, filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(name, top+"/lock/") {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		sys := info.Sys().(*syscall.Stat_t)
		if sys.Uid != qmailq || info.Mode() != 0o644 {
			t.Errorf("%s belongs to uid %d and has mode %v", name, sys.Uid, info.Mode())
		}
		return nil
	}))
}

// TestSetUIDSignals sends a signal to qmail-queue, as its caller may, at moments that
// are spread over its life.
func TestSetUIDSignals(t *testing.T) {
	if !onHost(t) {
		return
	}
	signals := []syscall.Signal{
		syscall.SIGTERM, syscall.SIGALRM, syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT,
		syscall.SIGXFSZ, syscall.SIGXCPU, syscall.SIGUSR1, syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGURG, syscall.SIGKILL,
	}
	life := time.Now()
	code, _ := submission{}.run(t)
	checkExit(t, code)
	took := time.Since(life)
	how := map[int]int{}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 260 {
		sig := signals[i%len(signals)]
		moment := time.Duration(random.Int64N(int64(took)))
		killed := make(chan bool)
		code, _ := submission{began: func(pid int) {
			time.AfterFunc(moment, func() {
				syscall.Kill(pid, sig) // not yet waited for, or it says that there is none
				close(killed)
			})
		}}.run(t)
		<-killed
		checkExit(t, code)
		how[code]++
		if t.Failed() {
			t.Fatalf("after %v at %v, exit code %d", sig, moment, code)
		}
	}
	t.Logf("exit codes: %v", how)
}

// TestSetUIDIsClosed looks at qmail-queue as its caller: neither its memory nor its
// files and variables can be had.
func TestSetUIDIsClosed(t *testing.T) {
	if !onHost(t) {
		return
	}
	defer queueing(t)()
	for _, pid := range pids(t) {
		proc := fmt.Sprintf("/proc/%d", pid)
		if statusOf(t, proc+"/status")["Name"] != "qmail-queue" {
			continue
		}
		for _, name := range []string{"mem", "maps", "environ", "fd/0", "fd/3", "cwd/.", "exe"} {
			cat := exec.Command("cat", proc+"/"+name)
			cat.SysProcAttr = testhost.As(eve, eve)
			if out, err := cat.CombinedOutput(); err == nil || !bytes.Contains(out, []byte("Permission denied")) {
				t.Errorf("cat %s/%s: %v, %q", proc, name, err, out)
			}
		}
		return
	}
	t.Error("qmail-queue does not run")
}
