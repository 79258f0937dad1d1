package rcptcheck

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goqmail/aliases"
	"goqmail/dot-qmail"
	"goqmail/internal/cdb"
	"goqmail/internal/fault"
	"goqmail/users"
)

// world is a host: control files, and homes with .qmail files.
type world struct {
	Checker
	dir string
}

var settings = map[string]string{
	"me":             "mx.example.org\n",
	"locals":         "mx.example.org\nexample.org\nhack.example\n",
	"virtualdomains": "virtual.example:joe\n.below.example:joe-sub\nout.below.example:\nann@far.example:ann\n",
	"percenthack":    "hack.example\n",
}

// newWorld makes a host. Users are joe, ann, who has no .qmail files, root, and
// alias, whose every other address is.
func newWorld(t testing.TB, files ...string) *world {
	t.Helper()
	w := &world{dir: t.TempDir()}
	for _, home := range []string{"control", "joe", "ann", "alias"} {
		if err := os.Mkdir(filepath.Join(w.dir, home), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range settings {
		w.write(t, "control/"+name, text)
	}
	for _, name := range files {
		w.write(t, name, "#\n")
	}
	w.Checker = Checker{
		Control:     filepath.Join(w.dir, "control"),
		Find:        w.find,
		Hidden:      func(local string) bool { return strings.HasPrefix(local, "hidden") },
		Looks:       []Look{Plain},
		Fastforward: "/home/bin/fastforward",
	}
	return w
}

func (w *world) write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (w *world) find(local string) (users.User, error) {
	name, ext, dashed := strings.Cut(local, "-")
	u := users.User{Name: name, UID: uint32(os.Getuid()) | 1, GID: uint32(os.Getgid()), Home: filepath.Join(w.dir, name)}
	if dashed {
		u.Dash, u.Ext = "-", ext
	}
	switch name {
	case "joe", "ann":
	case "toor":
		u.UID = 0
	case "gone", "sticky", "writable":
		u.Dash, u.Ext = "-", "x"
	case "refused":
		return u, fault.Hard("no")
	case "broken":
		return u, fault.Soft("trouble", nil)
	default:
		u.Home, u.Dash, u.Ext = filepath.Join(w.dir, "alias"), "-", local
	}
	return u, nil
}

func TestCheck(t *testing.T) {
	w := newWorld(t, "joe/.qmail-list", "joe/.qmail-a-default", "joe/.qmail-a:b", "joe/.qmail-sub-default", "alias/.qmail-info", "alias/.qmail-root")
	for _, name := range []string{"joe/.qmail-folder", "sticky", "writable"} {
		if err := os.Mkdir(filepath.Join(w.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(
		os.Chmod(filepath.Join(w.dir, "sticky"), 0o755|fs.ModeSticky),
		os.Chmod(filepath.Join(w.dir, "writable"), 0o757),
		os.Symlink("none", filepath.Join(w.dir, "joe/.qmail-dangling")),
		os.Symlink(".qmail-list", filepath.Join(w.dir, "joe/.qmail-link")),
		syscall.Mkfifo(filepath.Join(w.dir, "joe/.qmail-fifo"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		to   string
		want Verdict
	}{
		{"joe@example.org", Exists},
		{"JOE@Example.ORG", Absent}, // find is not that of the system
		{"joe", Exists},             // at me
		{"joe@elsewhere.example", Unknown},
		{"joe-list@example.org", Exists},
		{"joe-LIST@example.org", Exists},
		{"joe-x@example.org", Absent},
		{"joe-a@example.org", Absent},
		{"joe-a-x-y@example.org", Exists},
		{"joe-a.b@example.org", Exists},
		{"joe-folder@example.org", Absent},
		{"joe-folder/x@example.org", Absent},
		{"joe-list/x@example.org", Absent},
		{"joe-fifo@example.org", Absent},
		{"joe-dangling@example.org", Absent},
		{"joe-link@example.org", Exists},
		{"joe-@example.org", Absent},
		{"joe-" + strings.Repeat("x", 300) + "@example.org", Absent},
		{strings.Repeat("x", 1003) + "@example.org", Unknown},
		{"joe%example.org@hack.example", Exists},
		{"joe-x%example.org@hack.example", Absent},
		{"joe%elsewhere.example@hack.example", Unknown},
		{"list@virtual.example", Exists},
		{"nolist@virtual.example", Absent},
		{"any@a.below.example", Exists},
		{"any@out.below.example", Unknown},
		{"ann@far.example", Absent}, // ann-ann
		{"bob@far.example", Unknown},
		{"info@example.org", Exists},
		{"nobody@example.org", Absent},
		{"@example.org", Exists}, // as far as qmail-lspawn goes
		{"@virtual.example", Absent},
		{"", Exists},
		{"postmaster@example.org", Exists},
		{"PostMaster@virtual.example", Exists},
		{"postmaster@elsewhere.example", Unknown},
		{"mailer-daemon@example.org", Absent},
		{"toor-x@example.org", Unknown},
		{"gone@example.org", Unknown},
		{"sticky@example.org", Unknown},
		{"writable@example.org", Unknown},
		{"hidden@example.org", Unknown},
		{"refused@example.org", Absent},
		{"broken@example.org", Later},
	} {
		if got, err := w.Check(tt.to); got != tt.want || err != nil != (tt.want == Later) {
			t.Errorf("%s: %v, %v, want %v", tt.to, got, err, tt.want)
		}
	}
}

// TestClosedHome has a home that may not be looked into.
func TestClosedHome(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may look into any home")
	}
	w := newWorld(t, "joe/.qmail-list")
	if err := os.Chmod(filepath.Join(w.dir, "joe"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(w.dir, "joe"), 0o755)
	for _, to := range []string{"joe-list@example.org", "joe-none@example.org"} {
		if got, err := w.Check(to); got != Unknown || err != nil {
			t.Errorf("%s: %v, %v", to, got, err)
		}
	}
	for to, want := range map[string]Verdict{"joe@example.org": Exists, "ann-x@example.org": Absent} {
		if got, _ := w.Check(to); got != want {
			t.Errorf("%s: %v, want %v", to, got, want)
		}
	}
}

// TestTrouble checks that no trouble with control files is a refusal.
func TestTrouble(t *testing.T) {
	for _, name := range []string{"me", "locals", "virtualdomains", "percenthack", "envnoathost"} {
		w := newWorld(t)
		file := filepath.Join(w.Control, name)
		if err := errors.Join(os.RemoveAll(file), os.Mkdir(file, 0o755)); err != nil {
			t.Fatal(err)
		}
		if got, err := w.Check("nobody@example.org"); got != Later || err == nil {
			t.Errorf("%s is a folder: %v, %v", name, got, err)
		}
	}
	w := newWorld(t)
	os.Remove(filepath.Join(w.Control, "me"))
	os.Remove(filepath.Join(w.Control, "locals"))
	if got, err := w.Check("nobody@example.org"); got != Later || err == nil {
		t.Errorf("without me and locals: %v, %v", got, err)
	}
}

// TestFastforward has alias leave the decision to a table.
func TestFastforward(t *testing.T) {
	w := newWorld(t)
	table := filepath.Join(w.dir, "aliases.cdb")
	f, err := os.Create(table)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	entries, _, err := aliases.Parse("info: joe\n@virtual.example: ann\nsales@example.org: joe\nlist: :include:/none/there\nno: :fail: gone\nself: self\n")
	to := cdb.NewWriter(f)
	if err := errors.Join(err, aliases.Compile(entries, to), to.Finish()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ text, exist, absent string }{
		{"|/home/bin/fastforward -d TABLE\n", "info INFO sales list self no", "nobody info-x postmasters"},
		{"|/home/bin/fastforward TABLE\n", "info sales", "nobody"},
		{"# aliases\n| /home/bin/fastforward  -D TABLE", "info", "nobody"},
		{"|/home/bin/fastforward -p TABLE\n", "info nobody", ""},
		{"|/home/bin/fastforward -n TABLE\n", "nobody", ""},
		{"|/home/bin/fastforward -d TABLE\njoe\n", "nobody", ""},
		{"|/home/bin/fastforward -d TABLE; exit 0\n", "nobody", ""},
		{"|/home/bin/fastforward -d TABLE TABLE\n", "nobody", ""},
		{"|/home/bin/fastforward -d aliases.cdb\n", "nobody", ""},
		{"|/home/bin/fastforward -d TABLE.missing\n", "nobody", ""},
		{"|/home/bin/fastforward -x TABLE\n", "nobody", ""},
		{"|fastforward -d TABLE\n", "nobody", ""},
		{"|/opt/bin/fastforward -d TABLE\n", "nobody", ""},
		{"|/home/bin/except fastforward -d TABLE\n", "nobody", ""},
		{"+list\n|/home/bin/fastforward -d TABLE\n", "nobody", ""},
		{"&joe\n", "nobody", ""},
		{"", "nobody", ""},
		{"\n", "nobody", ""},
		{"|/home/bin/fastforward -d TABLE\n#" + strings.Repeat("#", 5000), "nobody", ""},
	} {
		w.write(t, "alias/.qmail-default", strings.ReplaceAll(tt.text, "TABLE", table))
		for list, want := range map[string]Verdict{tt.exist: Exists, tt.absent: Absent} {
			for name := range strings.FieldsSeq(list) {
				if got, err := w.Check(name + "@example.org"); got != want || err != nil {
					t.Errorf("%q: %s: %v, %v, want %v", tt.text, name, got, err, want)
				}
			}
		}
	}
	w.write(t, "alias/.qmail-default", "|/home/bin/fastforward -d "+table)
	os.Chmod(filepath.Join(w.dir, "alias/.qmail-default"), 0o744)
	if got, _ := w.Check("nobody@example.org"); got != Exists {
		t.Errorf("a file with its execute bit: %v", got)
	}
	w.write(t, "aliases.cdb", "short")
	os.Chmod(filepath.Join(w.dir, "alias/.qmail-default"), 0o644)
	if got, _ := w.Check("nobody@example.org"); got != Exists {
		t.Errorf("with a damaged table: %v", got)
	}
}

// TestHidden checks the rules for homes that cannot be seen.
func TestHidden(t *testing.T) {
	rules := users.Rules{
		Sources: []users.Source{func(names []string) (map[string]users.Account, error) {
			return map[string]users.Account{
				"joe": {Name: "joe", UID: 5, Home: "/closed"}, "ann": {Name: "ann", UID: 6, Home: "/none"},
				"joe-x": {Name: "joe-x", UID: 7, Home: "/seven"}, "alias": {Name: "alias", UID: 8, Home: "/alias"},
				"toor": {Name: "toor", Home: "/closed"}, "eve": {Name: "eve", UID: 9, Home: "/home/eve"},
			}, nil
		}},
		Owner: func(home string) (uint32, error) {
			switch home {
			case "/seven":
				return 7, nil
			case "/closed":
				return 0, syscall.EACCES
			}
			return 0, syscall.ENOENT
		},
		Alias: "alias", Break: '-',
	}
	for local, want := range map[string]bool{"joe": true, "joe-y": true, "joe-x": false, "joe-x-y": false, "ann": false, "toor": false, "bob": false, "joey": false, "eve": true, "eve-x": true} {
		if got := hidden(rules, local); got != want {
			t.Errorf("%s: %v, want %v", local, got, want)
		}
	}
	rules.Sources = []users.Source{func([]string) (map[string]users.Account, error) { return nil, errors.New("trouble") }}
	if !hidden(rules, "bob") {
		t.Error("without a password file nobody is hidden")
	}
}

// TestVouched checks that only homes that are known to be are looked into.
func TestVouched(t *testing.T) {
	table := filepath.Join(t.TempDir(), "cdb")
	f, err := os.Create(table)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := cdb.NewWriter(f)
	if err := errors.Join(users.Compile(strings.NewReader("+joe-:joe:5:100:/joe:-::\n.\n"), w), w.Finish()); err != nil {
		t.Fatal(err)
	}
	accounts := func(names []string) (map[string]users.Account, error) {
		if names[0] == "trouble" {
			return nil, errors.New("trouble")
		}
		return map[string]users.Account{"ann": {Name: "ann", UID: 6, GID: 100, Home: "/ann"}}, nil
	}
	looked := func(users.User, dotqmail.Recipient) (*File, bool, error) { return nil, false, nil }
	look := vouched(looked, table, accounts)
	for _, tt := range []struct {
		local string
		u     users.User
		want  error
	}{
		{"joe-x", users.User{Name: "joe", UID: 5, GID: 100, Home: "/joe", Dash: "-", Ext: "x"}, nil},
		{"joe-x", users.User{Name: "joe", UID: 5, GID: 100, Home: "/joe", Dash: "-", Ext: "y"}, ErrHidden},
		{"joe-x", users.User{Name: "joe", UID: 5, GID: 100, Home: "/other", Dash: "-", Ext: "x"}, ErrHidden},
		{"ann-x", users.User{Name: "ann", UID: 6, GID: 100, Home: "/ann", Dash: "-", Ext: "x"}, nil},
		{"ann-x", users.User{Name: "ann", UID: 7, GID: 100, Home: "/ann", Dash: "-", Ext: "x"}, ErrHidden},
		{"ann-x", users.User{Name: "ann", UID: 6, GID: 101, Home: "/ann", Dash: "-", Ext: "x"}, ErrHidden},
		{"ann-x", users.User{Name: "ann", UID: 6, GID: 100, Home: "/", Dash: "-", Ext: "x"}, ErrHidden},
		{"bob-x", users.User{}, ErrHidden},
		{"bob-x", users.User{Name: "bob", UID: 8, GID: 100, Home: "/bob"}, ErrHidden},
		{"trouble", users.User{Name: "trouble"}, ErrHidden},
	} {
		if _, _, err := look(tt.u, dotqmail.Recipient{Local: tt.local}); err != tt.want {
			t.Errorf("%s of %+v: %v", tt.local, tt.u, err)
		}
	}
	if _, _, err := vouched(looked, table+".none", accounts)(users.User{Name: "joe"}, dotqmail.Recipient{Local: "joe-x"}); err != ErrHidden {
		t.Errorf("without users/cdb: %v", err)
	}
}

// FuzzCheck: who is absent would be refused by qmail-local, too, and nobody else is.
func FuzzCheck(f *testing.F) {
	w := newWorld(f, "joe/.qmail-list", "joe/.qmail-a-default", "joe/.qmail-a:b", "joe/.qmail-sub-default", "alias/.qmail-info", "alias/.qmail-b-default")
	for _, to := range []string{"joe-list@example.org", "joe-A-x", "a.b@virtual.example", "x%b@hack.example", "joe-/../x@example.org", "info@a.below.example", "\x00@", "joe-a/b-\xff@example.org", ""} {
		f.Add(to)
	}
	f.Fuzz(func(t *testing.T, to string) {
		v, err := w.Check(to)
		if v == Later && !strings.HasPrefix(to, "broken") || (v == Later) != (err != nil) {
			t.Fatalf("%q: %v, %v", to, v, err)
		}
		table, err := w.routes()
		if err != nil {
			t.Fatal(err)
		}
		here, addr := table.Route(to)
		if !here {
			if v != Unknown {
				t.Errorf("%q is not for this host, and is %v", to, v)
			}
			return
		}
		local, _, _ := strings.Cut(addr, "@")
		if i := strings.LastIndexByte(addr, '@'); i >= 0 {
			local = addr[:i]
		}
		if local == "" {
			if v == Absent {
				t.Errorf("%q is absent, but mail for nobody is thrown away", to)
			}
			return
		}
		u, err := w.find(local)
		if err != nil {
			return
		}
		plan, err := dotqmail.Recipient{Dash: u.Dash, Ext: u.Ext}.Plan(folder(u.Home), "./Mailbox")
		if v == Absent && !fault.IsPermanent(err) {
			t.Errorf("%q is absent, but there is %+v, %v", to, plan, err)
		}
		if v == Exists && fault.IsPermanent(err) && !strings.EqualFold(local[max(0, len(local)-10):], "postmaster") {
			t.Errorf("%q exists, but %v", to, err)
		}
	})
}

// folder is a home for dotqmail.
type folder string

func (f folder) Open(name string) (fs.File, error) {
	return os.OpenFile(filepath.Join(string(f), name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

func (f folder) Stat(name string) (fs.FileInfo, error) {
	return os.Stat(filepath.Join(string(f), name))
}
