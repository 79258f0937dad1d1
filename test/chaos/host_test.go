package chaos

import (
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"goqmail/internal/testhost"
)

// accounts of the system.
var accounts = map[string][2]int{
	"alias": {testhost.Alias, testhost.Nofiles}, "qmaild": {testhost.Qmaild, testhost.Nofiles},
	"qmaill": {testhost.Qmaill, testhost.Nofiles}, "qmailp": {testhost.Qmailp, testhost.Nofiles},
	"qmailq": {testhost.Qmailq, testhost.Qmail}, "qmailr": {testhost.Qmailr, testhost.Qmail}, "qmails": {testhost.Qmails, testhost.Qmail},
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
	home     = testhost.Home
	smtpPort = "127.0.0.1:25"
	qmtpPort = "127.0.0.1:209"
	sinkPort = "127.0.0.1:2526"
)

// makeHost makes what is to be different from the real host. This process has name
// spaces of its own.
func makeHost(t *testing.T) {
	t.Helper()
	testhost.Must(t, unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC))
	testhost.Must(t, syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}))
	testhost.Must(t, mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	testhost.Must(t, mount("proc", "/proc", "proc", 0, ""))
	testhost.Must(t, mount("tmpfs", "/var", "tmpfs", 0, "mode=755"))
	testhost.Must(t, os.MkdirAll("/var/log", 0o755))
	testhost.Must(t, os.MkdirAll("/var/qmail/queue", 0o755))
	testhost.Must(t, os.Mkdir("/var/tmp", 0o777|os.ModeSticky))
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
	testhost.Must(t, os.WriteFile(image, nil, 0o600))
	testhost.Must(t, os.Truncate(image, int64(size)<<20))
	mkfs := exec.Command("mkfs.ext4", "-q", "-F", "-m", "0", "-N", fmt.Sprint(inodes), image)
	out, err := mkfs.CombinedOutput()
	if err == nil {
		out, err = exec.Command("mount", "-o", "loop", image, dir).CombinedOutput()
	}
	if err == nil {
		testhost.Must(t, os.Remove(filepath.Join(dir, "lost+found")))
		t.Logf("%s: ext4 of %d MB", dir, size)
		return
	}
	t.Logf("%s: no ext4 (%v, %s), but %d MB of memory", dir, err, out, size)
	testhost.Must(t, os.Remove(image))
	testhost.Must(t, mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("mode=755,size=%dm,nr_inodes=%d", size, inodes)))
}

func makeAccounts(t *testing.T) {
	t.Helper()
	passwd := "root:x:0:0::/root:/bin/sh\n"
	group := fmt.Sprintf("root:x:0:\nnofiles:x:%d:\nqmail:x:%d:\n", testhost.Nofiles, testhost.Qmail)
	add := func(name string, uid, gid int, files map[string]string) {
		passwd += fmt.Sprintf("%s:x:%d:%d::/home/%[1]s:/bin/sh\n", name, uid, gid)
		group += fmt.Sprintf("%s:x:%d:\n", name, uid)
		top := filepath.Join("/home", name)
		for _, folder := range folders {
			testhost.Must(t, os.Mkdir(filepath.Join(top, folder), 0o700))
			testhost.Must(t, os.Chown(filepath.Join(top, folder), uid, gid))
		}
		for file, text := range files {
			testhost.Must(t, os.WriteFile(filepath.Join(top, file), []byte(text), 0o644))
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
		testhost.Must(t, os.WriteFile("/var/"+name, []byte(text), 0o644))
		testhost.Must(t, mount("/var/"+name, "/etc/"+name, "", syscall.MS_BIND, ""))
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
		testhost.Must(t, os.MkdirAll(filepath.Join(home, dir), 0o755))
	}
	for name, text := range map[string]string{
		"me": "here.test", "locals": "here.test", "rcpthosts": "here.test\nvirt.test", "virtualdomains": "virt.test:dan",
		"smtproutes": ":" + sinkPort, "concurrencyincoming": "200", "concurrencyperaddress": "200", "timeoutremote": "20",
	} {
		testhost.Must(t, os.WriteFile(filepath.Join(home, "control", name), []byte(text+"\n"), 0o644))
	}
	for _, program := range programs {
		data, err := os.ReadFile(filepath.Join(os.Getenv("CHAOS_BIN"), program))
		testhost.Must(t, err)
		syscall.ForkLock.RLock() // a child that had it open would keep it from being run
		testhost.Must(t, os.WriteFile(filepath.Join(home, "bin", program), data, 0o755))
		syscall.ForkLock.RUnlock()
	}
	testhost.Must(t, os.Chown(filepath.Join(home, "bin/qmail-queue"), testhost.Qmailq, testhost.Qmail))
	testhost.Must(t, os.Chmod(filepath.Join(home, "bin/qmail-queue"), 0o711|os.ModeSetuid))
	testhost.MakeQueue(t)
	testhost.Must(t, os.Chmod(filepath.Join(home, "queue"), 0o751))
}

// loopback brings up the only network of the host.
func loopback(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	testhost.Must(t, err)
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	testhost.Must(t, err)
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	testhost.Must(t, unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr))
	l, err := net.Listen("tcp", sinkPort)
	testhost.Must(t, err)
	testhost.Must(t, l.Close())
}
