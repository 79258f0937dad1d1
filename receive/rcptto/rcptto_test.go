package rcptto

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/control"
	"goqmail/internal/cdb"
	"goqmail/receive/receivetest"
)

// example is the file of the package documentation.
const example = `spamtrap@example.org
@old.example.org
^[0-9]+@
!@example\.(org|net)$
`

// database makes a cdb of keys, each with a value after a blank if it has one.
func database(t testing.TB, path string, records ...string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := cdb.NewWriter(f)
	for _, r := range records {
		key, value, _ := strings.Cut(r, " ")
		if err := w.Add([]byte(key), []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
}

func TestBad(t *testing.T) {
	for _, tt := range []struct {
		lines, to string
		want      bool
	}{
		{example, "SpamTrap@example.org", true},
		{example, "no-spamtrap@example.org", false},
		{"@example.org\nspamtrap@example.net\n", "spamtrap@sub.example.org", false},
		{example, "joe@Old.example.org", true},
		{example, "joe@example.org", false},
		{example, "joe@very.old.example.org", true}, // by the last line
		{example, "007@example.org", true},
		{example, "joe@EXAMPLE.net", false},
		{example, "joe@example.com", true},
		{example, "joe", true},
		{"a+b@example.org\n", "a+b@example.org", true},
		{"a+b@example.org\n", "aab@example.org", false},
		{"@.*@\n%.*@\n", "a@b@c", true},
		{"@.*@\n%.*@\n", "a%b@c", true},
		{"@.*@\n%.*@\n", "a@c", false},
		{"viagra\n", "big-VIAGRA@example.org", true},
		{"VIA[GK]RA\n", "viakra@example.org", true},
		{"!joe@example.org\n", "joe@example.org", false},
		{"!joe@example.org\n", "ann@example.org", true},
		{"(\n*x\n[\n", "joe@example.org", false},
		{"[!%#:*^(){}]\n", "a!b@example.org", true},
	} {
		l := &Lists{}
		if got := matches(l.patterns(control.ParseList(tt.lines)), lower(tt.to)); got != tt.want {
			t.Errorf("%q, with %q: %v, want %v", tt.to, tt.lines, got, tt.want)
		}
	}
	l := &Lists{}
	if l.patterns([]string{"(", "a", "*x", "!["}); len(l.Broken) != 3 {
		t.Errorf("broken are %q", l.Broken)
	}
}

func TestCheck(t *testing.T) {
	const list = "joe@example.org\n-ann@example.org\n@example.org\n-@example.net\nbob@example.net\nbob-default@example.net\nBob-A-Default@example.net\n-bob-no-default@example.net\n-two@example.com\ntwo@example.com\n"
	for _, tt := range []struct {
		name     string
		files    map[string]string
		more     []string // lines of morevalidrcptto.cdb
		all      []string // of validrcptto.cdb
		relay    bool
		verdicts string // each an address and its verdict
	}{
		{"nothing", nil, nil, nil, false, "joe@example.org=0"},
		{"a list", map[string]string{"validrcptto": list}, nil, nil, false,
			"joe@example.org=1 JOE@Example.ORG=1 ann@example.org=3 other@example.org=1 x@example.net=3 bob@example.net=1 bob-x@example.net=1 " +
				"bob-a-x-y@example.net=1 bob-no-x@example.net=3 bob-no@example.net=1 two@example.com=1 x@example.com=0 joe=0 @example.org=1 postmaster@example.net=3"},
		{"a list for relay clients", map[string]string{"validrcptto": list}, nil, nil, true, "ann@example.org=0 x@example.net=0"},
		{"an empty list", map[string]string{"validrcptto": "#\n"}, nil, nil, false, "joe@example.org=0"},
		{"more", map[string]string{"validrcptto": "a@example.org\n-b@example.org\n"},
			[]string{"b@example.org", "-c@example.org", "-a@example.org", "joe-default@example.org", "-@example.org"}, nil, false,
			"a@example.org=1 b@example.org=1 c@example.org=3 joe-x@example.org=1 x@example.org=3 x@example.net=0"},
		{"all", nil, nil, []string{"a@example.org", "b@example.org -", "c@example.org +x", "@example.net", "d@example.net -", "joe-default@example.org", "joe-no-default@example.org -"}, false,
			"A@example.org=1 b@example.org=3 c@example.org=1 x@example.net=1 d@example.net=3 joe-x@example.org=1 joe-no-x@example.org=3 x@example.org=3 x=3 postmaster@example.org=0 Postmaster=0"},
		{"all for relay clients", nil, nil, []string{"a@example.org"}, true, "x@example.org=0"},
		{"good", map[string]string{"goodrcptto": "joe@example.org\n@example.net\ninfo\n"}, nil, nil, false,
			"joe@example.org=0 Joe@example.ORG=0 ann@example.org=4 ann@example.net=0 INFO@example.com=0 info=0 postmaster@example.org=0"},
		{"good but not valid", map[string]string{"goodrcptto": "@example.org\n", "validrcptto": "-ann@example.org\njoe@example.org\n"}, nil, nil, false,
			"joe@example.org=1 ann@example.org=3 x@example.org=0"},
		{"good for relay clients", map[string]string{"goodrcptto": "joe@example.org\n"}, nil, nil, true, "ann@example.org=0"},
		{"bad", map[string]string{"badrcptto": "ann@example.org\n", "badrcpttonorelay": "joe@example.org\n", "validrcptto": "@example.org\n"}, nil, nil, false,
			"ann@example.org=2 joe@example.org=2 x@example.org=1"},
		{"bad for relay clients", map[string]string{"badrcptto": "ann@example.org\n", "badrcpttonorelay": "joe@example.org\n"}, nil, nil, true,
			"ann@example.org=2 joe@example.org=0"},
	} {
		folder := receivetest.Control(t, tt.files)
		if tt.more != nil {
			database(t, filepath.Join(folder, "morevalidrcptto.cdb"), tt.more...)
		}
		if tt.all != nil {
			database(t, filepath.Join(folder, "validrcptto.cdb"), tt.all...)
		}
		l, err := Read(folder, nil)
		if err != nil {
			t.Fatal(err)
		}
		for verdict := range strings.FieldsSeq(tt.verdicts) {
			to, want := verdict[:len(verdict)-2], Verdict(verdict[len(verdict)-1]-'0')
			if got, err := l.Check(to, tt.relay); got != want || err != nil {
				t.Errorf("%s: %s: %v, %v, want %v", tt.name, to, got, err, want)
			}
		}
	}
}

func TestOtherFiles(t *testing.T) {
	folder := receivetest.Control(t, map[string]string{"validrcptto": "-joe@example.org\n", "other": "joe@example.org\n"})
	database(t, filepath.Join(folder, "a.cdb"), "ann@example.org")
	database(t, filepath.Join(folder, "b.cdb"), "bob@example.org")
	l, err := Read(folder, map[string]string{
		"VALIDRCPTTO": filepath.Join(folder, "other"), "MOREVALIDRCPTTO_CDB": filepath.Join(folder, "a.cdb"), "VALIDRCPTTO_CDB": filepath.Join(folder, "b.cdb")})
	if err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]Verdict{"joe@example.org": Valid, "ann@example.org": Valid, "bob@example.org": Valid, "x@example.org": Invalid} {
		if got, err := l.Check(to, false); got != want || err != nil {
			t.Errorf("%s: %v, %v, want %v", to, got, err, want)
		}
	}
}

// TestTrouble checks that nobody is refused for a file that cannot be read.
func TestTrouble(t *testing.T) {
	for _, name := range []string{"badrcptto", "badrcpttonorelay", "goodrcptto", "validrcptto"} {
		folder := receivetest.Control(t, nil)
		if err := os.Mkdir(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(folder, nil); err == nil {
			t.Errorf("%s is a folder, and that goes unnoticed", name)
		}
	}
	for _, name := range []string{"morevalidrcptto.cdb", "validrcptto.cdb"} {
		folder := receivetest.Control(t, map[string]string{name: "short"})
		l, err := Read(folder, nil)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := l.Check("x@example.org", false); v != Unknown || err == nil {
			t.Errorf("with a damaged %s: %v, %v", name, v, err)
		}
	}
}

// FuzzCheck: nothing is refused for good that no file speaks of, and what a list has
// as it stands is never unknown.
func FuzzCheck(f *testing.F) {
	f.Add("joe@example.org", "^a.*b$", "joe@example.org")
	f.Add("a@b@c", "!(", "-default@c")
	f.Add("-@", "[[:alpha:]", "@")
	f.Fuzz(func(t *testing.T, to, bad, entry string) {
		l := &Lists{valid: control.Set([]string{entry}), more: "none/there", all: "none/there"}
		l.badNoRelay = l.patterns(control.ParseList(bad))
		v, err := l.Check(to, true)
		if v != Unknown || err != nil {
			t.Errorf("%q from a relay client: %v, %v", to, v, err)
		}
		if v, err = l.Check(to, false); err != nil || v == Invalid && !strings.HasPrefix(entry, "-") {
			t.Errorf("%q, with %q and %q: %v, %v", to, bad, entry, v, err)
		}
		if v == Bad && len(l.badNoRelay) == 0 {
			t.Errorf("%q is bad by %q", to, bad)
		}
		if v, _ := (&Lists{valid: control.Set([]string{to}), more: "none/there", all: "none/there"}).Check(to, false); v != Valid {
			t.Errorf("%q is in the list and yet %v", to, v)
		}
	})
}
