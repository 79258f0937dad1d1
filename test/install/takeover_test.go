package install

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/durable"
	"goqmail/internal/ids"
	"goqmail/internal/tcpto"
	"goqmail/users"
)

// old is the home and the queue of another qmail, made by hand from what its
// documentation says.
type old struct {
	t     *testing.T
	root  string
	split int
	big   bool // todo and intd are split too, by the patch big-todo
	ids   map[string]int
	mess  map[string]int // the number of each message by its name
}

// message is a message in one of the states of the queue, named by what it is for.
// Its recipients are Taddress, to do, or Daddress, done.
type message struct {
	name, sender  string
	todo          []string // S4
	intd          bool     // S3, S4
	info          bool     // S5
	local, remote []string
	bounce        string
	ago           time.Duration
}

const ossified = 40 * time.Hour // after 36 garbage is removed

// messages are in every state. All but the garbage and the one for a dead host are to
// be delivered.
var messages = []message{
	{name: "s2-being-written"},
	{name: "s2-garbage", ago: ossified},
	{name: "s3-being-written", sender: "ann@far.test.example", intd: true},
	{name: "s3-garbage", sender: "ann@far.test.example", intd: true, ago: ossified},
	{name: "s4-queued", sender: "ann@far.test.example", intd: true, todo: []string{"kim@mx.test.example"}},
	{name: "s4-without-intd", sender: "ann@far.test.example", todo: []string{"kim@mx.test.example"}},
	{name: "s4-half-preprocessed", sender: "ann@far.test.example", intd: true, todo: []string{"kim@mx.test.example"},
		info: true, local: []string{"Tjoe@mx.test.example"}},
	{name: "s4-list", sender: "list-@mx.test.example-@[]", intd: true, todo: []string{"kim@mx.test.example", "bob@far.test.example"}},
	{name: "s4-virtual", sender: "ann@far.test.example", intd: true, todo: []string{"info@v.test.example"}},
	{name: "s4-assigned", sender: "ann@far.test.example", intd: true, todo: []string{"vera-x@mx.test.example"}},
	{name: "s4-alias", sender: "ann@far.test.example", intd: true, todo: []string{"root@mx.test.example"}},
	{name: "s5-local", sender: "ann@far.test.example", info: true, local: []string{"Djoe@mx.test.example", "Tkim@mx.test.example"}},
	{name: "s5-remote", sender: "kim@mx.test.example", info: true, remote: []string{"Tann@far.test.example", "Dbob@far.test.example"}},
	{name: "s5-both", sender: "kim@mx.test.example", info: true, local: []string{"Tkim@mx.test.example"}, remote: []string{"Tann@far.test.example"}},
	{name: "s5-all-done", sender: "kim@mx.test.example", info: true},
	{name: "s5-bounce-pending", sender: "kim@mx.test.example", info: true,
		bounce: "<eve@gone.test.example>:\nold paragraph of s5-bounce-pending\n\n"},
	{name: "s5-bounce-begun", sender: "kim@mx.test.example", info: true, local: []string{"Deve@mx.test.example", "Tkim@mx.test.example"},
		bounce: "<eve@mx.test.example>:\nold paragraph of s5-bounce-begun\n\n"},
	{name: "s5-dead-host", sender: "kim@mx.test.example", info: true, remote: []string{"Tann@dead.test.example"}},
}

// ends is how many messages end: 7 in S4, all but one in S5, which are 6, what alias
// forwards, and two notices.
const ends = 7 + 6 + 1 + 2

// TestTakeover installs over the homes of other qmails, with todo as it is and with it
// split, and runs them by their own rc script.
func TestTakeover(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		split int
		big   bool
	}{{"usual", 23, false}, {"big-todo", 7, true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := &old{t: t, root: newHost(t), split: c.split, big: c.big, ids: map[string]int{}, mess: map[string]int{}}
			o.accounts()
			o.home()
			o.queue()
			o.syslog()
			run(t, o.root, "takeover.sh")
			o.check()
		})
	}
}

func (o *old) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// accounts makes qmail's accounts, with numbers of their own, and two people.
func (o *old) accounts() {
	o.t.Helper()
	out, err := exec.Command("chroot", o.root, "sh", "-ec", `
		groupadd -g 2107 qmail
		groupadd -g 2108 nofiles
		useradd -u 7790 -g nofiles -M -d /var/qmail/alias -s /bin/true alias
		n=7790
		for user in qmaild:nofiles qmaill:nofiles qmailp:nofiles qmailq:qmail qmailr:qmail qmails:qmail; do
			n=$((n + 1))
			useradd -u $n -g ${user#*:} -M -d /var/qmail -s /bin/true ${user%:*}
		done
		useradd -m joe
		useradd -m kim`).CombinedOutput()
	if err != nil {
		o.t.Fatalf("%v: %s", err, out)
	}
	accounts := ids.Files{Passwd: filepath.Join(o.root, "etc/passwd"), Group: filepath.Join(o.root, "etc/group")}
	for _, name := range []string{"root", "alias", "qmailq", "qmailr", "qmails", "joe", "kim"} {
		o.ids[name], err = accounts.UID(name)
		o.must(err)
	}
}

