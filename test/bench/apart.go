package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// apart is the environment variable that makes the program the first process of a
// host of its own, and says what it is to measure.
const apart = "BENCH_APART"

// errNoHost is that this machine does not let root have what a host of its own takes.
var errNoHost = errors.New("no host of its own")

// exitNoHost is the exit code then.
const exitNoHost = 77

// order is what is to be measured on one host.
type order struct {
	System     string
	Works      []string
	Bin, Peers string // folders of our programs, and of unpacked peers
	Group      string // folder of the control group for the system
	Scratch    string
	Messages   int           // at the most
	Limit      time.Duration // for these, however many
	ToDomains  int           // messages to 200 domains
	Recipients int
	AtOnce     int
	Places     int  // for remote deliveries, or 0 for more than are needed
	Trace      bool // count system calls in place of time

	Profile string // folder for profiles

	Step    string // of a full queue, in place of works
	Volume  string // where that queue is
	InQueue int    // messages in it
	Split   int
}

// measure starts a host, and gives what it measures to take. With ctx the host ends.
// Its files stay below o.Scratch: ext4 takes five minutes to forget inodes that were
// removed, and files are slow to make as long as there are many, so that the next host
// would pay for this one.
func measure(ctx context.Context, o order, take func(sample)) error {
	var err error
	if o.Scratch, err = os.MkdirTemp(o.Scratch, "bench"); err != nil {
		return err
	}
	if err := os.Chmod(o.Scratch, 0o755); err != nil {
		return err
	}
	top, err := controlGroups()
	if err != nil {
		return err
	}
	o.Group = filepath.Join(top, filepath.Base(o.Scratch))
	if err := os.Mkdir(o.Group, 0o755); err != nil {
		return err
	}
	defer os.Remove(o.Group)
	what, err := json.Marshal(o)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(os.Environ(), apart+"="+string(what))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var s sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			fmt.Fprintf(os.Stderr, "%s\n", lines.Text())
			continue
		}
		take(s)
	}
	err = cmd.Wait()
	if cmd.ProcessState.ExitCode() == exitNoHost {
		return errNoHost
	}
	return err
}

// controlGroups returns where control groups of version 2 are mounted.
func controlGroups() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == "cgroup2" {
			return fields[1], nil
		}
	}
	return "", errors.New("no control groups of version 2 are mounted")
}

// makeHost makes this process's own view of the files: the scratch folder is /mnt,
// and /usr and /etc can be written without anybody else seeing it.
func makeHost(o order) error {
	if os.Getpid() != 1 {
		return errNoHost
	}
	if err := unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return err
	}
	if err := mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	for _, dir := range []string{"over", "bin", "home", "peers", "qmail", "spool", "lib"} {
		dir = filepath.Join(o.Scratch, dir)
		if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, 0o755)); err != nil {
			return err
		}
	}
	if err := mount("tmpfs", filepath.Join(o.Scratch, "over"), "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	if err := errors.Join(overlay(o, "/usr"), overlay(o, "/etc")); err != nil {
		return err
	}
	if o.Profile != "" {
		at := filepath.Join(o.Scratch, "profile")
		if err := errors.Join(os.Mkdir(at, 0o755), bind(o.Profile, at)); err != nil {
			return err
		}
	}
	if o.Volume != "" {
		if err := mountVolume(o.Volume, filepath.Join(o.Scratch, "queue")); err != nil {
			return err
		}
	}
	if err := bindAll(o); err != nil {
		return err
	}
	for _, dir := range []string{"/var/log", "/var/run", "/var/tmp"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return errors.Join(mount("proc", "/proc", "proc", 0, ""), loopback())
}

// overlay lays a folder of memory over one of the host's, with that of the unpacked
// peer between.
func overlay(o order, dir string) error {
	lower := dir
	if root := peerFolder(o.Peers, o.System); root != "" {
		if _, err := os.Stat(root + dir); err == nil {
			lower = root + dir + ":" + dir
		}
	}
	upper := filepath.Join(o.Scratch, "over", dir)
	work := upper + ".work"
	if err := errors.Join(os.Mkdir(upper, 0o755), os.Mkdir(work, 0o755)); err != nil {
		return err
	}
	return mount("overlay", dir, "overlay", 0, "lowerdir="+lower+",upperdir="+upper+",workdir="+work)
}

// bindAll makes what is below the scratch folder, or below /var, reachable from
// /mnt before it hides /var, and puts folders on the disk in their places.
func bindAll(o order) error {
	below := func(name string) string { return filepath.Join(o.Scratch, name) }
	if _, err := os.Stat(o.Peers); err == nil {
		if err := bind(o.Peers, below("peers")); err != nil {
			return err
		}
	}
	if err := errors.Join(bind(o.Bin, below("bin")), bind(o.Scratch, "/mnt"), mount("tmpfs", "/var", "tmpfs", 0, "mode=755")); err != nil {
		return err
	}
	for from, to := range map[string]string{"home": "/home", "qmail": "/var/qmail", "spool": "/var/spool", "lib": "/var/lib"} {
		if err := errors.Join(os.MkdirAll(to, 0o755), bind("/mnt/"+from, to)); err != nil {
			return err
		}
	}
	return nil
}

func bind(from, to string) error { return mount(from, to, "", syscall.MS_BIND|syscall.MS_REC, "") }

func mount(from, to, kind string, flags uintptr, options string) error {
	if err := syscall.Mount(from, to, kind, flags, options); err != nil {
		return fmt.Errorf("mount %s: %w", to, err)
	}
	return nil
}

// loopback brings up the only network of the host.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return os.NewSyscallError("ioctl", unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr))
}
