package control

import (
	"os"
	"path/filepath"
	"testing"
)

func TestNullClient(t *testing.T) {
	host := func() string { return "box.test.example" }
	for _, tt := range []struct {
		name   string
		files  map[string]string
		me     string
		locals int // -1: neither locals nor me
	}{
		{"a route for all mail", map[string]string{"smtproutes": "a.example:b\n:relay.example\n"}, "box.test.example", 0},
		{"with locals", map[string]string{"smtproutes": ":relay.example\n", "locals": "a\nb\n"}, "box.test.example", 2},
		{"with me", map[string]string{"smtproutes": ":relay.example\n", "me": "mx.example\n"}, "mx.example", 1},
		{"a route for some", map[string]string{"smtproutes": "a.example:relay.example\n"}, "", -1},
		{"no relay", map[string]string{"smtproutes": ": \n"}, "", -1},
		{"nothing", nil, "", -1},
	} {
		dir := t.TempDir()
		for name, text := range tt.files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		f, err := Open(dir)
		if err == nil {
			err = f.NullClient(host)
		}
		if err != nil {
			t.Fatal(err)
		}
		if me, ok := f.Me(); me != tt.me || ok != (tt.me != "") {
			t.Errorf("%s: me is %q, %v, want %q", tt.name, me, ok, tt.me)
		}
		if locals, ok, err := f.List("locals"); err != nil || ok != (tt.locals >= 0) || len(locals) != max(tt.locals, 0) {
			t.Errorf("%s: locals are %q, %v, %v, want %d", tt.name, locals, ok, err, tt.locals)
		}
	}
}
