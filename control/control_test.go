package control

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// folder writes control files and opens their folder.
func folder(t *testing.T, files map[string]string) *Folder {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestLine(t *testing.T) {
	with := map[string]string{"me": "mx.example.org\n"}
	tests := []struct {
		name  string
		files map[string]string
		file  string
		want  string
	}{
		{"given", map[string]string{"helohost": "a.example \t\nb\n"}, "helohost", "a.example"},
		{"no newline", map[string]string{"helohost": "a"}, "helohost", "a"},
		{"leading blank and CR count", map[string]string{"helohost": " a\r\n"}, "helohost", " a\r"},
		{"empty", map[string]string{"helohost": "", "me": "m"}, "helohost", ""},
		{"comment is a line", map[string]string{"helohost": "#a\n"}, "helohost", "#a"},
		{"default me", with, "bouncehost", "mx.example.org"},
		{"without me", nil, "bouncehost", "bouncehost"},
		{"literal default", with, "bouncefrom", "MAILER-DAEMON"},
	}
	for _, tt := range tests {
		got, err := folder(t, tt.files).Line(tt.file)
		if got != tt.want || err != nil {
			t.Errorf("%s: Line(%s) = %q, %v, want %q", tt.name, tt.file, got, err, tt.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for _, tt := range []struct {
		text string
		want int
	}{
		{"30\n", 30}, {"0", 0}, {"7x\n", 7}, {"", 20}, {"x\n", 20}, {"-3\n", 20}, {"\n5\n", 20},
		{"99999999999999999999999999\n", 1<<31 - 1},
	} {
		got, err := folder(t, map[string]string{"concurrencyremote": tt.text}).Number("concurrencyremote")
		if got != tt.want || err != nil {
			t.Errorf("%q is the number %d, %v, want %d", tt.text, got, err, tt.want)
		}
	}
}

func TestNumberOfAnotherFile(t *testing.T) {
	for _, tt := range []struct {
		files map[string]string
		want  int
	}{
		{nil, 604800},
		{map[string]string{"queuelifetime": "5"}, 5},
		{map[string]string{"queuelifetime": "5", "bouncelifetime": "0"}, 0},
		{map[string]string{"queuelifetime": "5", "bouncelifetime": "x"}, 5},
	} {
		if got, err := folder(t, tt.files).Number("bouncelifetime"); got != tt.want || err != nil {
			t.Errorf("with %q bouncelifetime is %d, %v, want %d", tt.files, got, err, tt.want)
		}
	}
}

func TestList(t *testing.T) {
	f := folder(t, map[string]string{
		"me":     "m",
		"locals": "# this host\nmx.example.org\nexample.org\t \n\n \n#x\n #y\nlast",
	})
	want := []string{"mx.example.org", "example.org", " #y", "last"}
	if got, ok, err := f.List("locals"); !reflect.DeepEqual(got, want) || !ok || err != nil {
		t.Errorf("List(locals) = %q, %v, %v, want %q", got, ok, err, want)
	}
	f = folder(t, map[string]string{"me": "m"})
	if got, ok, err := f.List("locals"); !reflect.DeepEqual(got, []string{"m"}) || !ok || err != nil {
		t.Errorf("List(locals) = %q, %v, %v, want me", got, ok, err)
	}
	if got, ok, err := f.List("virtualdomains"); got != nil || ok || err != nil {
		t.Errorf("List(virtualdomains) = %q, %v, %v, want none", got, ok, err)
	}
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	os.Mkdir(filepath.Join(dir, "locals"), 0o755)
	os.Mkdir(filepath.Join(dir, "helohost"), 0o755)
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.List("locals"); err == nil {
		t.Error("a folder is read as a list")
	}
	if _, err := f.Line("helohost"); err == nil {
		t.Error("a folder is read as a line")
	}
	if _, err := f.Line("nosuchfile"); err == nil {
		t.Error("a file that is not in the table is read")
	}
	os.Mkdir(filepath.Join(dir, "me"), 0o755)
	if _, err := Open(dir); err == nil {
		t.Error("a folder is read as me")
	}
}

func TestMap(t *testing.T) {
	m := Pairs([]string{"Example.ORG:joe", "b:", "none", "x:1", "X:2:3"})
	for _, tt := range []struct {
		key, want string
		ok        bool
	}{
		{"example.org", "joe", true}, {"EXAMPLE.org", "joe", true}, {"b", "", true},
		{"none", "", false}, {"x", "2:3", true}, {"", "", false},
	} {
		if got, ok := m.Get(tt.key); got != tt.want || ok != tt.ok {
			t.Errorf("Get(%q) = %q, %v, want %q, %v", tt.key, got, ok, tt.want, tt.ok)
		}
	}
	if s := Set([]string{"A.b"}); !s.Has("a.B") || s.Has("a") {
		t.Errorf("Set has the wrong keys: %q", s)
	}
}

func TestFilesAreSorted(t *testing.T) {
	if !slices.IsSortedFunc(Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the table is not in the order of names")
	}
}

func FuzzParseList(f *testing.F) {
	f.Add("# a\nb \nc")
	f.Fuzz(func(t *testing.T, text string) {
		lines := ParseList(text)
		if again := ParseList(strings.Join(lines, "\n")); !reflect.DeepEqual(again, lines) {
			t.Errorf("ParseList(%q) = %q, and of that %q", text, lines, again)
		}
	})
}
