package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ban is a set of packages and the reason why a program must not link them. A
// name stands for the packages below it too.
type ban struct {
	packages []string
	why      string
}

// What a program must not be able to do.
var (
	network = ban{[]string{"net", "crypto/tls", "github.com/miekg/dns", "golang.org/x/net", "goqmail/remote", "goqmail/receive"},
		"does not reach the network"}
	programsToo = ban{[]string{"os/exec"},
		"starts no program, or one it knows the path of, with os.StartProcess"}
	mailboxes = ban{[]string{"goqmail/local", "goqmail/dot-qmail"},
		"writes no mailbox and obeys no .qmail file"}
	mail = ban{[]string{"goqmail/inject", "goqmail/dot-qmail", "goqmail/local", "goqmail/bounce", "net/mail", "net/textproto", "mime"},
		"parses no mail"}
	theQueue = ban{[]string{"goqmail/queue"},
		"leaves the queue to others"}
	settings = ban{[]string{"goqmail/control"},
		"reads no control file"}
	passwords = ban{[]string{"os/user"},
		"leaves accounts of people to qmail-getpw, which can be replaced; those of the system are in internal/ids"}
	deciding = ban{[]string{"goqmail/send", "goqmail/bounce", "goqmail/users"},
		"leaves routing, retries and assignments to others"}
	privileges = ban{[]string{"goqmail/internal/start", "goqmail/internal/spawn"},
		"never becomes another user"}
	measuring = ban{[]string{"runtime/pprof", "runtime/trace", "net/http/pprof"},
		"is measured in a build of its own only, with the tag profile"}
	slow = ban{[]string{"regexp", "flag", "log", "text/template", "encoding/json", "net/http", "crypto/tls", "github.com/emersion"},
		"runs for each message, and these cost time at its start"}
)

