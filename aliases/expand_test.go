package aliases

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"goqmail/internal/cdb"
	"goqmail/internal/fault"
)

// table is a compiled table in memory.
type table map[string][]byte

func (m table) Get(key []byte) ([]byte, bool, error) {
	v, ok := m[string(key)]
	return v, ok, nil
}

func compiled(t *testing.T, text string) table {
	t.Helper()
	entries, _, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	m := table{}
	for _, e := range entries {
		m[string(key(e.Name))] = pack(e.Targets)
	}
	return m
}

var files = fstest.MapFS{
	"list":     {Data: []byte("ann@far.example\nkim\n:include:/more\n")},
	"more":     {Data: []byte(":include:/list\nbob@far.example # twice\nann@far.example")},
	"writable": {Data: []byte("ann\n"), Mode: 0o666},
	"program":  {Data: []byte("|rm\n")},
	"refusal":  {Data: []byte(":fail: no\n")},
	"broken":   {Data: []byte("a b\n")},
	"empty":    {},
	"folder":   {Mode: fs.ModeDir},
}

func openFile(name string) (fs.File, error) { return files.Open(strings.TrimPrefix(name, "/")) }

func TestRecipient(t *testing.T) {
	addrs := func(list ...string) (targets []Target) {
		for _, a := range list {
			targets = append(targets, Target{Address, a})
		}
		return targets
	}
	tests := []struct {
		name, text, local string
		want              Expansion
	}{
		{"one", "a: x@y", "a", Expansion{Targets: addrs("x@y")}},
		{"case", "a: x@y", "A", Expansion{Targets: addrs("x@y")}},
		{"through others", "a: b, c\nb: x@y, d\nd: z@y", "a", Expansion{Targets: addrs("x@y", "z@y", "c")}},
		{"each once", "a: b, c, x@y\nb: x@y, c\nc: z@y, \\w\nw: v", "a", Expansion{Targets: addrs("x@y", "z@y", "w")}},
		{"address before name", "a: x\na@here: y", "a", Expansion{Targets: addrs("y")}},
		{"name before host", "@here: x\na: y", "a", Expansion{Targets: addrs("y")}},
		{"host", "@here: x", "a", Expansion{Targets: addrs("x")}},
		{"other kinds", "a: |b, /c, /dev/null", "a", Expansion{Targets: []Target{{Program, "b"}, {File, "/c"}}}},
		{"nothing", "a: /dev/null", "a", Expansion{}},
		{"itself", "a: a, x@y", "a", Expansion{Targets: addrs("x@y"), Self: true}},
		{"itself with a backslash", `a: \a, x@y`, "a", Expansion{Targets: addrs("x@y"), Self: true}},
		{"itself with a host", `a: A@HERE, x@y`, "a", Expansion{Targets: addrs("x@y"), Self: true}},
		{"itself elsewhere", `a: a@there`, "a", Expansion{Targets: addrs("a@there")}},
		{"itself through another", "a: b\nb: a", "a", Expansion{Self: true}},
		{"another that names itself", "a: b, c\nb: b, x@y", "a", Expansion{Targets: addrs("b", "c")}},
		{"ring of others", "a: b, x@y\nb: c\nc: b", "a", Expansion{Targets: addrs("x@y")}},
		{"owner", "a: x@y\nowner-a: z", "a", Expansion{Targets: addrs("x@y"), Owner: "owner-a@here"}},
		{"owner of another", "a: b\nb: x@y\nowner-b: z", "a", Expansion{Targets: addrs("b")}},
		{"owner of the host", "@here: x@y\nowner-@here: z", "a", Expansion{Targets: addrs("x@y")}},
		{"include", "a: :include:/list\nkim: x@y", "a", Expansion{Targets: addrs("ann@far.example", "x@y", "bob@far.example")}},
		{"include of nothing", "a: :include:/empty", "a", Expansion{}},
	}
	for _, tt := range tests {
		got, ok, err := Expander{Table: compiled(t, tt.text), Open: openFile}.Recipient(tt.local, "here")
		if err != nil || !ok || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v, %v, want %+v", tt.name, got, ok, err, tt.want)
		}
	}
	if _, ok, err := (Expander{Table: compiled(t, "a: b")}).Recipient("b", "here"); ok || err != nil {
		t.Errorf("an unknown name: %v, %v", ok, err)
	}
}

