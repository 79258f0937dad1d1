package privileges

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/testhost"
)

// process is a row of the table: who a program is, and what it has.
type process struct {
	uid      string // real and effective, if they are not the same
	gid      string
	groups   string
	caps     string // "all" or "none"
	umask    string
	folder   string
	env      string // names of variables
	files    string // descriptors, without those of the runtime: "0<pipe 1>pipe 2>err"; those that the program has opened by what they are
	confined string
}

// Environments of the system's programs.
const (
	asStarted  = "LEAK PATH"                       // what qmail-start was given, without QMAILHOME
	ofSend     = "LEAK PATH QMAILFENCE"            // and from qmail-start, for whom it works
	ofSpawners = "LEAK PATH QMAILFENCE QMAILSLOTS" // and how many deliveries there may be
	ofCommand  = "DTLINE EXT EXT2 EXT3 EXT4 HOME HOST HOST2 HOST3 HOST4 LEAK LOCAL NEWSENDER PATH RECIPIENT RPLINE SENDER UFLINE USER"
)

// Confinement.
const (
	free  = "no"
	whole = "no_new_privs seccomp"
)

// processes are all that run while one local and one remote delivery are under way,
// a user is being looked up and a message is being queued.
var processes = map[string]process{
	"cat": {"qmaill", "nofiles", "nofiles", "none", "0077", "/", asStarted, "0<pipe 1>out 2>err", free}, // the logger
	"qmail-send": {"qmails", "qmail", "qmail", "none", "0077", "/", ofSend,
		"0>pipe 1>pipe 2<pipe 3>pipe 4<pipe 5>pipe 6<pipe 7>pipe lock/sendmutex lock/trigger lock/trigger pipe socket", whole},
	"qmail-lspawn":        {"root", "qmail", "qmail", "all", "0077", home, ofSpawners, "0<pipe 1>pipe 2>err lock message message pipe pipe socket", free},
	"qmail-getpw":         {"qmailp", "nofiles", "nofiles", "none", "0077", home, asStarted, "0<null 1>pipe 2>err", free},
	"qmail-local":         {"pat", "pat", "pat", "none", "0077", home, asStarted, "0<message 1>pipe 2>pipe", free},
	"qmail-local -serve":  {"pat", "pat", "pat", "none", "0077", home, asStarted, "1>null 2>null socket", free},
	"sh":                  {"pat", "pat", "pat", "none", "0077", "/home/pat", ofCommand, "0<message 1>pipe 2>pipe", free},
	"qmail-rspawn":        {"qmailr", "qmail", "qmail keys", "none", "0077", home + "/queue/mess", ofSpawners, "0<pipe 1>pipe 2>err lock socket", whole},
	"qmail-remote -serve": {"qmailr", "qmail", "qmail keys", "none", "0077", home, asStarted, "1>null 2>null message socket socket", whole},
	"qmail-clean":         {"qmailq", "qmail", "qmail", "none", "0077", "/", ofSpawners, "0<pipe 1>pipe 2>err lock", whole},
	"qmail-queue -serve":  {"qmailq", "qmail", "qmail", "none", "0033", "/", ofSpawners, "0<pipe 1>err 2>err pid socket", whole},
	"qmail-queue":         {"eve qmailq", "eve", "eve", "none", "0033", "/home/eve", "HOME", "0<pipe 1<pipe 2>null message", free},
}