// never says for each program what it must not link. The imports of a program
// are its security statement.
var never = map[string][]ban{
	"bouncesaying":     {network, programsToo, mailboxes, mail, theQueue, settings, passwords, deciding, privileges, slow},
	"condredirect":     {network, programsToo, mailboxes, mail, theQueue, settings, passwords, deciding, privileges, slow},
	"datemail":         {network, programsToo, mailboxes, mail, theQueue, settings, passwords, deciding, privileges, slow},
	"dot-forward":      {network, programsToo, theQueue, settings, passwords, deciding, privileges, slow},
	"except":           {network, programsToo, mailboxes, mail, theQueue, settings, passwords, deciding, privileges, slow},
	"fastforward":      {network, programsToo, theQueue, settings, passwords, deciding, privileges, slow},
	"forward":          {network, programsToo, mailboxes, mail, theQueue, settings, passwords, deciding, privileges, slow},
	"maildir2mbox":     {network, programsToo, theQueue, settings, passwords, deciding, privileges},
	"maildirmake":      {network, programsToo, theQueue, settings, deciding, privileges},
	"mailq":            {network, programsToo, mailboxes, mail, settings, passwords, deciding, privileges},
	"mailsubj":         {network, programsToo, mailboxes, mail, theQueue, settings, passwords, deciding, privileges, slow},
	"newaliases":       {network, programsToo, mailboxes, mail, theQueue, settings, passwords, deciding, privileges},
	"predate":          {network, programsToo, mailboxes, mail, theQueue, settings, passwords, deciding, privileges, slow},
	"preline":          {network, programsToo, mailboxes, mail, theQueue, settings, passwords, deciding, privileges, slow},
	"qbiff":            {network, programsToo, mailboxes, mail, theQueue, settings, passwords, deciding, privileges, slow},
	"qmail-check":      {network, mailboxes, passwords, deciding, privileges},
	"qmail-clean":      {network, programsToo, mailboxes, mail, settings, passwords, deciding, privileges},
	"qmail-explain":    {{[]string{"goqmail/local"}, "delivers nothing"}},
	"qmail-getpw":      {network, programsToo, mailboxes, mail, theQueue},
	"qmail-inject":     {network, programsToo, mailboxes, theQueue, passwords, deciding, privileges, slow},
	"qmail-install":    {network, mailboxes, passwords, deciding, privileges},
	"qmail-lmtp":       {programsToo, mailboxes, theQueue, settings, passwords, deciding, privileges, {[]string{"crypto/tls", "goqmail/remote"}, "speaks LMTP and nothing else"}},
	"qmail-local":      {network, programsToo, theQueue, settings, passwords, deciding, privileges, slow},
	"qmail-lspawn":     {network, programsToo, mailboxes, mail, theQueue, passwords, slow},
	"qmail-newmrh":     {network, programsToo, mailboxes, mail, theQueue},
	"qmail-newmvrt":    {network, programsToo, mailboxes, mail, theQueue},
	"qmail-newu":       {network, programsToo, mailboxes, mail, theQueue},
	"qmail-pop3d":      {programsToo, mailboxes, mail, theQueue, passwords, deciding, privileges, {[]string{"crypto/tls"}, "speaks in the clear, with qmail-popup between it and the client if need be"}},
	"qmail-popup":      {programsToo, mailboxes, mail, theQueue, passwords, deciding, privileges},
	"qmail-pw2u":       {network, programsToo, mailboxes, mail, theQueue},
	"qmail-qmqpc":      {programsToo, mailboxes, mail, theQueue, passwords, deciding, privileges, {[]string{"crypto/tls"}, "speaks in the clear"}},
	"qmail-qmqpd":      {programsToo, mailboxes, mail, theQueue, passwords, deciding, privileges, {[]string{"crypto/tls"}, "speaks in the clear"}},
	"qmail-qmtpd":      {programsToo, mailboxes, mail, theQueue, passwords, deciding, privileges, {[]string{"crypto/tls"}, "speaks in the clear"}},
	"qmail-qread":      {network, programsToo, mailboxes, mail, passwords, deciding, privileges},
	"qmail-qstat":      {network, programsToo, mailboxes, mail, passwords, deciding, privileges},
	"qmail-queuectl":   {network, programsToo, mailboxes, passwords, privileges},
	"qmail-queue":      {network, programsToo, mailboxes, mail, settings, passwords, deciding, privileges, slow},
	"qmail-rcptcheck":  {network, programsToo, theQueue, passwords, slow, {[]string{"goqmail/local", "goqmail/inject", "goqmail/bounce", "goqmail/send", "goqmail/internal/start", "net/mail"}, "may have a capability, and does nothing but look"}},
	"qmail-remote":     {programsToo, mailboxes, theQueue, passwords, deciding, privileges},
	"qmail-rspawn":     {network, programsToo, mailboxes, mail, theQueue, passwords, deciding, slow},
	"qmail-send":       {network, programsToo, mailboxes, passwords, privileges, {[]string{"goqmail/users"}, "leaves assignments to qmail-lspawn"}},
	"qmail-showctl":    {network, programsToo, mailboxes, mail, passwords, deciding, privileges},
	"qmail-smtppasswd": {programsToo, mailboxes, mail, theQueue, settings, deciding, privileges, {[]string{"net", "crypto/tls"}, "only changes a file"}},
	"qmail-smtpd":      {programsToo, mailboxes, theQueue, passwords, deciding, privileges, {[]string{"goqmail/inject", "net/mail", "mime"}, "parses no mail"}},
	"qmail-start":      {network, programsToo, mailboxes, mail, theQueue, settings, passwords, deciding},
	"qmail-tcpok":      {programsToo, mailboxes, mail, theQueue, settings, deciding, privileges, {[]string{"net", "crypto/tls"}, "only reads a file"}},
	"qmail-tcpto":      {programsToo, mailboxes, mail, theQueue, settings, deciding, privileges, {[]string{"net", "crypto/tls"}, "only reads a file"}},
	"qmail-try":        {programsToo},
	"qmailctl":         {network, programsToo, mailboxes, mail, settings, passwords, deciding, privileges},
	"qreceipt":         {network, programsToo, mailboxes, theQueue, passwords, deciding, privileges, slow},
	"sendmail":         {network, programsToo, mailboxes, theQueue, passwords, deciding, privileges, slow},
	"smtp-sink":        {mailboxes, theQueue, settings, passwords, deciding, privileges},
	"splogger":         {network, programsToo, mailboxes, mail, theQueue, settings, passwords, deciding, privileges},
	"tcp-env":          {programsToo, mailboxes, mail, theQueue, settings, deciding, privileges},
}

