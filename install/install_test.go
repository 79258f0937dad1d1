package install

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goqmail/control"
	"goqmail/internal/ids"
)

// newSystem is an installation below a folder, as for a package, with programs that say
// their names.
func newSystem(t *testing.T) (*System, *strings.Builder) {
	t.Helper()
	bin, man := t.TempDir(), t.TempDir()
	for _, name := range names {
		write(t, filepath.Join(bin, name), name, 0o755)
	}
	write(t, filepath.Join(man, "qmail-check.8"), ".TH", 0o600)
	out := &strings.Builder{}
	return &System{
		Home: "/var/qmail", Dest: t.TempDir(), Bin: bin, Man: man, Packaging: t.TempDir(), Prefix: "/usr/local", Mailer: true,
		Name: "mx.test.example", Table: filepath.Join(t.TempDir(), "aliases"), Out: out,
		Look: func(string) (string, error) { return "", fs.ErrNotExist },
		Run:  func(argv ...string) error { t.Errorf("%q was run", argv); return nil },
	}, out
}

func write(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), mode)); err != nil {
		t.Fatal(err)
	}
}

func (s *System) try(t *testing.T, out *strings.Builder) string {
	t.Helper()
	out.Reset()
	if err := s.Install(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func modeOf(t *testing.T, path string) string {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return octal(st.Mode())
}

func TestInstallBelow(t *testing.T) {
	t.Parallel()
	s, out := newSystem(t)
	write(t, filepath.Join(s.Packaging, "systemd/qmail.service"), "[Unit]", 0o644)
	write(t, filepath.Join(s.Packaging, "run/rc"), "#!/bin/sh", 0o755)
	said := s.try(t, out)
	for _, want := range []string{
		"/var/qmail: made\n", "/var/qmail/bin/qmail-queue: installed\n", "/var/qmail/queue: made\n",
		"/usr/sbin/sendmail: leads to /var/qmail/bin/sendmail\n", "/var/qmail/man/man8/qmail-check.8: installed\n",
		"/usr/local/lib/systemd/system/qmail.service: installed\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("lacks %q:\n%s", want, said)
		}
	}
	for name, want := range map[string]string{
		"/var/qmail/bin/qmail-queue":    "711", // set-uid it would be so for root
		"/var/qmail/bin/mailq":          "711",
		"/var/qmail/bin/qmail-lspawn":   "700",
		"/var/qmail/bin/sendmail":       "755",
		"/var/qmail/alias":              "2755",
		"/var/qmail/queue/mess/22":      "750",
		"/var/qmail/queue/lock/tcpto":   "644",
		"/var/qmail/boot/rc":            "755",
		"/var/qmail/man/man8":           "755",
		"/var/qmail/queue/lock/send":    "700",
		"/var/qmail/queue/remote/0":     "700",
		"/var/qmail/queue/lock/trigger": "622",
	} {
		if got := modeOf(t, filepath.Join(s.Dest, name)); got != want {
			t.Errorf("%s has mode %s, want %s", name, got, want)
		}
	}
	if exists(filepath.Join(s.Dest, "/var/qmail/control/me")) {
		t.Error("a package has settings")
	}
	if said := s.try(t, out); said != "everything was installed before\n" {
		t.Errorf("again: %s", said)
	}
}

// Scripts are written for the usual home and installed for the one that it is.
func TestOtherHome(t *testing.T) {
	t.Parallel()
	s, out := newSystem(t)
	s.Home = "/srv/mail"
	write(t, filepath.Join(s.Packaging, "run/runit/qmail-send/run"), "#!/bin/sh\nexec /var/qmail/boot/rc\n", 0o755)
	s.try(t, out)
	name := s.path("boot/runit/qmail-send/run")
	if text, err := os.ReadFile(name); string(text) != "#!/bin/sh\nexec /srv/mail/boot/rc\n" || err != nil {
		t.Errorf("the script is %q, %v", text, err)
	}
	if err := s.Remove(); err != nil || exists(s.path("boot")) || exists(s.path("bin")) || !exists(s.path("queue")) {
		t.Errorf("after Remove, %v: %s", err, out)
	}
}

// TestUpgrade checks that programs in use are replaced beside and never changed.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	s, out := newSystem(t)
	s.try(t, out)
	old, err := os.Open(s.path("bin/qmail-send"))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	write(t, filepath.Join(s.Bin, "qmail-send"), "new", 0o755)
	write(t, s.path("control/me"), "mine\n", 0o644)
	if said := s.try(t, out); said != "/var/qmail/bin/qmail-send: replaced\n" {
		t.Errorf("said %q", said)
	}
	text := make([]byte, 100)
	if n, _ := old.Read(text); string(text[:n]) != "qmail-send" {
		t.Errorf("the old program is now %q", text[:n])
	}
	left, err := filepath.Glob(s.path("bin/.*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s, out := newSystem(t)
	s.Home, s.Dest, s.Mailer, s.Bin = filepath.Join(t.TempDir(), "qmail"), "", false, ""
	said := s.try(t, out)
	for name, want := range map[string]string{
		"control/me": "mx.test.example\n", "control/locals": "mx.test.example\nlocalhost\n", "control/rcpthosts": "mx.test.example\n",
		"control/defaultdomain": "test.example\n", "control/plusdomain": "test.example\n",
		"alias/.qmail-postmaster": "&root\n", "alias/.qmail-root": rootLines,
	} {
		if text, err := os.ReadFile(s.path(name)); string(text) != want || err != nil {
			t.Errorf("%s is %q, %v, want %q", name, text, err, want)
		}
	}
	if !strings.Contains(said, "control/me: made: mx.test.example\n") {
		t.Errorf("said %s", said)
	}
	// What an administrator has changed or removed stays so.
	write(t, s.path("control/me"), "other.example\n", 0o644)
	if err := errors.Join(os.Remove(s.path("control/locals")), os.Remove(s.path("alias/.qmail-postmaster"))); err != nil {
		t.Fatal(err)
	}
	s.Name = "third.example"
	s.try(t, out)
	if text, _ := os.ReadFile(s.path("control/me")); string(text) != "other.example\n" || exists(s.path("control/locals")) || exists(s.path("alias/.qmail-postmaster")) {
		t.Errorf("settings were made again: me is %q", text)
	}
}

func TestNewSettingsAreSettings(t *testing.T) {
	t.Parallel()
	for _, f := range newSettings("mx.test.example") {
		name := strings.TrimPrefix(f.name, "control/")
		if !slices.ContainsFunc(control.Files, func(c control.File) bool { return c.Name == name }) {
			t.Errorf("%s is in no table", f.name)
		}
	}
}

func TestDomains(t *testing.T) {
	t.Parallel()
	for host, want := range map[string][2]string{
		"mx.test.example": {"test.example", "test.example"}, "a.b.c.example": {"b.c.example", "c.example"},
		"test.example": {"test.example", "test.example"}, "localhost": {"localhost", "localhost"},
	} {
		if d, p := defaultDomain(host), plusDomain(host); d != want[0] || p != want[1] {
			t.Errorf("of %s: %s and %s, want %s and %s", host, d, p, want[0], want[1])
		}
	}
}

func TestSplitIsKept(t *testing.T) {
	t.Parallel()
	s, out := newSystem(t)
	for _, kind := range []string{"mess", "info", "local", "remote"} {
		for _, n := range []string{"0", "1", "2"} {
			write(t, s.path("queue/"+kind+"/"+n+"/4711"), "", 0o600)
		}
	}
	s.try(t, out)
	if exists(s.path("queue/mess/3")) || !exists(s.path("queue/mess/2/4711")) || !exists(s.path("queue/lock/send/remote/2")) {
		t.Error("the split is another one")
	}
}

func TestCheckAndRepair(t *testing.T) {
	t.Parallel()
	s, out := newSystem(t)
	s.Mailer = false
	s.try(t, out)
	write(t, s.path("control/me"), "mx.test.example\n", 0o644)
	write(t, s.path("control/rcpthosts"), "mx.test.example\n", 0o644)
	write(t, s.path("alias/.qmail-default"), "&ann\n", 0o644)
	check := func(repair bool, want Level, lines ...string) {
		t.Helper()
		out.Reset()
		worst, err := s.Check(repair)
		if err != nil {
			t.Fatal(err)
		}
		said := strings.TrimSpace(out.String())
		said = strings.ReplaceAll(said, "warning: /var/qmail/queue: nothing is delivered: qmail-send is not running", "")
		if strings.TrimSpace(said) != strings.Join(lines, "\n") {
			t.Errorf("said\n%s\nwant\n%s", said, strings.Join(lines, "\n"))
		}
		if worst != want && (want != Note || worst != Warning) {
			t.Errorf("level %d, want %d", worst, want)
		}
	}
	check(false, Note)
	for _, err := range []error{
		os.Chmod(s.path("bin/qmail-send"), 0o777),
		os.RemoveAll(s.path("queue/bounce")),
		os.Remove(s.path("queue/lock/trigger")),
		os.RemoveAll(s.path("queue/lock/send")),
		os.Remove(s.path("bin/forward")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	check(false, Wrong,
		"wrong: /var/qmail/bin/forward: is missing",
		"wrong: /var/qmail/bin/qmail-send: has mode 777, not 711",
		"wrong: /var/qmail/queue/bounce: is missing",
		"wrong: /var/qmail/queue/lock/trigger: is missing",
		"wrong: /var/qmail/queue/lock/send: is missing")
	check(true, Wrong,
		"wrong: /var/qmail/bin/forward: is missing",
		"repaired: /var/qmail/bin/qmail-send: has mode 777, not 711: mode 711",
		"repaired: /var/qmail/queue/bounce: is missing: made",
		"repaired: /var/qmail/queue/lock/trigger: is missing: made",
		"repaired: /var/qmail/queue/lock/send: is missing: made")
	s.try(t, out)
	check(false, Note)
	write(t, s.path("bin/other"), "x", 0o755)
	if err := errors.Join(os.Chmod(s.path("bin/other"), 0o755|fs.ModeSetuid), os.Chmod(s.path("control/me"), 0o666)); err != nil {
		t.Fatal(err)
	}
	check(true, Warning,
		"warning: /var/qmail/bin/other: is set-uid and no program of this system",
		"warning: /var/qmail/control/me: can be written by everybody")
}

// A link within the queue, which the queue's users can make, must not lead root
// elsewhere.
func TestRepairDoesNotFollowLinks(t *testing.T) {
	t.Parallel()
	s, out := newSystem(t)
	s.try(t, out)
	elsewhere := t.TempDir()
	if err := errors.Join(os.Chmod(elsewhere, 0o755), os.Remove(s.path("queue/bounce")), os.Symlink(elsewhere, s.path("queue/bounce"))); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	worst, err := s.Check(true)
	if worst != Wrong || err != nil || !strings.Contains(out.String(), "queue/bounce: is something else") || modeOf(t, elsewhere) != "755" {
		t.Errorf("level %d, %v, mode %s: %s", worst, err, modeOf(t, elsewhere), out.String())
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	s, _ := newSystem(t)
	dir := t.TempDir()
	s.Accounts = ids.Files{Passwd: filepath.Join(dir, "passwd"), Group: filepath.Join(dir, "group")}
	write(t, s.Accounts.Passwd, "root:x:0:0::/root:/bin/sh\nqmailq:x:801:801::/var/qmail:/bin/false\n", 0o644)
	write(t, s.Accounts.Group, "root:x:0:\nqmail:x:801:\n", 0o644)
	s.Owners = true
	for _, c := range []struct {
		tools []string
		want  []string // of the group and the user alias
	}{
		{[]string{"pw", "useradd", "groupadd"}, []string{"groupadd --system nofiles", "useradd --system --no-create-home --home-dir /var/qmail/alias --gid nofiles --shell"}},
		{[]string{"pw"}, []string{"pw groupadd nofiles", "pw useradd alias -g nofiles -d /var/qmail/alias -s"}},
		{[]string{"adduser", "addgroup"}, []string{"addgroup -S nofiles", "adduser -S -D -H -h /var/qmail/alias -G nofiles -s"}},
	} {
		var ran []string
		s.Look = func(name string) (string, error) {
			if slices.Contains(c.tools, name) {
				return name, nil
			}
			return "", fs.ErrNotExist
		}
		s.Run = func(argv ...string) error { ran = append(ran, strings.Join(argv, " ")); return nil }
		problems, err := s.accounts()
		if err != nil || len(problems) != 1+6 {
			t.Fatalf("%d problems, %v", len(problems), err)
		}
		for _, p := range problems {
			if err := p.Fix(); err != nil {
				t.Fatal(err)
			}
		}
		for i, want := range c.want {
			if !strings.HasPrefix(ran[i], want) {
				t.Errorf("with %q: %q, want %q", c.tools, ran[i], want)
			}
		}
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	s, out := newSystem(t)
	s.try(t, out)
	write(t, s.path("bin/mine"), "x", 0o755)
	write(t, s.path("queue/mess/0/23"), "mail", 0o644)
	if err := s.Remove(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"bin/mine": true, "bin/qmail-queue": false, "queue/mess/0/23": true, "alias": true, "/usr/sbin/sendmail": false, "man": false,
	} {
		if exists(s.path(name)) != want {
			t.Errorf("%s is there: %t, want %t", name, !want, want)
		}
	}
}

// TestNames holds the table and the programs that there are together.
func TestNames(t *testing.T) {
	t.Parallel()
	mains, err := filepath.Glob("../cmd/*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, main := range mains {
		if name := filepath.Base(filepath.Dir(main)); !slices.Contains(names, name) {
			t.Errorf("%s is not in install/table.go", name)
		}
	}
	for _, name := range names {
		if !slices.Contains(mains, "../cmd/"+name+"/main.go") {
			t.Errorf("%s is in the table, and there is no such program", name)
		}
	}
	for name := range programs {
		if !slices.Contains(names, name) {
			t.Errorf("%s has a mode and no name", name)
		}
	}
}

func TestWrapped(t *testing.T) {
	t.Parallel()
	text := "# comment\nsendmail\t/var/qmail/bin/sendmail\nmailq /usr/libexec/sendmail/sendmail\n"
	if !wrapped(text, "sendmail", "/var/qmail/bin/sendmail") || wrapped(text, "mailq", "/var/qmail/bin/mailq") {
		t.Error("mailer.conf is misread")
	}
}

// A table of aliases that the host has is put into effect, and decides about those
// whom it names.
func TestTableOfAliases(t *testing.T) {
	t.Parallel()
	s, out := newSystem(t)
	s.Home, s.Dest, s.Mailer = filepath.Join(t.TempDir(), "qmail"), "", false
	write(t, s.Table, "Root: ann\nmailer-daemon: postmaster\n", 0o644)
	s.try(t, out)
	line, err := os.ReadFile(s.path("alias/.qmail-default"))
	if want := "|" + s.Home + "/bin/fastforward -d " + s.Table + ".cdb\n"; string(line) != want || err != nil || !exists(s.Table+".cdb") {
		t.Errorf(".qmail-default is %q, %v, want %q", line, err, want)
	}
	if exists(s.path("alias/.qmail-root")) || exists(s.path("alias/.qmail-mailer-daemon")) || !exists(s.path("alias/.qmail-postmaster")) {
		t.Errorf("said %s", out)
	}
	if said := s.try(t, out); said != "everything was installed before\n" {
		t.Errorf("again: %s", said)
	}
}

func TestNamesThatNobodyHas(t *testing.T) {
	t.Parallel()
	s, _ := newSystem(t)
	s.Accounts.Passwd = filepath.Join(t.TempDir(), "passwd")
	write(t, s.Accounts.Passwd, "root:x:0:0::/root:/bin/sh\npostmaster:x:1000:1000::/home/postmaster:/bin/sh\n", 0o644)
	write(t, s.path("alias/.qmail-x"), "&ann\n", 0o644)
	if p := s.nobody(); len(p) != 2 || !strings.HasSuffix(p[0].Text, "mail for root bounces") || !strings.HasSuffix(p[1].Text, "mail for mailer-daemon bounces") {
		t.Errorf("without files: %v", p)
	}
	write(t, s.path("alias/.qmail-default"), "&ann\n", 0o644)
	if p := s.nobody(); p != nil {
		t.Errorf("with a file for all: %v", p)
	}
}

func TestRootsMail(t *testing.T) {
	t.Parallel()
	s, _ := newSystem(t)
	write(t, s.path("alias/.qmail-root"), rootLines, 0o644)
	if p := s.rootsMail(); len(p) != 1 || p[0].Level != Note {
		t.Errorf("without mail: %v", p)
	}
	write(t, s.path("alias/Maildir/new/1"), "mail", 0o644)
	if p := s.rootsMail(); len(p) != 1 || p[0].Level != Warning || !strings.Contains(p[0].Text, "has kept 1 messages") {
		t.Errorf("with mail: %v", p)
	}
	write(t, s.path("alias/.qmail-root"), "&ann@test.example\n", 0o644)
	if p := s.rootsMail(); p != nil {
		t.Errorf("with a person: %v", p)
	}
}
