package users

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"goqmail/internal/cdb"
	"goqmail/internal/fault"
)

func TestLookup(t *testing.T) {
	file, err := compile("=joe:simple:1:1:/:::\n=joe:second:1:1:/:::\n+joe-:dash:1:1:/:-:pre-:\n+joe-list-:list:1:1:/:-::\n+joe:wild:1:1:/:-:w:\n+X:upper:1:1:/:::\n+:rest:1:1:/:-::\n.\n")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ local, name, ext string }{
		{"joe", "simple", ""},
		{"JOE", "simple", ""},
		{"joe-Bob", "dash", "pre-Bob"},
		{"Joe-LIST-Bob", "list", "Bob"},
		{"joe-list-", "list", ""},
		{"joe-list", "dash", "pre-list"},
		{"joey", "wild", "wy"},
		{"Xaver", "upper", "aver"},
		{"bill", "rest", "bill"},
		{"", "rest", ""},
		{"jo", "rest", "jo"},
	}
	for _, tt := range tests {
		got, ok, err := Lookup(cdb.NewReader(bytes.NewReader(file)), tt.local)
		if got.Name != tt.name || got.Ext != tt.ext || !ok || err != nil {
			t.Errorf("Lookup(%q) = %v, %v, %v, want %s with %q", tt.local, got, ok, err, tt.name, tt.ext)
		}
	}
}

func TestFinder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cdb")
	asked := 0
	answer := "getpw\x001\x001\x00/\x00\x00\x00"
	var answerErr error
	f := Finder{Table: path, Getpw: func(string) ([]byte, error) { asked++; return []byte(answer), answerErr }}
	expect := func(name, local, want string, wantAsked int, text string) {
		t.Helper()
		u, err := f.Find(local)
		var e *fault.Error
		errors.As(err, &e)
		if u.Name != want || asked != wantAsked || (text == "") != (err == nil) || e != nil && e.Text != text {
			t.Errorf("%s: Find(%s) = %v, %v, qmail-getpw asked %d times, want %q, %q, %d", name, local, u, err, asked, want, text, wantAsked)
		}
	}
	expect("no table", "joe", "getpw", 1, "")
	os.WriteFile(path, []byte("short\n"), 0o644)
	expect("damaged table", "joe", "", 1, "Trouble reading users/cdb in qmail-lspawn.")
	table, err := compile("=joe:joe:1:1:/:::\n.\n")
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(path, table, 0o644)
	expect("in the table", "joe", "joe", 1, "")
	expect("not in the table", "bob", "getpw", 2, "")
	answer = "getpw"
	expect("bad answer", "bob", "", 3, "Internal qmail-lspawn bug.")
	answerErr = fault.Soft("Unable to find alias user!", nil)
	expect("no user", "bob", "", 4, "Unable to find alias user!")
	var raw memory
	w := cdb.NewWriter(&raw)
	w.Add([]byte("!joe\x00"), []byte("joe\x001"))
	w.Finish()
	os.WriteFile(path, raw, 0o644)
	expect("table without last bytes", "joe", "", 4, "Trouble reading users/cdb in qmail-lspawn.")
	w = cdb.NewWriter(&raw)
	w.Add([]byte("!joe\x00"), []byte("joe\x001"))
	w.Add(nil, nil)
	w.Finish()
	os.WriteFile(path, raw, 0o644)
	expect("bad record", "joe", "", 4, "Internal qmail-lspawn bug.")
	os.Remove(path)
	os.Mkdir(path, 0o755)
	expect("table is a folder", "joe", "", 4, "Trouble reading users/cdb in qmail-lspawn.")
}