// names are those of the host's users and groups, which have no number in common.
func names(ids []string) string {
	var all []string
	for _, id := range ids {
		name := id
		for line := range strings.Lines(testhost.Passwd() + testhost.Group()) {
			if f := strings.Split(line, ":"); f[2] == id {
				name = f[0]
				break
			}
		}
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return strings.Join(all, " ")
}

// look reads what /proc says of a process.
func look(t *testing.T, pid int, out, err string) (name string, p process) {
	t.Helper()
	proc := proc(pid)
	status := statusOf(t, proc+"/status")
	tasks, e := filepath.Glob(proc + "/task/*/status")
	must(t, e)
	for _, task := range tasks {
		one := statusOf(t, task)
		for _, field := range []string{"Uid", "Gid", "Groups", "CapEff", "CapPrm", "NoNewPrivs", "Seccomp"} {
			if one[field] != status[field] {
				t.Errorf("%s of a thread of %s is %q, and %q of another", field, status["Name"], one[field], status[field])
			}
		}
	}
	p = process{
		uid: names(strings.Fields(status["Uid"])), gid: names(strings.Fields(status["Gid"])),
		groups: names(strings.Fields(status["Groups"])), umask: status["Umask"], caps: "all", confined: free,
	}
	if strings.Trim(status["CapPrm"]+status["CapEff"]+status["CapInh"]+status["CapAmb"], "0") == "" {
		p.caps = "none"
	}
	if status["NoNewPrivs"] == "1" && status["Seccomp"] == "2" {
		p.confined = whole
	}
	// One filter, be it inherited, and no more: they take time.
	if got, mine := filters(status), filters(statusOf(t, "/proc/self/status")); got > mine+1 {
		t.Errorf("%s has %d filters of system calls more than this test", status["Name"], got-mine)
	}
	p.folder, e = os.Readlink(proc + "/cwd")
	must(t, e)
	env, e := os.ReadFile(proc + "/environ")
	must(t, e)
	p.env = variables(string(env))
	p.files = filesOf(t, proc, out, err)
	name = status["Name"]
	if args, _ := os.ReadFile(proc + "/cmdline"); strings.HasSuffix(string(args), "\x00-serve\x00") {
		name += " -serve"
	}
	return name, p
}

func filters(status map[string]string) int {
	n, _ := strconv.Atoi(status["Seccomp_filters"]) // from Linux 5.9 on
	return n
}

func statusOf(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return nil
	}
	must(t, err)
	status := map[string]string{}
	for line := range strings.Lines(string(text)) {
		field, value, _ := strings.Cut(line, ":")
		status[field] = strings.TrimSpace(value)
	}
	return status
}

