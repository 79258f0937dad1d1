// Try confines itself as a program of the system does and then tries something.
//
//	try profile home act
//
// It prints "done", or why not. The act is done on a thread that was there before the
// confinement, which has to hold in all of them.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"goqmail/internal/confine"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Println("usage: try profile home act")
		os.Exit(100)
	}
	profile, home, name := os.Args[1], os.Args[2], os.Args[3]
	act, ok := acts[name]
	if !ok {
		fmt.Println("there is no act", name)
		os.Exit(100)
	}
	if err := lack(os.Getenv("TRY_WITHOUT")); err != nil {
		fmt.Println("lack:", err)
		os.Exit(100)
	}
	work, result := make(chan func() error), make(chan error)
	go func() {
		runtime.LockOSThread()
		for f := range work {
			result <- f()
		}
	}()
	work <- func() error { return nil }
	<-result
	enter(profile, home)
	work <- func() error { return act(home) }
	if err := <-result; err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("done")
}

// lack makes the kernel answer a system call with an error in all threads, as one
// that has not got it: "number error", or nothing.
func lack(what string) error {
	if what == "" {
		return nil
	}
	var number, errno uint32
	if _, err := fmt.Sscan(what, &number, &errno); err != nil {
		return err
	}
	code := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS},
		{Code: unix.BPF_JMP | unix.BPF_JEQ, K: number, Jf: 1},
		{Code: unix.BPF_RET, K: unix.SECCOMP_RET_ERRNO | errno},
		{Code: unix.BPF_RET, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	_, _, e := syscall.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if e != 0 {
		return e
	}
	return nil
}

func enter(profile, home string) {
	switch profile {
	case "qmail-clean":
		confine.Clean(filepath.Join(home, "queue")).Enter(home, profile, os.Stderr)
	case "qmail-queue -serve":
		confine.Queue(filepath.Join(home, "queue")).Enter(home, profile, os.Stderr)
	case "qmail-remote":
		confine.Remote(home).Enter(home, profile, os.Stderr)
	case "qmail-remote below qmail-rspawn":
		confine.Rspawn(home).Enter(home, profile, os.Stderr)
		confine.Remote(home).Enter(home, profile, os.Stderr)
	case "qmail-remote -serve":
		confine.Rspawn(home).Enter(home, profile, os.Stderr)
		confine.Staying(home).Enter(home, profile, os.Stderr)
	case "qmail-rspawn":
		confine.Rspawn(home).Enter(home, profile, os.Stderr)
	case "qmail-send":
		confine.Send(home).Enter(home, profile, os.Stderr)
	case "qmail-smtpd":
		confine.Receive().Enter(home, profile, os.Stderr)
	case "nothing":
	default:
		fmt.Println("there is no profile", profile)
		os.Exit(100)
	}
}

// acts are what is tried, in a home that the test has made.
var acts = map[string]func(home string) error{
	"read a message":           read("queue/mess/0/1"),
	"list messages":            list("queue/mess/0"),
	"list pid":                 list("queue/pid"),
	"read a control file":      read("control/me"),
	"read a linked one":        read("control/linked"),
	"read an address file":     read("users/cdb"),
	"read a file of the host":  func(string) error { return readFile("/etc/passwd") },
	"read alias's mail":        read("alias/Mailbox"),
	"read another file":        func(string) error { return readFile(user("file")) },
	"read a mailbox":           func(string) error { return readFile(user("Mailbox")) },
	"write a message":          write("queue/mess/0/1"),
	"cut a message":            func(home string) error { return os.Truncate(filepath.Join(home, "queue/mess/0/1"), 0) },
	"write info":               write("queue/info/0/1"),
	"write tcpto":              write("queue/lock/tcpto"),
	"write a control file":     write("control/me"),
	"write a mailbox":          func(string) error { return writeFile(user("Mailbox")) },
	"write to null":            func(string) error { return writeFile(os.DevNull) },
	"make a message":           create("queue/mess/0/2"),
	"make info":                create("queue/info/0/2"),
	"make a file in todo":      create("queue/todo/2"),
	"make a mail":              func(string) error { return createFile(user("Maildir/new/2")) },
	"make a file elsewhere":    func(string) error { return createFile(filepath.Join(os.TempDir(), fmt.Sprint("try", os.Getpid()))) },
	"pull the trigger":         write("queue/lock/trigger"),
	"make a link":              func(home string) error { return os.Symlink("x", filepath.Join(home, "queue/info/0/link")) },
	"move info":                func(home string) error { return os.Rename(home+"/queue/info/0/1", home+"/queue/bounce/1") },
	"move a message":           func(home string) error { return os.Rename(home+"/queue/mess/0/1", home+"/queue/info/0/9") },
	"remove a message":         remove("queue/mess/0/1"),
	"remove the envelope":      remove("queue/todo/1"),
	"remove info":              remove("queue/info/0/1"),
	"remove a mailbox":         func(string) error { return syscall.Unlink(user("Mailbox")) },
	"remove a control file":    remove("control/me"),
	"connect":                  connect,
	"take a port":              takePort,
	"bind to an address":       bindTo,
	"ask by UDP":               socket(unix.AF_INET, unix.SOCK_DGRAM),
	"a Unix socket":            socket(unix.AF_UNIX, unix.SOCK_STREAM),
	"ask for interfaces":       socket(unix.AF_NETLINK, unix.SOCK_RAW),
	"look at packets":          socket(unix.AF_PACKET, unix.SOCK_RAW),
	"a Bluetooth socket":       refused(unix.SYS_SOCKET, unix.AF_BLUETOOTH, unix.SOCK_RAW, 0),
	"start a program":          start,
	"become a program":         func(string) error { return syscall.Exec("/bin/echo", []string{"echo", "done"}, nil) },
	"start a set-uid program":  startSetUID,
	"make a thread":            threads,
	"tell the time":            func(string) error { _, err := time.LoadLocation("Europe/Amsterdam"); return err },
	"signal the parent":        func(string) error { return syscall.Kill(os.Getppid(), 0) },
	"signal itself":            func(string) error { return syscall.Kill(os.Getpid(), 0) },
	"trace the parent":         refused(unix.SYS_PTRACE, ^uintptr(0), uintptr(os.Getppid()), 0),
	"read the parent's memory": func(string) error { return readFile(fmt.Sprintf("/proc/%d/environ", os.Getppid())) },
	"become another user":      refused(unix.SYS_SETUID, 65534, 0, 0),
	"leave all groups":         refused(unix.SYS_SETGROUPS, 0, 0, 0),
	"a user name space":        refused(unix.SYS_UNSHARE, unix.CLONE_NEWUSER, 0, 0),
	"clone a name space":       refused(unix.SYS_CLONE, unix.CLONE_NEWNS|unix.CLONE_FS, 0, 0), // makes no sense, and so no child
	"mount":                    refused(unix.SYS_MOUNT, 0, 0, 0),
	"change the root":          refused(unix.SYS_CHROOT, 0, 0, 0),
	"load BPF":                 refused(unix.SYS_BPF, ^uintptr(0), 0, 0),
	"io_uring":                 refused(unix.SYS_IO_URING_SETUP, 0, 0, 0),
	"keys":                     refused(unix.SYS_KEYCTL, ^uintptr(0), 0, 0),
	"set the clock":            refused(unix.SYS_CLOCK_SETTIME, ^uintptr(0), 0, 0),
	"type for the user":        refused(unix.SYS_IOCTL, ^uintptr(0), unix.TIOCSTI, 0),
	"any other ioctl":          refused(unix.SYS_IOCTL, ^uintptr(0), unix.TCGETS, 0),
	"clone3":                   clone3,
}

