//go:build linux && amd64

package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"goqmail/internal/testbin"
	"goqmail/local"
	"goqmail/queue"
)

// Users and groups of the hosts that the tests run on.
const (
	alias  = 8601
	qmaild = 8602
	qmaill = 8603
	qmailp = 8604
	qmailq = 8605
	qmailr = 8606
	qmails = 8607
	pat    = 8701 // has a maildir
	bob    = 8702 // has an mbox and a program
	fred   = 8703 // has his mail sent on to pat

	nofiles = 8651
	qmail   = 8652
)

const home = "/var/qmail"

// makeHost mounts what is to be different from the real host. This process has name
// spaces of its own.
func makeHost() {
	must(unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)) // what the test was started with
	bin, err := testbin.Dir()
	must(err)
	must(syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	must(syscall.Mount("proc", "/proc", "proc", 0, ""))
	must(syscall.Mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755"))
	for _, dir := range []string{"/mnt/bin", "/mnt/self"} {
		must(os.Mkdir(dir, 0o755))
	}
	must(syscall.Mount(bin, "/mnt/bin", "", syscall.MS_BIND, "")) // which may be below /var
	queueProgram, err := os.ReadFile(filepath.Join(bin, "qmail-queue"))
	must(err)
	must(syscall.Mount("tmpfs", "/var", "tmpfs", 0, "mode=755"))
	var passwd, group bytes.Buffer
	for _, user := range []struct {
		name     string
		uid, gid int
	}{
		{"root", 0, 0}, {"alias", alias, nofiles}, {"qmaild", qmaild, nofiles}, {"qmaill", qmaill, nofiles},
		{"qmailp", qmailp, nofiles}, {"qmailq", qmailq, qmail}, {"qmailr", qmailr, qmail}, {"qmails", qmails, qmail},
		{"pat", pat, pat}, {"bob", bob, bob}, {"fred", fred, fred},
	} {
		fmt.Fprintf(&passwd, "%s:x:%d:%d::%s:/bin/sh\n", user.name, user.uid, user.gid, homeOf(user.name))
	}
	fmt.Fprintf(&group, "root:x:0:\nnofiles:x:%d:\nqmail:x:%d:\n", nofiles, qmail)
	must(os.MkdirAll("/var/home", 0o755))
	must(syscall.Mount("/var/home", "/home", "", syscall.MS_BIND, ""))
	for name, text := range map[string][]byte{"passwd": passwd.Bytes(), "group": group.Bytes()} {
		must(os.WriteFile("/var/"+name, text, 0o644))
		must(syscall.Mount("/var/"+name, "/etc/"+name, "", syscall.MS_BIND, ""))
	}
	for _, dir := range []string{"bin", "control", "users", "alias"} {
		must(os.MkdirAll(filepath.Join(home, dir), 0o755))
	}
	must(syscall.Mount("/mnt/bin", home+"/bin", "", syscall.MS_BIND, ""))
	must(os.WriteFile("/var/qmail-queue", queueProgram, 0o700))
	must(os.Chown("/var/qmail-queue", qmailq, qmail))
	must(os.Chmod("/var/qmail-queue", 0o711|os.ModeSetuid))
	must(syscall.Mount("/var/qmail-queue", home+"/bin/qmail-queue", "", syscall.MS_BIND, ""))
	must(loopbackUp())
}

func homeOf(user string) string {
	if user == "alias" {
		return home + "/alias"
	}
	return "/home/" + user
}

// loopbackUp turns on the network that the host has with itself.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// must is for what a host does not work without: the run ends there.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// split is the number of folders in mess: few, so that they are made fast.
const split = 2

// fresh makes queue, mailboxes and settings anew.
func fresh(settings map[string]string) {
	for _, dir := range []string{home + "/queue", home + "/control", home + "/alias", "/home/pat", "/home/bob", "/home/fred"} {
		must(os.RemoveAll(dir))
	}
	must(os.Mkdir(home+"/control", 0o755))
	must(os.Mkdir(home+"/alias", 0o755))
	for name, text := range settings {
		must(os.WriteFile(filepath.Join(home, "control", name), []byte(text), 0o644))
	}
	makeQueue()
	makeUser(home+"/alias", alias, map[string]string{
		".qmail-postmaster": "./Maildir/\n", ".qmail-mailer-daemon": "./Maildir/\n", ".qmail-root": "./Maildir/\n",
	})
	makeUser("/home/pat", pat, nil)
	makeUser("/home/bob", bob, map[string]string{".qmail": "./Mailbox\n|cat >got.$$ && mv got.$$ got/$$\n"})
	makeUser("/home/fred", fred, map[string]string{".qmail": "&pat@here.test\n"})
}

func makeUser(dir string, uid int, files map[string]string) {
	must(os.MkdirAll(filepath.Join(dir, "got"), 0o755))
	must(local.MakeMaildir(filepath.Join(dir, "Maildir")))
	for name, text := range files {
		must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	must(filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(name, uid, uid))
	}))
}

func makeQueue() {
	top := filepath.Join(home, "queue")
	must(queue.Make(top, split))
	owners := map[string]int{
		"bounce": qmails, "info": qmails, "local": qmails, "remote": qmails,
		"lock/sendmutex": qmails, "lock/trigger": qmails, "lock/send": qmails, "lock/tcpto": qmailr,
	}
	must(filepath.WalkDir(top, func(name string, _ fs.DirEntry, err error) error {
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