func variables(environ string) string {
	var all []string
	for _, entry := range strings.Split(strings.TrimSuffix(environ, "\x00"), "\x00") {
		name, _, _ := strings.Cut(entry, "=")
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// filesOf lists the open files of a process. A number is told of the first eight: the
// others are its own, whatever their number.
func filesOf(t *testing.T, proc, out, err string) string {
	t.Helper()
	entries, e := os.ReadDir(proc + "/fd")
	must(t, e)
	var first, others []string
	for _, entry := range entries {
		target, e := os.Readlink(proc + "/fd/" + entry.Name())
		if e != nil {
			continue // closed by now
		}
		info, e := os.ReadFile(proc + "/fdinfo/" + entry.Name())
		must(t, e)
		if ofRuntime(target) && flagsOf(string(info))&syscall.O_CLOEXEC != 0 {
			continue
		}
		what := kindOf(target, out, err)
		if n, _ := strconv.Atoi(entry.Name()); n < 8 && what != "socket" && !strings.HasPrefix(what+"/", "lock/") && what != "pid" && !(n > 2 && what == "message") {
			what = entry.Name() + direction(string(info)) + what
			first = append(first, what)
			continue
		}
		others = append(others, what)
	}
	slices.Sort(first)
	slices.Sort(others)
	return strings.Join(append(first, others...), " ")
}

// ofRuntime reports whether Go's runtime opens that in any program.
func ofRuntime(target string) bool {
	return strings.HasPrefix(target, "anon_inode:") || strings.HasPrefix(target, "/sys/fs/cgroup/") || target == "/proc/self/auxv"
}

// direction is < for what is read, > for what is written.
func direction(fdinfo string) string {
	if flagsOf(fdinfo)&syscall.O_ACCMODE == syscall.O_RDONLY {
		return "<"
	}
	return ">"
}

func flagsOf(fdinfo string) int64 {
	_, rest, _ := strings.Cut(fdinfo, "flags:")
	flags, _ := strconv.ParseInt(strings.Fields(rest)[0], 8, 64)
	return flags
}

func kindOf(target, out, err string) string {
	switch below, _ := strings.CutPrefix(target, home+"/queue/"); {
	case target == out:
		return "out"
	case target == err:
		return "err"
	case target == os.DevNull:
		return "null"
	case strings.HasPrefix(target, "pipe:"):
		return "pipe"
	case strings.HasPrefix(target, "socket:"):
		return "socket"
	case strings.HasPrefix(below, "mess/"), strings.HasPrefix(below, "pid/"):
		return "message"
	default:
		return below
	}
}

// TestProcesses starts the system as a careless administrator would, has every
// program of it run at the same time, and looks at each.
func TestProcesses(t *testing.T) {
	if !onHost(t) {
		return
	}
	remote, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer remote.Close()
	must(t, os.WriteFile(home+"/control/confine", []byte("2\n"), 0o644))
	must(t, os.WriteFile(home+"/control/smtproutes", []byte(":"+remote.Addr().String()+"\n"), 0o644))
	for name, uid := range map[string]int{"/home/pat/ready": pat, "/home/pat/go": pat, "/var/ready": qmailp, "/var/go": qmailp} {
		testhost.FIFO(t, name, uid)
	}
	must(t, os.WriteFile("/home/pat/.qmail", []byte("|echo >ready; read x <go; exit 0\n"), 0o644))
	// Who is asked about eve waits; about pat it is the real one.
	getpw, err := os.ReadFile(home + "/bin/qmail-getpw")
	must(t, err)
	testhost.Place(t, "getpw", getpw)
	testhost.Place(t, "qmail-getpw", []byte("#!/bin/sh\n[ $1 != eve ] || { echo >/var/ready; read x </var/go; }\nexec /var/qmail/bin/getpw $1\n"))

	log := testhost.NewLog()
	start, out, errs := startSystem(t, log)
	log.Wait(t, "status: local 0/10 remote 0/20\n", 1)
	for _, program := range []string{"send", "rspawn", "clean", "queue"} { // not at once
		log.Wait(t, "qmail-"+program+": confined by no_new_privs", 1)
	}
	queueMessage(t, "pat@here.test")
	testhost.Told(t, "/home/pat/ready")
	queueMessage(t, "eve@here.test")
	testhost.Told(t, "/var/ready")
	queueMessage(t, "joe@elsewhere.test")
	conn, err := remote.Accept()
	must(t, err)
	defer conn.Close()
	defer queueing(t)()

	seen := map[string]process{}
	for _, pid := range pids(t) {
		if pid == os.Getpid() {
			continue
		}
		name, p := look(t, pid, out, errs)
		if name == "qmail-getpw" {
			p.files = strings.TrimSuffix(p.files, " "+home+"/bin/qmail-getpw") // it is a script, here
		}
		seen[name] = p
		if want, ok := processes[name]; !ok {
			t.Errorf("%s is not in the table: %+v", name, p)
		} else if p != want {
			t.Errorf("%s is not as in the table:\ngot  %+v\nwant %+v", name, p, want)
		}
	}
	for name := range processes {
		if _, ok := seen[name]; !ok {
			t.Errorf("%s does not run", name)
		}
	}
	pipesAreHeldByTwo(t, start)
	must(t, syscall.Kill(start, syscall.SIGTERM))
}

// startSystem runs qmail-start with a logger, with variables, descriptors, groups, a
// mask and a folder that nobody else should get to see. It returns the process id,
// and what the descriptors 1 and 2 are called in /proc.
func startSystem(t *testing.T, log *testhost.Log) (pid int, out, errs string) {
	t.Helper()
	outR, outW, err := os.Pipe()
	must(t, err)
	errR, errW, err := os.Pipe()
	must(t, err)
	secret, err := os.Open("/etc/shadow")
	must(t, err)
	cmd := exec.Command(home+"/bin/qmail-start", "./Mailbox", "cat")
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LEAK=of the administrator", "QMAILHOME=/tmp"}
	cmd.Dir = "/root"
	cmd.Stdout, cmd.Stderr = outW, errW
	cmd.ExtraFiles = []*os.File{secret, secret, secret, secret, secret, secret, secret, secret, secret}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{0, wheel}}}
	syscall.Umask(0)
	must(t, cmd.Start())
	syscall.Umask(0o022)
	out, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", outW.Fd()))
	must(t, err)
	errs, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", errW.Fd()))
	must(t, err)
	for _, f := range []*os.File{outW, errW, secret} {
		f.Close()
	}
	go copyTo(log, outR)
	go copyTo(log, errR)
	return cmd.Process.Pid, out, errs
}

