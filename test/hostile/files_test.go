package hostile

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/testhost"
)

// secret is what only others than eve may read.
const secret = "root:$6$secret$:20000:0:99999:7:::\n"

// oddity is something that eve puts where a file or a mailbox should be. Its name is
// the extension of the address, in .qmail-NAME.
type oddity struct {
	name string
	make func(t *testing.T, file string) // makes .qmail-NAME
	want string                          // how the delivery ends
	why  string                          // and what its report has in it
}

// link has .qmail-NAME be a symbolic link.
func link(to string) func(*testing.T, string) {
	return func(t *testing.T, file string) { must(t, os.Symlink(to, file)) }
}

// says has it be a file of eve's.
func says(text string) func(*testing.T, string) {
	return func(t *testing.T, file string) { place(t, file, text, eve) }
}

// mailbox has the instruction be one for a mailbox, which another function makes.
func mailbox(slash string, make func(t *testing.T, name string)) func(*testing.T, string) {
	return func(t *testing.T, file string) {
		name := "/home/eve/box" + strings.TrimPrefix(file, "/home/eve/.qmail")
		make(t, name)
		place(t, file, "."+strings.TrimPrefix(name, "/home/eve")+slash+"\n", eve)
	}
}

func sparse(t *testing.T, name string) {
	place(t, name, "", eve)
	must(t, os.Truncate(name, 1<<30))
}

func socket(t *testing.T, name string) {
	l, err := net.Listen("unix", name)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	must(t, os.Chown(name, eve, eve))
}

const noMailbox = "Sorry,_no_mailbox_here_by_that_name."

// oddities are all that can be had without anybody else's help.
var oddities = []oddity{
	{"good", says("./Maildir/\n"), "success", "did_1+0+0"},

	// .qmail files.
	{"link", link(".qmail-good"), "success", "did_1+0+0"},
	{"shadow", link("/etc/shadow"), "deferral", "Unable_to_open_.qmail-shadow"},
	{"others", link("/home/pat/private"), "deferral", "Unable_to_open_.qmail-others"},
	{"loop", link(".qmail-loop"), "failure", noMailbox},
	{"dangling", link("/nowhere"), "failure", noMailbox},
	{"below", link("/etc/passwd/below"), "failure", noMailbox},
	{"endless", link("/dev/zero"), "failure", noMailbox},
	{"terminal", link("/dev/tty"), "failure", noMailbox},
	{"memory", link("/proc/self/mem"), "deferral", "Unable_to_read_.qmail-memory"},
	{"fifo", func(t *testing.T, file string) { testhost.FIFO(t, file, eve) }, "failure", noMailbox},
	{"socket", socket, "failure", noMailbox},
	{"folder", func(t *testing.T, file string) { must(t, os.Mkdir(file, 0o755)) }, "failure", noMailbox},
	{"device", func(t *testing.T, file string) {
		if err := syscall.Mknod(file, syscall.S_IFCHR|0o666, 5); err != nil { // 0, 5: no such device
			t.Log(err)
		}
	}, "failure", noMailbox},
	{"huge", sparse, "deferral", "too_big"},
	{"shared", func(t *testing.T, file string) {
		says("./Maildir/\n")(t, file)
		must(t, os.Chmod(file, 0o666))
	}, "deferral", "writable"},
	{"closed", func(t *testing.T, file string) {
		says("./Maildir/\n")(t, file)
		must(t, os.Chmod(file, 0))
	}, "deferral", "Unable_to_open_.qmail-closed"},

	// Mailboxes.
	{"boxfifo", mailbox("", func(t *testing.T, name string) { testhost.FIFO(t, name, eve) }), "deferral", "Unable_to_open"},
	{"boxread", mailbox("", func(t *testing.T, name string) { // somebody has it open, and does not read
		testhost.FIFO(t, name, eve)
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		must(t, err)
		t.Cleanup(func() { f.Close() })
	}), "deferral", "Unable_to_write"},
	{"boxfull", mailbox("", link("/dev/full")), "deferral", "Unable_to_write"},
	{"boxothers", mailbox("", link("/home/pat/Mailbox")), "deferral", "Unable_to_open"},
	{"boxshadow", mailbox("", link("/etc/shadow")), "deferral", "Unable_to_open"},
	{"boxqueue", mailbox("", link(home+"/queue/lock/sendmutex")), "deferral", "Unable_to_open"},
	{"boxfolder", mailbox("", func(t *testing.T, name string) { must(t, os.Mkdir(name, 0o755)) }), "deferral", "Unable_to_open"},
	{"boxsocket", mailbox("", socket), "deferral", "Unable_to_open"},
	{"boxabsolute", says("/home/pat/Mailbox\n"), "deferral", "Unable_to_open"},
	{"boxabove", says("./../pat/Mailbox\n"), "deferral", "Unable_to_open"},

	// Maildirs.
	{"dirothers", mailbox("/", link("/home/pat/Maildir")), "deferral", "maildir"},
	{"dirloop", mailbox("/", func(t *testing.T, name string) { must(t, os.Symlink(name, name)) }), "deferral", "maildir"},
	{"dirnew", mailbox("/", func(t *testing.T, name string) { // its new is pat's
		maildir(t, name, eve)
		must(t, os.Remove(name+"/new"))
		must(t, os.Symlink("/home/pat/Maildir/new", name+"/new"))
	}), "deferral", "maildir"},
	{"dirtmp", mailbox("/", func(t *testing.T, name string) { // its tmp is elsewhere
		maildir(t, name, eve)
		must(t, os.Remove(name+"/tmp"))
		must(t, os.Symlink("/var/other", name+"/tmp"))
	}), "deferral", "maildir"},
	{"dirfifo", mailbox("/", func(t *testing.T, name string) { // its new is a FIFO
		maildir(t, name, eve)
		must(t, os.Remove(name+"/new"))
		testhost.FIFO(t, name+"/new", eve)
	}), "deferral", "maildir"},
	{"sizefifo", sizes(func(t *testing.T, name string) { testhost.FIFO(t, name, eve) }), "deferral", "maildir"},
	{"sizehuge", sizes(sparse), "success", "did_1+0+0"},
	{"sizezero", sizes(link("/dev/zero")), "deferral", "maildir"},
	{"sizeshadow", sizes(link("/etc/shadow")), "deferral", "maildir"},

	// Programs.
	{"babble", says("|yes | head -c 50000000\n"), "success", ""},
	{"murder", says("|kill -9 $PPID\n"), "deferral", "qmail-local_crashed."},
	{"closing", says("|exec 0<&- 1>&- 2>&-\n"), "success", "did_0+0+1"},
	{"reading", says("|cat /etc/shadow /home/pat/private /var/qmail/queue/mess/*/*; exit 0\n"), "success", "did_0+0+1"},
	{"lies", says("|printf 'K\\0Zbad\\0\\377\\n\\033[2J'; exit 0\n"), "success", ""},
}

