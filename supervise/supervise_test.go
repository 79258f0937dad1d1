package supervise

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bench is a tool whose programs are recorded and answer what they are told to.
type bench struct {
	*Tool
	t       *testing.T
	calls   []string
	answers map[string]string // by the beginning of the command line; a number at the end is an exit code
	errors  strings.Builder
	pid     int
	slept   int
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, answers: map[string]string{}}
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	now := time.Unix(1e9, 0)
	b.Tool = &Tool{
		Home: "/home", Root: t.TempDir(), Out: out, Errors: &b.errors, Limit: time.Second, Run: b.run,
		Holder: func() (int, error) {
			if b.pid == 0 {
				return 0, errors.New("nobody has the queue")
			}
			return b.pid, nil
		},
		Kill: func(pid int, signal string) error {
			b.calls = append(b.calls, fmt.Sprintf("kill %d %s", pid, signal))
			return nil
		},
		Now:   func() time.Time { return now },
		Sleep: func(d time.Duration) { b.slept++; now = now.Add(d) },
	}
	return b
}

func (b *bench) run(argv []string, _, stdout *os.File) (code int, err error) {
	line := strings.Join(argv, " ")
	b.calls = append(b.calls, line)
	for start, answer := range b.answers {
		if strings.HasPrefix(line, start) {
			if strings.HasPrefix(answer, "exit ") {
				fmt.Sscanf(answer, "exit %d", &code)
				return code, nil
			}
			_, err := stdout.WriteString(answer)
			return 0, err
		}
	}
	return 0, nil
}

