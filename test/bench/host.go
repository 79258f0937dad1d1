package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// host is the one that a system is measured on; this process is its first.
type host struct {
	order
	group *os.File // control group of the system
	log   *os.File
}

// Where the system under test listens, and where it sends mail to: the sink, and,
// for domains in dead.test, a host that may be dead.
const (
	server   = "127.0.0.1:2525"
	sinkPort = "2526"
	deadPort = "2527"
)

// users is how many people have mailboxes: u0@here.test and so on.
const users = 10

// Accounts of the host, all that are needed by any of the systems.
var accounts = []struct {
	name     string
	uid, gid int
}{
	{"alias", 8601, 8651}, {"qmaild", 8602, 8651}, {"qmaill", 8603, 8651}, {"qmailp", 8604, 8651},
	{"qmailq", 8605, 8652}, {"qmailr", 8606, 8652}, {"qmails", 8607, 8652},
	{"postfix", 8611, 8611}, {"Debian-exim", 8613, 8613}, {"opensmtpd", 8614, 8614}, {"opensmtpq", 8615, 8615},
}

var groups = map[string]int{
	"root": 0, "tty": 5, "mail": 8, "nofiles": 8651, "qmail": 8652, "postfix": 8611, "postdrop": 8612,
	"Debian-exim": 8613, "opensmtpd": 8614, "opensmtpq": 8615, "nogroup": 65534,
}

func newHost(o order) (*host, error) {
	if err := makeHost(o); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoHost, err)
	}
	group, err := os.Open(o.Group)
	if err != nil {
		return nil, err
	}
	log, err := os.Create("/var/log/system")
	if err != nil {
		return nil, err
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil, os.NewSyscallError("getrlimit", err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil, os.NewSyscallError("setrlimit", err)
	}
	h := &host{o, group, log}
	return h, errors.Join(h.people(), write("/etc/hosts", "127.0.0.1 localhost here.test mx.here.test\n"),
		write("/etc/resolv.conf", "nameserver 127.0.0.1\n"), write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
		write("/etc/aliases", ""), os.NewSyscallError("sethostname", syscall.Sethostname([]byte("mx.here.test"))))
}

// people makes accounts and mailboxes.
func (h *host) people() error {
	passwd := "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
	group := ""
	for _, a := range accounts {
		home := "/"
		if a.name == "alias" {
			home = "/var/qmail/alias"
		}
		passwd += fmt.Sprintf("%s:x:%d:%d::%s:/bin/false\n", a.name, a.uid, a.gid, home)
	}
	for i := range users {
		name, uid := fmt.Sprintf("u%d", i), 8700+i
		passwd += fmt.Sprintf("%s:x:%d:%d::/home/%s:/bin/sh\n", name, uid, uid, name)
		group += fmt.Sprintf("%s:x:%d:\n", name, uid)
		for _, dir := range []string{"", "Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"} {
			dir = filepath.Join("/home", name, dir)
			if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, uid, uid)); err != nil {
				return err
			}
		}
	}
	for name, gid := range groups {
		group += fmt.Sprintf("%s:x:%d:\n", name, gid)
	}
	return errors.Join(write("/etc/passwd", passwd), write("/etc/group", group))
}

func write(name, text string) error {
	os.Remove(name) // it may be a link to what is not there
	return os.WriteFile(name, []byte(text), 0o644)
}

func maildirs() (folders []string) {
	for i := range users {
		folders = append(folders, fmt.Sprintf("/home/u%d/Maildir/new", i))
	}
	return folders
}

// command is a program of the system under test.
func (h *host) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/var/qmail/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	if h.Profile != "" {
		cmd.Env = append(cmd.Env, "GOQMAIL_PROFILE=/mnt/profile")
	}
	cmd.Stdout, cmd.Stderr = h.log, h.log
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(h.group.Fd())}
	return cmd
}

// as is a program of the system under test that one of its accounts runs.
func (h *host) as(account, program string, args ...string) *exec.Cmd {
	cmd := h.command(program, args...)
	for _, a := range accounts {
		if a.name == account {
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
		}
	}
	return cmd
}

// run runs a program to its end, outside of what is measured.
func (h *host) run(program string, args ...string) error {
	cmd := h.command(program, args...)
	cmd.SysProcAttr = nil
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", cmd, err)
	}
	return nil
}

// ready returns when the system greets.
func (h *host) ready() error {
	var err error
	for range 300 {
		s := &source{address: server}
		if err = s.open(); err == nil {
			s.close()
			return nil
		}
		if s.conn != nil {
			s.conn.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("%s does not greet: %w", h.System, err)
}

// processorTime is what all processes of the system have used, those that have
// ended too.
func (h *host) processorTime() (time.Duration, error) {
	stat, err := os.ReadFile(filepath.Join(h.Group, "cpu.stat"))
	if err != nil {
		return 0, err
	}
	usec, err := field(string(stat), "usage_usec")
	return time.Duration(usec) * time.Microsecond, err
}

// field is the number behind a name at the beginning of a line.
func field(text, name string) (int, error) {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			return strconv.Atoi(fields[1])
		}
	}
	return 0, fmt.Errorf("no %s", name)
}

// processes are those of the system.
func (h *host) processes() (pids []string) {
	text, _ := os.ReadFile(filepath.Join(h.Group, "cgroup.procs"))
	return strings.Fields(string(text))
}

// memory is the proportional set size of all processes of the system, in MB.
func (h *host) memory() float64 {
	sum := 0
	for _, pid := range h.processes() {
		rollup, _ := os.ReadFile("/proc/" + pid + "/smaps_rollup")
		kb, _ := field(string(rollup), "Pss:")
		sum += kb
	}
	return float64(sum) / 1024
}

// settle returns when the system has nothing more to do, or after 5 seconds.
func (h *host) settle() { h.settleIn(5 * time.Second) }

func (h *host) settleIn(limit time.Duration) {
	last, _ := h.processorTime()
	for range limit / (100 * time.Millisecond) {
		time.Sleep(100 * time.Millisecond)
		now, _ := h.processorTime()
		if now-last < 2*time.Millisecond {
			return
		}
		last = now
	}
}