// user is a file of a user's, outside of the home.
func user(name string) string { return filepath.Join(os.Getenv("TRY_USER"), name) }

func read(name string) func(string) error {
	return func(home string) error { return readFile(filepath.Join(home, name)) }
}

func readFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Read(make([]byte, 1))
	return err
}

func list(name string) func(string) error {
	return func(home string) error {
		_, err := os.ReadDir(filepath.Join(home, name))
		return err
	}
}

func write(name string) func(string) error {
	return func(home string) error { return writeFile(filepath.Join(home, name)) }
}

func writeFile(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("x")
	f.Close()
	return err
}

func create(name string) func(string) error {
	return func(home string) error { return createFile(filepath.Join(home, name)) }
}

func createFile(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(name)
}

func remove(name string) func(string) error {
	return func(home string) error { return syscall.Unlink(filepath.Join(home, name)) }
}

// connect goes to the port that the test listens on.
func connect(home string) error {
	var port int
	if _, err := fmt.Sscan(os.Getenv("TRY_PORT"), &port); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
}

// takePort takes a port of its own choice, to listen there.
func takePort(string) error { return bind(20000 + os.Getpid()%20000) }

// bindTo has the address chosen from which it connects, and the port not.
func bindTo(string) error { return bind(0) }

func bind(port int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
}

func socket(family, kind int) func(string) error {
	return func(string) error {
		fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	}
}

func start(string) error {
	process, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	if err != nil {
		return err
	}
	state, err := process.Wait()
	if err == nil && !state.Success() {
		err = fmt.Errorf("%v", state)
	}
	return err
}

// startSetUID starts a copy of id(1) that is set-uid to another user.
func startSetUID(home string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	process, err := os.StartProcess(filepath.Join(home, "bin/setuid-id"), []string{"id", "-u"}, &os.ProcAttr{Files: []*os.File{nil, w, nil}})
	w.Close()
	if err != nil {
		return err
	}
	var text [32]byte
	n, _ := r.Read(text[:])
	process.Wait()
	if got := strings.TrimSpace(string(text[:n])); got != "65534" {
		return fmt.Errorf("it runs as %q", got)
	}
	return nil
}

func threads(string) error {
	done := make(chan int)
	for range 20 {
		go func() {
			runtime.LockOSThread() // and the thread ends with it
			done <- unix.Gettid()
		}()
	}
	for range 20 {
		<-done
	}
	return nil
}

// refused makes a system call whose arguments make no sense, so that nothing happens
// if it is allowed: another error than that of confinement counts as done.
func refused(call, a, b, c uintptr) func(string) error {
	return func(string) error {
		_, _, errno := syscall.RawSyscall(call, a, b, c)
		if errno == syscall.EPERM {
			return errno
		}
		return nil
	}
}

func clone3(string) error {
	var none [8]uint64
	_, _, errno := syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&none)), 0, 0)
	if errno == syscall.ENOSYS {
		return errno
	}
	return nil
}