// sizes is a maildir with an odd maildirsize.
func sizes(make func(t *testing.T, name string)) func(*testing.T, string) {
	return mailbox("/", func(t *testing.T, name string) {
		maildir(t, name, eve)
		make(t, name+"/maildirsize")
	})
}

// TestOddFiles has eve put all kinds of things where her .qmail files and mailboxes
// are sought. Her mail ends as it should, at once; nobody else's files change, nothing
// of them is told, and mail to others goes on.
func TestOddFiles(t *testing.T) {
	if !onHost(t) {
		return
	}
	must(t, os.WriteFile("/var/shadow", []byte(secret), 0o600))
	must(t, syscall.Mount("/var/shadow", "/etc/shadow", "", syscall.MS_BIND, ""))
	must(t, os.Mkdir("/var/other", 0o777)) // another file system, for all
	must(t, syscall.Mount("tmpfs", "/var/other", "tmpfs", 0, "mode=777"))
	place(t, "/home/pat/private", secret, pat)
	place(t, "/home/pat/Mailbox", "", pat)
	must(t, os.Chmod("/home/pat", 0o755)) // and yet
	h := newHost(t, 0)
	defer h.end()
	for _, o := range oddities {
		o.make(t, "/home/eve/.qmail-"+o.name)
	}
	for _, o := range oddities {
		h.send("Subject: s\n\n"+o.name+"\n", "eve-"+o.name)
	}
	h.others(5)
	for _, o := range oddities {
		verdict, report := h.outcome("eve-" + o.name)
		if verdict != o.want || !strings.Contains(report, o.why) {
			t.Errorf("%s ends with %s: %s", o.name, verdict, report[:min(len(report), 200)])
		}
		if len(report) > 3500 {
			t.Errorf("%s has a report of %d bytes", o.name, len(report))
		}
	}
	if log := h.log.String(); strings.Contains(log, "secret") || strings.ContainsAny(log, "\x00\x1b") {
		t.Error("the log has what does not belong there")
	}
	for name, want := range map[string]string{"/var/shadow": secret, "/home/pat/private": secret, "/home/pat/Mailbox": "", home + "/queue/lock/sendmutex": ""} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s is now %q, %v", name, got, err)
		}
	}
	for _, pattern := range []string{"/var/other/*", "/home/eve/*/tmp/*", "/home/pat/Maildir/tmp/*"} {
		if left, _ := filepath.Glob(pattern); len(left) > 0 {
			t.Errorf("%q are left", left)
		}
	}
	t.Logf("%d oddities", len(oddities))
}