// path is a file below the home.
func (o *old) path(name string) string { return filepath.Join(o.root, "var/qmail", name) }

func (o *old) folder(name, owner string, mode fs.FileMode) {
	o.t.Helper()
	o.must(os.MkdirAll(o.path(name), 0o755))
	o.must(os.Chown(o.path(name), o.ids[owner], 2107))
	o.must(os.Chmod(o.path(name), mode))
}

func (o *old) file(name, text, owner string, mode fs.FileMode) {
	o.t.Helper()
	path := o.path(name)
	if filepath.IsAbs(name) {
		path = filepath.Join(o.root, name)
	}
	o.must(os.WriteFile(path, []byte(text), mode))
	o.must(os.Chown(path, o.ids[owner], 2107))
	o.must(os.Chmod(path, mode))
}

// home makes all but the queue: the programs of the other qmail, which say so, its
// settings, tables and scripts.
func (o *old) home() {
	o.t.Helper()
	for _, name := range []string{"", "control", "users", "bin", "boot", "doc", "man", "man/man8", "man/cat8"} {
		o.folder(name, "root", 0o755)
	}
	o.folder("alias", "alias", 0o755|fs.ModeSetgid)
	for _, name := range []string{"qmail-start", "qmail-send", "qmail-queue", "qmail-local", "sendmail", "qmail-inject"} {
		o.file("bin/"+name, "#!/bin/sh\necho the other qmail\nexit 111\n", "root", 0o755)
	}
	o.file("bin/my-own-script", "#!/bin/sh\n", "root", 0o755)
	o.file("rc", "#!/bin/sh\n\n# Using splogger to send the log through syslog.\n\n"+
		"exec env - PATH=\"/var/qmail/bin:$PATH\" \\\nqmail-start ./Mailbox splogger qmail\n", "root", 0o755)
	for name, text := range map[string]string{
		"me": "mx.test.example\n", "locals": "mx.test.example\n# a comment\nlocalhost", "rcpthosts": "mx.test.example\n",
		"virtualdomains": "v.test.example:joe-v\n", "concurrencylocal": "3\n", "queuelifetime": "604800\n",
		"smtproutes": "dead.test.example:127.0.0.9\nfar.test.example:127.0.0.1:@PORT@\n",
	} {
		o.file("control/"+name, text, "root", 0o644)
	}
	assign := fmt.Sprintf("=vera:joe:%[1]d:%[1]d:/home/joe:::\n+vera-:joe:%[1]d:%[1]d:/home/joe:-:vera-:\n.\n", o.ids["joe"])
	o.file("users/assign", assign, "root", 0o644)
	o.must(users.WriteTable(durable.NewDir(o.path("users")), strings.NewReader(assign)))
	o.file("alias/.qmail-root", "&kim\n", "root", 0o644)
	for name, text := range map[string]string{
		".qmail-v-default": "./virtual\n", ".qmail-vera-x": "|cat >assigned\n",
	} {
		o.file("/home/joe/"+name, text, "joe", 0o644)
	}
}

// queue makes the queue with all messages.
func (o *old) queue() {
	o.t.Helper()
	for _, f := range []struct {
		name, owner string
		mode        fs.FileMode
		split       bool
	}{
		{"", "qmailq", 0o750, false}, {"bounce", "qmails", 0o700, false}, {"pid", "qmailq", 0o700, false},
		{"intd", "qmailq", 0o700, o.big}, {"todo", "qmailq", 0o750, o.big}, {"lock", "qmailq", 0o750, false},
		{"mess", "qmailq", 0o750, true}, {"info", "qmails", 0o700, true}, {"local", "qmails", 0o700, true}, {"remote", "qmails", 0o700, true},
	} {
		o.folder("queue/"+f.name, f.owner, f.mode)
		for i := 0; f.split && i < o.split; i++ {
			o.folder("queue/"+f.name+"/"+strconv.Itoa(i), f.owner, f.mode)
		}
	}
	o.file("queue/lock/sendmutex", "", "qmails", 0o600)
	o.file("queue/lock/tcpto", strings.Repeat("\x00", 1024), "qmailr", 0o644)
	o.must(syscall.Mkfifo(o.path("queue/lock/trigger"), 0o622))
	o.must(errors.Join(os.Chown(o.path("queue/lock/trigger"), o.ids["qmails"], 2107), os.Chmod(o.path("queue/lock/trigger"), 0o622)))
	table := tcpto.File{Path: o.path("queue/lock/tcpto")}
	for _, ago := range []time.Duration{10 * time.Minute, time.Minute} {
		o.must(table.TimedOut(netip.MustParseAddr("127.0.0.9"), time.Now().Add(-ago)))
	}
	for _, m := range messages {
		o.message(m)
	}
}

// at is the file of a message, by its number.
func (o *old) at(kind string, n int) string {
	if kind == "bounce" || (kind == "todo" || kind == "intd") && !o.big {
		return fmt.Sprintf("queue/%s/%d", kind, n)
	}
	return fmt.Sprintf("queue/%s/%d/%d", kind, n%o.split, n)
}

