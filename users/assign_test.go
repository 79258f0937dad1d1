package users

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/cdb"
	"goqmail/internal/durable"
	"goqmail/internal/fault"
)

// example is that of the package documentation.
const example = "=joe:joe:507:100:/home/joe:::\n+joe-:joe:507:100:/home/joe:-::\n+:alias:7790:2108:/var/qmail/alias:-::\n.\n"

func TestCompile(t *testing.T) {
	tests := []struct {
		name, assign string
		records      map[string]string
	}{
		{"example", example, map[string]string{
			"!joe\x00": "joe\x00507\x00100\x00/home/joe\x00\x00",
			"!joe-":    "joe\x00507\x00100\x00/home/joe\x00-\x00",
			"!":        "alias\x007790\x002108\x00/var/qmail/alias\x00-\x00",
			"":         "-",
		}},
		{"nothing", ".", map[string]string{"": ""}},
		{"case", "=Joe.X:Joe:1:2:/Home:-:Pre:\n.\n", map[string]string{"!joe.x\x00": "Joe\x001\x002\x00/Home\x00-\x00Pre", "": ""}},
		{"last bytes once each, in lower case", "+a-:a:1:1:/:::\n+b=:a:1:1:/:::\n+c-:a:1:1:/:::\n+X:a:1:1:/:::\n.\n", map[string]string{"": "-=x", "!x": "a\x001\x001\x00/\x00\x00"}},
		{"seventh field", "=j:j:1:2:/:-:pre:more:and more\n.rest\nrubbish", map[string]string{"!j\x00": "j\x001\x002\x00/\x00-\x00pre", "": ""}},
		{"empty address", "=:j:1:2:/:::\n.\n", map[string]string{"!\x00": "j\x001\x002\x00/\x00\x00"}},
		{"8 bit stays", "=J\xc9:j:1:2:/:::\n.\n", map[string]string{"!j\xc9\x00": "j\x001\x002\x00/\x00\x00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file, err := compile(tt.assign)
			if err != nil {
				t.Fatal(err)
			}
			r := cdb.NewReader(bytes.NewReader(file))
			for key, want := range tt.records {
				if got, ok, err := r.Get([]byte(key)); string(got) != want || !ok || err != nil {
					t.Errorf("record %q = %q, %v, %v, want %q", key, got, ok, err, want)
				}
			}
		})
	}
}

func TestCompileInvalid(t *testing.T) {
	tests := []struct{ name, assign string }{
		{"nothing", ""},
		{"no dot", "=joe:joe:1:2:/:::\n"},
		{"no newline", "=joe:joe:1:2:/:::"},
		{"empty line", "\n.\n"},
		{"comment", "# joe:joe:1:2:/:::\n.\n"},
		{"neither = nor +", "joe:joe:1:2:/:::\n.\n"},
		{"colon first", ":joe:joe:1:2:/:::\n.\n"},
		{"five colons", "=joe:joe:1:2:/::\n.\n"},
		{"NUL", "=joe:joe:1:2:/\x00:::\n.\n"},
		{"NUL in the rest", "=joe:joe:1:2:/:::x\x00\n.\n"},
		{"too long", "=joe:joe:1:2:/:::" + strings.Repeat("x", maxLine) + "\n.\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := compile(tt.assign); !errors.Is(err, ErrFormat) {
				t.Errorf("Compile(%.40q) = %v, want ErrFormat", tt.assign, err)
			}
		})
	}
}

func TestRebuild(t *testing.T) {
	tests := []struct {
		name, assign, want string
		spoil              func(dir string)
	}{
		{"bad format", "x", "bad format in users/assign", nil},
		{"no file", "", "unable to open users/assign", func(dir string) { os.Remove(dir + "/assign") }},
		{"folder", "", "unable to read users/assign", func(dir string) { os.Remove(dir + "/assign"); os.Mkdir(dir+"/assign", 0o755) }},
		{"temporary file", ".", "unable to open users/cdb.tmp", func(dir string) { os.Mkdir(dir+"/cdb.tmp", 0o755) }},
		{"rename", ".", "unable to move users/cdb.tmp to users/cdb", func(dir string) { os.Remove(dir + "/cdb"); os.MkdirAll(dir+"/cdb/x", 0o755) }},
		{"good", example, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			os.WriteFile(filepath.Join(dir, "assign"), []byte(tt.assign), 0o644)
			os.WriteFile(filepath.Join(dir, "cdb"), []byte("old"), 0o644)
			if tt.spoil != nil {
				tt.spoil(dir)
			}
			err := Rebuild(durable.NewDir(dir))
			var f *fault.Error
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (!errors.As(err, &f) || f.Text != tt.want):
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if got, err := os.ReadFile(filepath.Join(dir, "cdb")); err == nil && (string(got) == "old") != (tt.want != "") {
				t.Errorf("cdb is now %.20q", got)
			}
			if st, err := os.Stat(filepath.Join(dir, "cdb.tmp")); !errors.Is(err, fs.ErrNotExist) && !st.IsDir() {
				t.Errorf("cdb.tmp is left behind")
			}
		})
	}
}

// FuzzAssign compiles any text: what it takes is found again as it says.
func FuzzAssign(f *testing.F) {
	f.Add(example, "joe-List")
	f.Add("+Joe:j:1:2:/:-:a:\n=Joe:j:1:2:/:-:b:\n.", "JOE")
	f.Add("=joe:joe:1:2:/:::\n", "joe")
	f.Fuzz(func(t *testing.T, assign, local string) {
		file, err := compile(assign)
		if err != nil || strings.Contains(local, "\x00") {
			return
		}
		got, ok, err := Lookup(cdb.NewReader(bytes.NewReader(file)), local)
		want, wantOK := search(assign, local)
		if wantOK {
			u, uerr := ParseUser([]byte(want))
			if uerr != nil {
				return
			}
			if got != u || !ok || err != nil {
				t.Errorf("%q in %q: got %v, %v, %v, want %v", local, assign, got, ok, err, u)
			}
		} else if ok || err != nil {
			t.Errorf("%q in %q: got %v, %v, %v, want nothing", local, assign, got, ok, err)
		}
	})
}

// search reads users/assign as qmail-users(5) says, the long way.
func search(assign, local string) (fields string, ok bool) {
	best := -1
	for line := range strings.Lines(assign) {
		if line[0] == '.' {
			break
		}
		f := strings.SplitN(line[1:], ":", 8)
		loc, user := lower(f[0]), strings.Join(f[1:7], "\x00")
		switch {
		case line[0] == '=' && loc == lower(local):
			return user + "\x00", true
		case line[0] == '+' && strings.HasPrefix(lower(local), loc) && len(loc) > best:
			best, fields, ok = len(loc), user+local[len(loc):]+"\x00", true
		}
	}
	return fields, ok
}