func (b *bench) output() string {
	data, err := os.ReadFile(b.Out.Name())
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

// did fails unless those commands alone were run.
func (b *bench) did(code int, line string, want ...string) {
	b.t.Helper()
	b.calls = nil
	b.errors.Reset()
	if got := b.Main(strings.Fields(line)); got != code {
		b.t.Errorf("qmailctl %s: exit code %d, want %d: %s", line, got, code, b.errors.String())
	}
	if !slices.Equal(b.calls, want) {
		b.t.Errorf("qmailctl %s runs\n\t%s\nwant\n\t%s", line, strings.Join(b.calls, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func (b *bench) write(name, text string) {
	b.t.Helper()
	name = filepath.Join(b.Root, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// newSystemd is a host with systemd, and with units of which some are enabled.
func newSystemd(t *testing.T) *bench {
	b := newBench(t)
	b.write("run/systemd/system/x", "")
	b.write("lib/systemd/system/goqmail.service", "")
	b.answers["systemctl list-unit-files"] = `goqmail-check.service disabled enabled
goqmail-pop3d.socket disabled enabled
goqmail-pop3d@.service static -
goqmail-qmqpd.socket masked enabled
goqmail-smtpd.service static -
goqmail.service enabled enabled
goqmail-smtpd.socket enabled enabled
goqmail-check.timer enabled enabled
`
	return b
}

const listFiles = "systemctl list-unit-files --no-legend --no-pager goqmail*"

func state(names ...string) (all []string) {
	for _, name := range names {
		all = append(all, "systemctl list-units --all --plain --no-legend --no-pager "+name+".service "+name+".socket")
	}
	return all
}

func TestSystemdCalls(t *testing.T) {
	b := newSystemd(t)
	b.did(0, "start", listFiles, listFiles, "systemctl start goqmail.service goqmail-smtpd.socket")
	b.did(0, "start smtpd", listFiles, listFiles, "systemctl start goqmail-smtpd.socket")
	b.did(111, "start pop3d", listFiles, listFiles) // it is not enabled
	b.did(111, "start qmqpd", listFiles)            // it is masked
	stop := []string{listFiles, listFiles, "systemctl stop goqmail.service goqmail-pop3d.socket goqmail-smtpd.socket goqmail-smtpd.service"}
	b.did(0, "stop", append(stop, state("goqmail-smtpd", "goqmail-pop3d", "goqmail")...)...)
	b.did(0, "reload", listFiles, "systemctl reload goqmail.service")
	b.did(0, "flush", "/home/bin/qmail-tcpok", listFiles, "systemctl kill --signal=ALRM --kill-who=main goqmail.service")
	b.answers["systemctl is-active goqmail-smtpd.service"] = "exit 3" // nobody has connected yet
	b.answers["systemctl is-active goqmail-pop3d.service"] = "exit 4"
	b.did(0, "pause", listFiles,
		"systemctl kill --signal=STOP --kill-who=main goqmail.service",
		"systemctl is-active goqmail-pop3d.service", "systemctl is-active goqmail-smtpd.service")
	delete(b.answers, "systemctl is-active goqmail-smtpd.service")
	b.did(0, "cont goqmail-smtpd", listFiles,
		"systemctl is-active goqmail-smtpd.service", "systemctl kill --signal=CONT --kill-who=main goqmail-smtpd.service")
	b.did(0, "queue", "/home/bin/qmail-qstat", "/home/bin/qmail-qread")
}

func TestSystemdStat(t *testing.T) {
	b := newSystemd(t)
	stat := append([]string{listFiles}, append(state("goqmail", "goqmail-pop3d", "goqmail-smtpd"), "/home/bin/qmail-qstat")...)
	b.did(NotRunning, "stat", stat...)
	b.answers["systemctl list-units --all --plain --no-legend --no-pager goqmail.service"] = "goqmail.service loaded active running Mail delivery\n"
	b.did(0, "stat", stat...)
	if out := b.output(); !strings.HasSuffix(out, "goqmail.service loaded active running Mail delivery\n") {
		t.Errorf("stat prints\n%s", out)
	}
	if out := b.output(); strings.Contains(out, "smtpd") || !strings.HasPrefix(out, "goqmail: inactive\n") {
		t.Errorf("stat prints\n%s", out)
	}
	b.did(NotRunning, "stat smtpd", append([]string{listFiles}, append(state("goqmail-smtpd"), "/home/bin/qmail-qstat")...)...)
}

func TestSystemdFails(t *testing.T) {
	b := newSystemd(t)
	b.answers["systemctl start"] = "exit 1"
	b.did(111, "start send", listFiles, listFiles, "systemctl start goqmail.service")
	b.answers["systemctl list-unit-files"] = "other.service enabled enabled\n"
	b.did(111, "stop", listFiles)
	b.answers["systemctl list-unit-files"] = "exit 1"
	b.did(111, "stop", listFiles)
}

func TestUnsupervised(t *testing.T) {
	b := newBench(t)
	b.did(111, "start")
	b.did(111, "reload")
	b.did(NotRunning, "stat", "/home/bin/qmail-qstat")
	b.pid = 42
	b.did(0, "stat", "/home/bin/qmail-qstat")
	b.did(0, "reload", "kill 42 HUP")
	b.did(0, "doqueue", "/home/bin/qmail-tcpok", "kill 42 ALRM")
	b.did(0, "pause", "kill 42 STOP")
	b.did(0, "cont", "kill 42 CONT")
	b.did(111, "stop", "kill 42 TERM", "kill 42 CONT") // it does not end within the limit
	if want := int(b.Limit / unsettled); b.slept != want {
		t.Errorf("looked %d times, want %d", b.slept, want)
	}
	b.did(0, "-w 0 stop", "kill 42 TERM", "kill 42 CONT")
	b.did(111, "pause smtpd")
}

func TestUsage(t *testing.T) {
	for _, line := range []string{"", "begin", "-x", "-w", "-w x stat", "-w -1 stat", "-s cron stat", "reload smtpd", "queue all", "flush send"} {
		b := newBench(t)
		b.pid = 42
		b.did(100, line)
		if b.errors.String() != Usage {
			t.Errorf("qmailctl %s says %q", line, b.errors.String())
		}
	}
	b := newBench(t)
	b.did(0, "help")
	if b.output() != Usage {
		t.Errorf("help prints %q", b.output())
	}
}

func TestTables(t *testing.T) {
	b := newBench(t)
	b.did(111, "cdb")
	b.write("etc/tcp.smtp", ":allow\n")
	b.write("etc/tcp.smtp.cdb", "")
	b.write("etc/tcp.mine", "")
	file := filepath.Join(b.Root, "etc/tcp.smtp")
	b.did(0, "cdb", "tcprules "+file+".cdb "+file+".tmp")
	if st, err := os.Stat(file + ".cdb"); err != nil || st.Mode() != 0o644 {
		t.Errorf("the table: %v, %v", st, err)
	}
	b.answers["tcprules"] = "exit 111"
	b.did(111, "cdb "+file, "tcprules "+file+".cdb "+file+".tmp")
	b.did(111, "cdb "+file+".none")
}

// makeService makes a service as a supervisor leaves it, and looks after it.
func (b *bench) makeService(folder string, fifo string, others ...string) {
	b.t.Helper()
	b.write(folder+"/qmail-send/run", "")
	for _, name := range others {
		b.write(folder+"/qmail-send/supervise/"+name, "")
	}
	name := filepath.Join(b.Root, folder, "qmail-send/supervise", fifo)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		b.t.Fatal(err)
	}
	reader, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { reader.Close() })
}

func TestFind(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(b *bench)
		line string
		code int
		want string // the program that shows the state
	}{
		{"daemontools", func(b *bench) { b.makeService("service", "ok", "status") }, "hup", 0, "svc -h"},
		{"runit", func(b *bench) { b.makeService("etc/service", "ok", "stat", "pid") }, "hup", 0, "sv hup"},
		{"s6", func(b *bench) { b.makeService("run/service", "control", "status") }, "hup", 0, "s6-svc -h"},
		{"s6, wanted", func(b *bench) { b.makeService("run/service", "control", "status") }, "-s s6 hup", 0, "s6-svc -h"},
		{"not the wanted one", func(b *bench) { b.makeService("run/service", "control", "status") }, "-s runit hup", 111, ""},
		{"nobody looks after the first", func(b *bench) {
			b.write("service/qmail-send/run", "")
			b.makeService("etc/service", "ok", "stat")
		}, "hup", 0, "sv hup"},
		{"nobody looks after it", func(b *bench) { b.write("service/qmail-send/run", "") }, "hup", 111, ""},
		{"a folder wins over systemd", func(b *bench) {
			b.write("run/systemd/system/x", "")
			b.write("lib/systemd/system/goqmail.service", "")
			b.makeService("service", "ok", "status")
		}, "hup", 0, "svc -h"},
		{"where runit's variable says", func(b *bench) {
			b.makeService("mine", "ok", "stat")
			b.makeService("service", "ok", "status")
			b.First = filepath.Join(b.Root, "mine")
		}, "hup", 0, "sv hup"},
		{"the variable is about other services", func(b *bench) {
			b.makeService("service", "ok", "status")
			b.First = "/nowhere"
		}, "hup", 0, "svc -h"},
		{"nowhere", func(b *bench) {}, "-d /nowhere hup", 111, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			tt.make(b)
			code := b.Main(strings.Fields(tt.line))
			if got := strings.Join(b.calls, "; "); code != tt.code || !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("exit code %d, runs %q; want %d, %q: %s", code, got, tt.code, tt.want, b.errors.String())
			}
		})
	}
}

func TestServices(t *testing.T) {
	b := newBench(t)
	b.makeService("service", "ok", "status")
	for _, name := range []string{"qmail-pop3d", "qmail-alone", "dnscache"} {
		b.write("service/"+name+"/run", "")
	}
	b.write("service/qmail-none/x", "")
	dir := filepath.Join(b.Root, "service") + "/"
	b.did(0, "pause", "svc -p "+dir+"qmail-send", "svc -p "+dir+"qmail-alone", "svc -p "+dir+"qmail-pop3d")
	b.did(0, "pause pop3d qmail-send", "svc -p "+dir+"qmail-pop3d", "svc -p "+dir+"qmail-send")
	b.did(111, "pause dnscache")
	b.answers["svstat"] = "x: up (pid 7) 1 seconds\n"
	b.did(0, "start pop3d", "svc -u "+dir+"qmail-pop3d", "svstat "+dir+"qmail-pop3d")
	b.did(111, "stop pop3d", append([]string{"svc -d " + dir + "qmail-pop3d"}, slices.Repeat([]string{"svstat " + dir + "qmail-pop3d"}, 21)...)...)
	b.answers["svc"] = "exit 111"
	b.did(111, "pause pop3d", "svc -p "+dir+"qmail-pop3d")
}

// What svstat, sv status and s6-svstat print.
func TestIsUp(t *testing.T) {
	for _, tt := range []struct {
		tools tools
		text  string
		want  bool
	}{
		{daemontools, "/service/x: up (pid 12) 3 seconds\n", true},
		{daemontools, "/service/x: up (pid 12) 3 seconds, want down\n", true},
		{daemontools, "/service/x: up (pid 12) 3 seconds, normally down, paused\n", true},
		{daemontools, "/service/x: down 3 seconds, normally up\n", false},
		{daemontools, "/service/x: unable to open supervise/ok: file does not exist\n", false},
		{runit, "run: /service/x: (pid 12) 3s; run: log: (pid 11) 9s\n", true},
		{runit, "run: /service/x: (pid 12) 3s, want down, got TERM; run: log: (pid 11) 9s\n", true},
		{runit, "finish: /service/x: (pid 12) 0s\n", true},
		{runit, "down: /service/x: 3s, normally up; run: log: (pid 11) 9s\n", false},
		{s6, "up (pid 12 pgid 12) 3 seconds\n", true},
		{s6, "down (exitcode 0) 3 seconds, normally up, ready 3 seconds\n", false},
	} {
		if got := tt.tools.isUp(tt.text); got != tt.want {
			t.Errorf("isUp(%q) = %v", tt.text, got)
		}
	}
}