// message makes a message whose number is the inode number of its file in mess.
func (o *old) message(m message) {
	o.t.Helper()
	o.file("queue/pid/1", "Received: (qmail 4711 invoked by uid 0); 21 Nov 2026 20:00:00 -0000\nSubject: "+m.name+"\n\nbody of "+m.name+"\n", "qmailq", 0o644)
	st, err := os.Stat(o.path("queue/pid/1"))
	o.must(err)
	n := int(st.Sys().(*syscall.Stat_t).Ino)
	o.mess[m.name] = n
	o.must(os.Rename(o.path("queue/pid/1"), o.path(o.at("mess", n))))
	envelope := "u0\x00p4711\x00F" + m.sender + "\x00"
	for _, r := range m.todo {
		envelope += "T" + r + "\x00"
	}
	if m.intd || m.todo != nil {
		o.file(o.at("intd", n), envelope, "qmailq", 0o644)
	}
	if m.todo != nil {
		o.must(os.Link(o.path(o.at("intd", n)), o.path(o.at("todo", n))))
	}
	if !m.intd && m.todo != nil {
		o.must(os.Remove(o.path(o.at("intd", n))))
	}
	if m.info {
		o.file(o.at("info", n), "F"+m.sender+"\x00", "qmails", 0o600)
	}
	for kind, records := range map[string][]string{"local": m.local, "remote": m.remote} {
		if records != nil {
			o.file(o.at(kind, n), strings.Join(records, "\x00")+"\x00", "qmails", 0o600)
		}
	}
	if m.bounce != "" {
		o.file(o.at("bounce", n), m.bounce, "qmails", 0o600)
	}
	when := time.Now().Add(-m.ago)
	o.must(os.Chtimes(o.path(o.at("mess", n)), when, when))
	o.file("/tmp/number."+m.name, o.at("mess", n), "root", 0o644)
	o.file("/tmp/ends", strconv.Itoa(ends), "root", 0o644)
}

// syslog plays the host's, which splogger tells the log.
func (o *old) syslog() {
	o.t.Helper()
	// The name of a socket must be short.
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(o.root, "dev/log"), Net: "unixgram"})
	o.must(err)
	o.t.Cleanup(func() { socket.Close() })
	o.must(os.Chmod(filepath.Join(o.root, "dev/log"), 0o666))
	log, err := os.Create(filepath.Join(o.root, "tmp/syslog.log"))
	o.must(err)
	go func() {
		defer log.Close()
		line := make([]byte, 4096)
		for {
			n, err := socket.Read(line)
			if err != nil {
				return
			}
			io.WriteString(log, strings.TrimRight(string(line[:n]), "\n")+"\n")
		}
	}()
}

// The names and contents that the other qmail understands, and the socket, at which it
// does not look.
var (
	names   = regexp.MustCompile(`^socket$|^(pid|lock|todo|intd|bounce)(/.*)?$|^(mess|info|local|remote)(/[0-9]+(/[0-9]+)?)?$|^\.$`)
	sender  = regexp.MustCompile(`^F[^\x00]*\x00$`)
	records = regexp.MustCompile(`^([TD][^\x00]+\x00)+$`)
)

// check looks whether the other qmail could go on with the queue.
func (o *old) check() {
	o.t.Helper()
	top := o.path("queue")
	left := 0
	o.must(filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(top, path)
		if !names.MatchString(name) {
			o.t.Errorf("%s in the queue", name)
		}
		parts := strings.Split(name, "/")
		if len(parts) == 3 && strings.Contains("mess info local remote", parts[0]) {
			left++
			o.checkFile(path, parts)
		}
		return nil
	}))
	if left == 0 {
		o.t.Error("no message is left for the other qmail")
	}
	st, err := os.Stat(o.path("queue/lock/tcpto"))
	o.must(err)
	if st.Size() != 1024 {
		o.t.Errorf("lock/tcpto has %d bytes", st.Size())
	}
}

func (o *old) checkFile(path string, parts []string) {
	o.t.Helper()
	n, err := strconv.Atoi(parts[2])
	o.must(err)
	if strconv.Itoa(n%o.split) != parts[1] {
		o.t.Errorf("%s is not where it is sought", path)
	}
	data, err := os.ReadFile(path)
	o.must(err)
	st, err := os.Stat(path)
	o.must(err)
	sys := st.Sys().(*syscall.Stat_t)
	owner := "qmails"
	switch parts[0] {
	case "mess":
		owner = "qmailq"
		if int(sys.Ino) != n || st.Mode().Perm()&0o044 != 0o044 {
			o.t.Errorf("%s has inode %d, mode %o", path, sys.Ino, st.Mode().Perm())
		}
	case "info":
		if !sender.Match(data) {
			o.t.Errorf("%s is %q", path, data)
		}
	default:
		if !records.Match(data) {
			o.t.Errorf("%s is %q", path, data)
		}
	}
	if int(sys.Uid) != o.ids[owner] {
		o.t.Errorf("%s belongs to %d, not to %s", path, sys.Uid, owner)
	}
}
