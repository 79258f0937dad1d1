//go:build linux && amd64

package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// traced is the environment variable that makes the test's program a tracer: it runs
// its arguments, and its value is a [plan] in JSON.
const traced = "FAULTS_TEST_TRACE"

// plan is what is to happen to a program while it runs.
type plan struct {
	Program string // all processes that run it, and children of theirs before they exec
	Action  string
	Call    string // signature, see [call.see]
	Number  uint64 // of that system call
	Nth     int    // of those calls; the first is 1
	Report  string // file for a [report]
	UID     int    // of who runs it
	GID     int
	Files   int // descriptors that are handed on
}

func (p plan) String() string {
	if p.Action == learn {
		return p.Program
	}
	return fmt.Sprintf("%s: %s no. %d: %s", p.Program, p.Call, p.Nth, p.Action)
}

// report is what has happened.
type report struct {
	Calls []seen // if the plan is to learn
	Hit   bool   // the call came, and what was planned was done
	Ends  []string
	Err   string
}

// seen is a call, and what can be done to it.
type seen struct {
	Call   string
	Number uint64
	Nth    int
	Errors []string
	// ForGood are errors that are likely to last.
	ForGood []string
}

// process is one that is traced.
type process struct {
	pid     int
	program string
	target  bool
	before  bool // it is a child that has not become a program yet
}

// thread is one of its threads.
type thread struct {
	of      *process
	result  *int64                    // what the call that is under way is to return
	restore func(*syscall.PtraceRegs) // the argument of a short call
}

type tracer struct {
	plan
	report
	processes map[int]*process
	threads   map[int]*thread
	counts    map[string]int
}

// trace runs a program under a plan, and exits with its exit code.
func trace(text string, argv []string) int {
	runtime.LockOSThread() // ptrace(2) is for the thread that began it
	t := &tracer{processes: map[int]*process{}, threads: map[int]*thread{}, counts: map[string]int{}}
	if err := json.Unmarshal([]byte(text), &t.plan); err != nil {
		return 125
	}
	os.Unsetenv(traced)
	code, err := t.run(argv)
	if err != nil {
		t.Err = err.Error()
	}
	out, err := json.Marshal(t.report)
	if err == nil {
		err = os.WriteFile(t.plan.Report, out, 0o644)
	}
	if err != nil {
		return 125
	}
	return code
}

func (t *tracer) run(argv []string) (int, error) {
	files := make([]uintptr, t.Files)
	for i := range files {
		files[i] = uintptr(i)
	}
	attr := &syscall.ProcAttr{Env: os.Environ(), Files: files, Sys: &syscall.SysProcAttr{Ptrace: true}}
	if t.UID != 0 {
		// Not by attr: a process must be root's when tracing begins, or no set-uid program
		// gets its rights.
		user := []string{"/usr/bin/setpriv", "--reuid=" + strconv.Itoa(t.UID), "--regid=" + strconv.Itoa(t.GID), "--clear-groups", "--"}
		argv = append(user, argv...)
	}
	root, err := syscall.ForkExec(argv[0], argv, attr)
	if err != nil {
		return 125, err
	}
	for fd := range files {
		if fd != 2 {
			syscall.Close(fd) // the ends of pipes are the program's alone
		}
	}
	passSignals(root)
	return t.follow(root)
}

// passSignals gives the program the signals that this process gets.
func passSignals(pid int) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGALRM, syscall.SIGHUP, syscall.SIGQUIT)
	go func() {
		for s := range signals {
			if s == syscall.SIGQUIT {
				killOthers()
			} else {
				syscall.Kill(pid, s.(syscall.Signal))
			}
		}
	}()
}

