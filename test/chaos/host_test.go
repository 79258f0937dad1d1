package chaos

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"goqmail/queue"
)

// Users and groups of the host.
const (
	qmailq  = 8605
	qmailr  = 8606
	qmails  = 8607
	nofiles = 8651
	qmail   = 8652
)

// accounts of the system.
var accounts = map[string][2]int{
	"alias": {8601, nofiles}, "qmaild": {8602, nofiles}, "qmaill": {8603, nofiles}, "qmailp": {8604, nofiles},
	"qmailq": {qmailq, qmail}, "qmailr": {qmailr, qmail}, "qmails": {qmails, qmail},
}

// people are those who get mail, by their .qmail files.
var people = map[string]map[string]string{
	"ann": {}, // the usual delivery, to a maildir
	"bob": {".qmail": "./Mailbox\n"},
	"cyd": {".qmail": "|f=`mktemp got/XXXXXXXXXX` && cat >$f && mv $f done/\n"},
	"dan": {".qmail-default": "./Maildir/\n"}, // of a virtual domain
	"eve": {".qmail": "&fay@here.test\n&pal@far.test\n"},
	"fay": {},
	"gus": {".qmail": "|echo 'Not here.'; exit 100\n"},
	"lst": {".qmail-ret-default": "./Maildir/\n"}, // the bounces of a list
	"snd": {},                                     // those of all others
	"job": {},                                     // sends mail
}

// folders of each person.
var folders = []string{"", "Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur", "got", "done"}

const (
	firstUID = 8701
	home     = "/var/qmail"
	smtpPort = "127.0.0.1:25"
	qmtpPort = "127.0.0.1:209"
	sinkPort = "127.0.0.1:2526"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// makeHost makes what is to be different from the real host. This process has name
// spaces of its own.
func makeHost(t *testing.T) {
	t.Helper()
	must(t, unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC))
	must(t, syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}))
	must(t, mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	must(t, mount("proc", "/proc", "proc", 0, ""))
	must(t, mount("tmpfs", "/var", "tmpfs", 0, "mode=755"))
	must(t, os.MkdirAll("/var/log", 0o755))
	must(t, os.MkdirAll("/var/qmail/queue", 0o755))
	must(t, os.Mkdir("/var/tmp", 0o777|os.ModeSticky))
	small(t, "/home", 96)
	small(t, "/var/qmail/queue", 96)
	makeAccounts(t)
	makeHome(t)
	loopback(t)
}

func mount(from, to, kind string, flags uintptr, options string) error {
	if err := syscall.Mount(from, to, kind, flags, options); err != nil {
		return fmt.Errorf("mount %s: %w", to, err)
	}
	return nil
}

// inodes is how many files a small file system may have.
const inodes = 8000

// small mounts a file system of so many megabytes: ext4 if it can, as there numbers of
// files are used again, or one in memory.
func small(t *testing.T, dir string, size int) {
	t.Helper()
	image := "/var/image" + strings.ReplaceAll(dir, "/", "-")
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, int64(size)<<20))
	mkfs := exec.Command("mkfs.ext4", "-q", "-F", "-m", "0", "-N", fmt.Sprint(inodes), image)
	out, err := mkfs.CombinedOutput()
	if err == nil {
		out, err = exec.Command("mount", "-o", "loop", image, dir).CombinedOutput()
	}
	if err == nil {
		must(t, os.Remove(filepath.Join(dir, "lost+found")))
		t.Logf("%s: ext4 of %d MB", dir, size)
		return
	}
	t.Logf("%s: no ext4 (%v, %s), but %d MB of memory", dir, err, out, size)
	must(t, os.Remove(image))
	must(t, mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("mode=755,size=%dm,nr_inodes=%d", size, inodes)))
}

func makeAccounts(t *testing.T) {
	t.Helper()
	passwd := "root:x:0:0::/root:/bin/sh\n"
	group := fmt.Sprintf("root:x:0:\nnofiles:x:%d:\nqmail:x:%d:\n", nofiles, qmail)
	add := func(name string, uid, gid int, files map[string]string) {
		passwd += fmt.Sprintf("%s:x:%d:%d::/home/%[1]s:/bin/sh\n", name, uid, gid)
		group += fmt.Sprintf("%s:x:%d:\n", name, uid)
		top := filepath.Join("/home", name)
		for _, folder := range folders {
			must(t, os.Mkdir(filepath.Join(top, folder), 0o700))
			must(t, os.Chown(filepath.Join(top, folder), uid, gid))
		}
		for file, text := range files {
			must(t, os.WriteFile(filepath.Join(top, file), []byte(text), 0o644))
		}
	}
	for name, ids := range accounts {
		files := map[string]string{}
		if name == "alias" {
			files = map[string]string{".qmail-postmaster": "./Maildir/\n"}
		}
		add(name, ids[0], ids[1], files)
	}
	for name, files := range people {
		add(name, personUID(name), personUID(name), files)
	}
	for name, text := range map[string]string{"passwd": passwd, "group": group} {
		must(t, os.WriteFile("/var/"+name, []byte(text), 0o644))
		must(t, mount("/var/"+name, "/etc/"+name, "", syscall.MS_BIND, ""))
	}
}

// personUID gives each person a user id.
func personUID(name string) int {
	return firstUID + int(name[0]-'a')
}

// makeHome makes /var/qmail with qmail's owners and modes.
func makeHome(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"bin", "control", "users", "alias"} {
		must(t, os.MkdirAll(filepath.Join(home, dir), 0o755))
	}
	for name, text := range map[string]string{
		"me": "here.test", "locals": "here.test", "rcpthosts": "here.test\nvirt.test", "virtualdomains": "virt.test:dan",
		"smtproutes": ":" + sinkPort, "concurrencyincoming": "200", "concurrencyperaddress": "200", "timeoutremote": "20",
	} {
		must(t, os.WriteFile(filepath.Join(home, "control", name), []byte(text+"\n"), 0o644))
	}
	for _, program := range programs {
		data, err := os.ReadFile(filepath.Join(os.Getenv("CHAOS_BIN"), program))
		must(t, err)
		syscall.ForkLock.RLock() // a child that had it open would keep it from being run
		must(t, os.WriteFile(filepath.Join(home, "bin", program), data, 0o755))
		syscall.ForkLock.RUnlock()
	}
	must(t, os.Chown(filepath.Join(home, "bin/qmail-queue"), qmailq, qmail))
	must(t, os.Chmod(filepath.Join(home, "bin/qmail-queue"), 0o711|os.ModeSetuid))
	makeQueue(t)
}

func makeQueue(t *testing.T) {
	t.Helper()
	top := filepath.Join(home, "queue")
	must(t, queue.Make(top, queue.DefaultSplit))
	must(t, os.Chmod(top, 0o751))
	owners := map[string]int{
		"bounce": qmails, "info": qmails, "local": qmails, "remote": qmails,
		"lock/sendmutex": qmails, "lock/trigger": qmails, "lock/send": qmails, "lock/tcpto": qmailr,
	}
	must(t, filepath.WalkDir(top, func(name string, _ fs.DirEntry, err error) error {
		below := strings.TrimPrefix(strings.TrimPrefix(name, top), "/")
		uid := qmailq
		for prefix, owner := range owners {
			if below == prefix || strings.HasPrefix(below, prefix+"/") {
				uid = owner
			}
		}
		return errors.Join(err, os.Lchown(name, uid, qmail))
	}))
}

// loopback brings up the only network of the host.
func loopback(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	must(t, err)
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	must(t, unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr))
	l, err := net.Listen("tcp", sinkPort)
	must(t, err)
	must(t, l.Close())
}