// onlyQueue lists what qmail-queue, the set-uid program, may link beside the
// standard library.
var onlyQueue = []string{
	"golang.org/x/sys/unix",
	"goqmail/cmd/qmail-queue",
	"goqmail/internal/date822",
	"goqmail/internal/confine",
	"goqmail/internal/durable",
	"goqmail/internal/exitcode",
	"goqmail/internal/home",
	"goqmail/internal/ids",
	"goqmail/internal/serve",
	"goqmail/internal/syserr",
	"goqmail/internal/workers",
	"goqmail/queue",
}

func TestDependencies(t *testing.T) {
	t.Parallel()
	for _, program := range installed(t) {
		bans, ok := never[program]
		if !ok {
			t.Errorf("%s: deps_test.go does not say what it must never link", program)
			continue
		}
		for _, dep := range dependencies(t, program) {
			for _, b := range append(bans, measuring) {
				if b.includes(dep) {
					t.Errorf("%s links %s, but it %s", program, dep, b.why)
				}
			}
		}
	}
}

// includes reports whether the ban is on a package. That of net is on connections:
// net/netip, for one, is mere notation.
func (b ban) includes(dep string) bool {
	return slices.ContainsFunc(b.packages, func(p string) bool {
		return dep == p || p != "net" && strings.HasPrefix(dep, p+"/")
	})
}

func TestQueueLinksLittle(t *testing.T) {
	t.Parallel()
	for _, dep := range dependencies(t, "qmail-queue") {
		first, _, _ := strings.Cut(dep, "/")
		if (first == "goqmail" || strings.Contains(first, ".")) && !slices.Contains(onlyQueue, dep) {
			t.Errorf("qmail-queue links %s, which is not on its list", dep)
		}
	}
}

func installed(t *testing.T) []string {
	t.Helper()
	mains, err := filepath.Glob("*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("%d programs, %v", len(mains), err)
	}
	for i := range mains {
		mains[i] = filepath.Dir(mains[i])
	}
	return mains
}

// dependencies lists the packages that a program links.
func dependencies(t *testing.T, program string) []string {
	t.Helper()
	list := exec.Command("go", "list", "-deps", "./"+program)
	list.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list %s: %v", program, err)
	}
	return strings.Fields(string(out))
}

// privileged are the folders whose code may become another user, or start a
// program as one.
var privileged = []string{
	"internal/start", "internal/spawn", "cmd/qmail-lspawn",
	"internal/become",    // gives up root
	"cmd/qmail-queuectl", // writes as the user of qmail-send
	"cmd/qmail-try",      // gives up root
	"internal/testhost",  // for tests
}

// TestPrivileges finds the code that changes users by what it has to call.
func TestPrivileges(t *testing.T) {
	t.Parallel()
	calls := []string{"Credential", "Setuid", "Setgid", "Setgroups", "Setresuid", "Setresgid", "Setreuid", "Setregid", "Initgroups"}
	eachSource(t, func(file, source string) {
		if slices.Contains(privileged, filepath.ToSlash(filepath.Dir(file))) {
			return
		}
		for _, call := range calls {
			if strings.Contains(source, "syscall."+call) || strings.Contains(source, "unix."+call) {
				t.Errorf("%s uses %s: only %s may become another user", file, call, strings.Join(privileged, ", "))
			}
		}
	})
}

// TestEnds finds code that ends the process elsewhere than in a main function:
// the exit code would be read as a permanent failure.
func TestEnds(t *testing.T) {
	t.Parallel()
	eachSource(t, func(file, source string) {
		inMain := strings.Contains(source, "\npackage main\n") || file == "internal/exitcode/exitcode.go"
		for _, call := range []string{"os.Exit(", "log.Fatal", "log.Panic", "flag.ExitOnError"} {
			if strings.Contains(source, call) && !(inMain && call == "os.Exit(") {
				t.Errorf("%s uses %s: only a main function may end the process", file, call)
			}
		}
	})
}

// eachSource calls f with each Go file of the programs and what they are made of,
// tests left out.
func eachSource(t *testing.T, f func(file, source string)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		file, _ := filepath.Rel("..", path)
		if d.IsDir() && (file == "test" || len(file) > 1 && file[0] == '.') {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		f(file, string(source))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