// killOthers ends all processes of the host but this one and the first.
func killOthers() {
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		if pid, err := strconv.Atoi(filepath.Base(name)); err == nil && pid != 1 && pid != os.Getpid() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_EXITKILL | unix.PTRACE_O_TRACECLONE |
	unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC

// follow obeys the plan until all traced processes have ended.
func (t *tracer) follow(root int) (code int, err error) {
	started := false
	for {
		var status syscall.WaitStatus
		tid, err := syscall.Wait4(-1, &status, syscall.WALL, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.ECHILD:
			return code, nil
		case err != nil:
			return code, err
		case status.Exited() || status.Signaled():
			t.ended(tid, status)
			if tid == root {
				code = status.ExitStatus()
			}
			continue
		case !status.Stopped():
			continue
		}
		if tid == root && !started {
			started = true
			if err := syscall.PtraceSetOptions(tid, options); err != nil {
				return code, err
			}
			t.threads[tid] = &thread{of: t.enter(tid)}
			t.resume(tid, 0)
			continue
		}
		t.stopped(tid, status)
	}
}

// enter takes note of a process that has just become a program.
func (t *tracer) enter(pid int) *process {
	exe, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	p := &process{pid: pid, program: filepath.Base(exe)}
	p.target = p.program == t.Program
	t.processes[pid] = p
	return p
}

func (t *tracer) ended(tid int, status syscall.WaitStatus) {
	delete(t.threads, tid)
	p := t.processes[tid]
	if p == nil || p.pid != tid {
		return
	}
	delete(t.processes, tid)
	switch {
	case !p.target, p.before:
	case status.Signaled():
		t.Ends = append(t.Ends, status.Signal().String())
	default:
		t.Ends = append(t.Ends, strconv.Itoa(status.ExitStatus()))
	}
}

// stopped deals with one stop of a thread.
func (t *tracer) stopped(tid int, status syscall.WaitStatus) {
	th := t.threads[tid]
	isNew := th == nil
	if isNew {
		if th = t.adopt(tid); th == nil {
			syscall.PtraceCont(tid, 0)
			return
		}
	}
	switch sig := status.StopSignal(); {
	case sig == syscall.SIGTRAP|0x80:
		t.atCall(tid, th)
	case sig == syscall.SIGTRAP && status.TrapCause() == unix.PTRACE_EVENT_EXEC:
		for other, o := range t.threads {
			if o.of.pid == tid && other != tid {
				delete(t.threads, other)
			}
		}
		t.threads[tid] = &thread{of: t.enter(tid)}
	case sig == syscall.SIGTRAP && status.TrapCause() > 0:
	case isNew && sig == syscall.SIGSTOP:
	default:
		t.resume(tid, int(sig))
		return
	}
	t.resume(tid, 0)
}

// adopt finds out what a new thread belongs to.
func (t *tracer) adopt(tid int) *thread {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/status")
	if err != nil {
		return nil
	}
	field := func(name string) int {
		_, rest, _ := strings.Cut(string(text), "\n"+name+":\t")
		value, _, _ := strings.Cut(rest, "\n")
		n, _ := strconv.Atoi(value)
		return n
	}
	pid := field("Tgid")
	if t.processes[pid] == nil {
		p := &process{pid: pid, before: true}
		if parent := t.processes[field("PPid")]; parent != nil {
			p.program, p.target = parent.program, parent.target
		}
		t.processes[pid] = p
	}
	t.threads[tid] = &thread{of: t.processes[pid]}
	return t.threads[tid]
}

// resume has a thread go on, up to its next system call if it may matter.
func (t *tracer) resume(tid, sig int) {
	if th := t.threads[tid]; th != nil && th.of.target && (!t.over() || th.result != nil || th.restore != nil) {
		syscall.PtraceSyscall(tid, sig)
		return
	}
	syscall.PtraceCont(tid, sig)
}

// over reports whether nothing more is to be done to the program.
func (t *tracer) over() bool { return t.Hit && !strings.HasSuffix(t.Action, forGood) }

// callInfo is struct ptrace_syscall_info.
type callInfo struct {
	op     uint8
	_      [3]uint8
	arch   uint32
	ip, sp uint64
	number uint64 // or the result
	args   [6]uint64
	_      [4]uint64
}

const (
	getCallInfo = 0x420e
	atEntry     = 1
	atExit      = 2
)

func (t *tracer) atCall(tid int, th *thread) {
	var info callInfo
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, getCallInfo, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	switch {
	case errno != 0: // it was killed
	case info.op == atEntry:
		t.entry(tid, th, call{number: info.number, args: info.args, tid: tid})
	case info.op == atExit:
		t.exit(tid, th)
	}
}

// entry looks at a call that is about to be done.
func (t *tracer) entry(tid int, th *thread, c call) {
	if t.Action != learn && c.number != t.Number && !(t.Hit && strings.HasSuffix(t.Action, forGood)) {
		return
	}
	signature, k, ok := c.see()
	if !ok {
		return
	}
	t.counts[signature]++
	if t.Action == learn {
		t.Calls = append(t.Calls, seen{signature, c.number, t.counts[signature], k.errors, k.forGood(signature)})
		return
	}
	failing, goesOn := strings.CutSuffix(t.Action, forGood)
	again := t.Hit && goesOn && contains(k.forGood(signature), failing)
	if !again && (t.Hit || signature != t.Call || t.counts[signature] != t.Nth) {
		return
	}
	t.Hit = true
	switch failing {
	case kill:
		syscall.Kill(th.of.pid, syscall.SIGKILL)
	case short:
		t.change(tid, func(r *syscall.PtraceRegs) {
			old := c.args[k.length]
			*argument(r, k.length) = max(old/2, 1)
			th.restore = func(r *syscall.PtraceRegs) { *argument(r, k.length) = old }
		})
	default:
		result := -int64(numbers[failing])
		th.result = &result
		if !k.late {
			t.change(tid, func(r *syscall.PtraceRegs) { r.Orig_rax = ^uint64(0) })
		}
	}
}

// exit has a call return what it is to.
func (t *tracer) exit(tid int, th *thread) {
	if th.result != nil {
		t.change(tid, func(r *syscall.PtraceRegs) { r.Rax = uint64(*th.result) })
		th.result = nil
	}
	if th.restore != nil {
		t.change(tid, th.restore)
		th.restore = nil
	}
}

func (t *tracer) change(tid int, how func(*syscall.PtraceRegs)) {
	var r syscall.PtraceRegs
	if syscall.PtraceGetRegs(tid, &r) == nil {
		how(&r)
		syscall.PtraceSetRegs(tid, &r)
	}
}

func argument(r *syscall.PtraceRegs, n int) *uint64 {
	return []*uint64{&r.Rdi, &r.Rsi, &r.Rdx, &r.R10, &r.R8, &r.R9}[n]
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}