func copyTo(log *testhost.Log, from *os.File) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		log.Write(buf[:n])
		if err != nil {
			return
		}
	}
}

// queueMessage queues a message as root.
func queueMessage(t *testing.T, recipient string) {
	t.Helper()
	in, envelope := pipeWith(t, "Subject: s\n\nb\n"), pipeWith(t, "Feve@here.test\x00T"+recipient+"\x00\x00")
	cmd := exec.Command(home + "/bin/qmail-queue")
	cmd.Stdin, cmd.Stdout = in, envelope
	must(t, cmd.Run())
	in.Close()
	envelope.Close()
}

// pipeWith returns the end of a pipe from which a text can be read.
func pipeWith(t *testing.T, text string) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	_, err = w.WriteString(text)
	must(t, err)
	must(t, w.Close())
	return r
}

// queueing has eve queue a message that does not come to its end until the function
// is called that is returned.
func queueing(t *testing.T) (end func()) {
	t.Helper()
	message, to, err := os.Pipe()
	must(t, err)
	envelope, env, err := os.Pipe()
	must(t, err)
	cmd := exec.Command(home + "/bin/qmail-queue")
	cmd.Env, cmd.Dir = []string{"HOME=/home/eve"}, "/home/eve"
	cmd.SysProcAttr = testhost.As(eve, eve)
	cmd.Stdin, cmd.Stdout = message, envelope
	must(t, cmd.Start())
	message.Close()
	envelope.Close()
	// More than a pipe holds: once this is written, it is being read.
	_, err = to.WriteString(strings.Repeat("x", 1<<20))
	must(t, err)
	return func() {
		to.Close()
		env.Close()
		cmd.Wait()
	}
}

// pids are those of all processes that have not ended.
func pids(t *testing.T) []int {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*")
	must(t, err)
	var all []int
	for _, name := range names {
		pid, _ := strconv.Atoi(filepath.Base(name))
		if status := statusOf(t, name+"/status"); status != nil && !strings.HasPrefix(status["State"], "Z") {
			all = append(all, pid)
		}
	}
	return all
}

// pipesAreHeldByTwo checks that an end of a pipe between qmail-send and the others
// is held by one process: else it would not end when that does.
func pipesAreHeldByTwo(t *testing.T, send int) {
	t.Helper()
	holders := map[string][]string{}
	for _, pid := range pids(t) {
		proc := proc(pid)
		entries, err := os.ReadDir(proc + "/fd")
		must(t, err)
		for _, entry := range entries {
			target, err := os.Readlink(proc + "/fd/" + entry.Name())
			if err != nil || !strings.HasPrefix(target, "pipe:") {
				continue
			}
			info, err := os.ReadFile(proc + "/fdinfo/" + entry.Name())
			must(t, err)
			end := direction(string(info)) + target
			if name := fmt.Sprint(statusOf(t, proc+"/status")["Name"], pid); !slices.Contains(holders[end], name) {
				holders[end] = append(holders[end], name)
			}
		}
	}
	for fd := range 8 {
		target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", send, fd))
		must(t, err)
		for _, end := range []string{"<" + target, ">" + target} {
			if len(holders[end]) != 1 {
				t.Errorf("%s, descriptor %d of qmail-send, is held by %q", end, fd, holders[end])
			}
		}
	}
}

func proc(pid int) string { return "/proc/" + strconv.Itoa(pid) }
