package install

import (
	"io/fs"
	"strconv"
)

// account is a user or, without a home, a group.
type account struct {
	name, group string
	home        string // below the home of the system
}

// groups and users are the accounts, qmail's. Nobody can log in as one of them.
var (
	groups = []string{"qmail", "nofiles"}
	users  = []account{
		{"alias", "nofiles", "alias"},
		{"qmaild", "nofiles", ""},
		{"qmaill", "nofiles", ""},
		{"qmailp", "nofiles", ""},
		{"qmailq", "qmail", ""},
		{"qmailr", "qmail", ""},
		{"qmails", "qmail", ""},
	}
)

// kind is what a file of the table is.
type kind int

const (
	folder  kind = iota
	program      // a regular file that is installed
	lock         // a regular file that is made, with size bytes
	fifo
)

// entry is a file of the installation. The modes are qmail's.
type entry struct {
	name         string // below the home
	kind         kind
	owner, group string
	mode         fs.FileMode // with the bits of fs.ModeSetuid and the like
	size         int
}

// setID is mode 6711, set-uid and set-gid.
const setID = fs.ModeSetuid | fs.ModeSetgid

// folders outside the queue.
var folders = []entry{
	{"", folder, "root", "qmail", 0o755, 0},
	{"bin", folder, "root", "qmail", 0o755, 0},
	{"control", folder, "root", "qmail", 0o755, 0},
	{"users", folder, "root", "qmail", 0o755, 0},
	{"man", folder, "root", "qmail", 0o755, 0},
	{"doc", folder, "root", "qmail", 0o755, 0},
	{"boot", folder, "root", "qmail", 0o755, 0},
	{"alias", folder, "alias", "qmail", 0o755 | fs.ModeSetgid, 0},
}

// programs are those whose owner or mode is not root:qmail, 755.
var programs = map[string]entry{
	"qmail-queue":   {owner: "qmailq", mode: 0o711 | fs.ModeSetuid},
	"mailq":         {owner: "qmails", mode: 0o711 | setID},
	"qmail-lspawn":  {mode: 0o700},
	"qmail-start":   {mode: 0o700},
	"qmail-newu":    {mode: 0o700},
	"qmail-newmrh":  {mode: 0o700},
	"qmail-install": {mode: 0o700},
	"qmail-getpw":   {mode: 0o711},
	"qmail-local":   {mode: 0o711},
	"qmail-remote":  {mode: 0o711},
	"qmail-rspawn":  {mode: 0o711},
	"qmail-clean":   {mode: 0o711},
	"qmail-send":    {mode: 0o711},
	"splogger":      {mode: 0o711},
	"qmail-pw2u":    {mode: 0o711},
	"qmail-popup":   {mode: 0o711},
}

// names are all programs.
var names = []string{
	"bouncesaying", "condredirect", "datemail", "dot-forward", "except", "fastforward", "forward",
	"maildir2mbox", "maildirmake", "mailq", "mailsubj", "newaliases", "predate", "preline", "qbiff",
	"qmail-check", "qmail-clean", "qmail-explain", "qmail-getpw", "qmail-inject", "qmail-install",
	"qmail-lmtp", "qmail-local", "qmail-lspawn", "qmail-newmrh", "qmail-newmvrt", "qmail-newu", "qmail-pop3d",
	"qmail-popup", "qmail-pw2u", "qmail-qmqpc", "qmail-qmqpd", "qmail-qmtpd", "qmail-qread",
	"qmail-qstat", "qmail-queue", "qmail-queuectl", "qmail-rcptcheck", "qmail-remote", "qmail-rspawn", "qmail-send",
	"qmail-showctl", "qmail-smtpd", "qmail-smtppasswd", "qmail-start", "qmail-tcpok", "qmail-tcpto", "qmail-try",
	"qmailctl",
	"qreceipt", "sendmail", "smtp-sink", "splogger", "tcp-env",
}

// programEntry is what the table says of a program.
func programEntry(name string) entry {
	e, ok := programs[name]
	if !ok {
		e.mode = 0o755
	}
	if e.owner == "" {
		e.owner = "root"
	}
	e.name, e.kind, e.group = "bin/"+name, program, "qmail"
	return e
}

// queueEntries are the folders and locks of a queue with so many folders for
// messages.
func queueEntries(split int) []entry {
	all := []entry{{"queue", folder, "qmailq", "qmail", 0o751, 0}} // all users may get at its socket
	for _, f := range []struct {
		name, owner string
		mode        fs.FileMode
		split       bool
	}{
		{"bounce", "qmails", 0o700, false},
		{"info", "qmails", 0o700, true},
		{"intd", "qmailq", 0o700, false},
		{"local", "qmails", 0o700, true},
		{"lock", "qmailq", 0o750, false},
		{"mess", "qmailq", 0o750, true},
		{"pid", "qmailq", 0o700, false},
		{"remote", "qmails", 0o700, true},
		{"todo", "qmailq", 0o750, false},
	} {
		all = append(all, entry{"queue/" + f.name, folder, f.owner, "qmail", f.mode, 0})
		for i := 0; f.split && i < split; i++ {
			all = append(all, entry{"queue/" + f.name + "/" + strconv.Itoa(i), folder, f.owner, "qmail", f.mode, 0})
		}
	}
	all = append(all,
		entry{"queue/lock/sendmutex", lock, "qmails", "qmail", 0o600, 0},
		entry{"queue/lock/tcpto", lock, "qmailr", "qmail", 0o644, 1024},
		entry{"queue/lock/trigger", fifo, "qmails", "qmail", 0o622, 0})
	for _, name := range []string{"", "/local", "/remote"} {
		all = append(all, entry{"queue/lock/send" + name, folder, "qmails", "qmail", 0o700, 0})
		for i := 0; name != "" && i < split; i++ {
			all = append(all, entry{"queue/lock/send" + name + "/" + strconv.Itoa(i), folder, "qmails", "qmail", 0o700, 0})
		}
	}
	return all
}

// setting is a file that a new installation begins with.
type setting struct{ name, text string }

// newSettings are the first control files of a host with that name, those that
// qmail's config-fast makes and a few more.
func newSettings(host string) []setting {
	return []setting{
		{"control/me", host},
		{"control/defaultdomain", defaultDomain(host)},
		{"control/plusdomain", plusDomain(host)},
		{"control/locals", host + "\nlocalhost"},
		{"control/rcpthosts", host},
		{"control/defaultdelivery", "./Mailbox"},
		{"control/rcptcheck", "1"},
	}
}