func TestRecipientErrors(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       error
	}{
		{"ring", "a: b\nb: c\nc: b", ErrLoop},
		{"no file", "a: :include:/none", fs.ErrNotExist},
		{"folder", "a: :include:/folder", fs.ErrInvalid},
		{"writable file", "a: :include:/writable", ErrWritable},
		{"refusal in a file", "a: :include:/refusal", ErrInclude},
		{"program in a file", "a: :include:/program", ErrInclude},
		{"bad file", "a: :include:/broken", ErrFormat},
	} {
		_, _, err := Expander{Table: compiled(t, tt.text), Open: openFile}.Recipient("a", "here")
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	var many strings.Builder
	for i := range MaxTargets + 1 {
		fmt.Fprintf(&many, "a%d: a%d\n", i, i+1)
	}
	if _, _, err := (Expander{Table: compiled(t, many.String())}).Recipient("a0", "here"); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
	if _, _, err := (Expander{Table: table{":a": []byte("=x\x00")}}).Recipient("a", "here"); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

func TestFault(t *testing.T) {
	for text, want := range map[string]fault.Error{
		"a: x, :fail: gone":             {Perm: true, Text: "gone (#5.1.1)"},
		"a: b\nb: :defer: moving, wait": {Text: "moving, wait (#4.2.1)"},
		"a: b\nb: c\nc: b":              {Perm: true, Text: "Sorry, this alias leads to itself and to nobody else. (#5.4.6)"},
		"a: :include:/program":          {Text: "Unable to read aliases: include /program: an included file may hold nothing but addresses. (#4.3.5)"},
	} {
		_, _, err := Expander{Table: compiled(t, text), Open: openFile}.Recipient("a", "here")
		var f *fault.Error
		if !errors.As(Fault(err), &f) || f.Perm != want.Perm || f.Text != want.Text {
			t.Errorf("%q: %v, want %v", text, f, want)
		}
	}
	if Fault(nil) != nil {
		t.Error("no error is one")
	}
}

func TestList(t *testing.T) {
	targets, err := ParseList("\\kim, ann@far.example\n:include:/more")
	if err != nil {
		t.Fatal(err)
	}
	self := func(a string) bool { return a == "kim" }
	got, err := Expander{Open: openFile}.List(targets, self)
	want := Expansion{Targets: []Target{{Address, "ann@far.example"}, {Address, "bob@far.example"}}, Self: true}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

func TestRebuild(t *testing.T) {
	name := filepath.Join(t.TempDir(), "aliases")
	if _, err := Rebuild(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a table: %v", err)
	}
	write := func(text string, mode fs.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(name, []byte(text), 0o644), os.Chmod(name, mode)); err != nil {
			t.Fatal(err)
		}
	}
	look := func(name string) string {
		t.Helper()
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		e, ok, err := Expander{Table: cdb.NewReader(file)}.Recipient("postmaster", "here")
		return fmt.Sprint(e.Targets, ok, err)
	}
	write("postmaster: kim\npostmaster: ann\n", 0o644)
	if twice, err := Rebuild(name); err != nil || len(twice) != 1 || twice[0] != 2 {
		t.Errorf("rebuild: %v, %v", twice, err)
	}
	const want = "[forward kim] true <nil>"
	if got := look(name + ".cdb"); got != want {
		t.Errorf("postmaster is %s, want %s", got, want)
	}
	for text, mode := range map[string]fs.FileMode{"bad\n": 0o644, "postmaster: ann\n": 0o646} {
		write(text, mode)
		if _, err := Rebuild(name); err == nil {
			t.Errorf("%q with mode %o is taken", text, mode)
		}
		if got := look(name + ".cdb"); got != want {
			t.Errorf("afterwards postmaster is %s, want %s", got, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Dir(name) + "/*"); len(left) != 2 {
		t.Errorf("it leaves %q", left)
	}
}

// Whatever the table, an expansion ends, gives nothing twice, and nothing that would
// have to be expanded further.
func FuzzRecipient(f *testing.F) {
	f.Add(example, "root")
	f.Add("a: b, \\c, :include:/list\nb: a, |d, /e\nowner-b: x\n@here: a", "a")
	f.Fuzz(func(t *testing.T, text, name string) {
		entries, _, err := Parse(text)
		if err != nil {
			return
		}
		m := table{}
		for _, e := range entries {
			m[string(key(e.Name))] = pack(e.Targets)
		}
		e, ok, err := Expander{Table: m, Open: openFile}.Recipient(name, "here")
		if err != nil || !ok {
			return
		}
		seen := map[Target]bool{}
		for _, target := range e.Targets {
			if seen[target] || strings.IndexByte("&|/", byte(target.Kind)) < 0 {
				t.Errorf("%q expands to %v", text, e.Targets)
			}
			seen[target] = true
		}
		if lines := strings.Count(e.Lines(), "\n"); lines != len(e.Targets) {
			t.Errorf("%q makes %d lines of %d targets", text, lines, len(e.Targets))
		}
	})
}
