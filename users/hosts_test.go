package users

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/cdb"
	"goqmail/internal/durable"
	"goqmail/internal/fault"
)

func TestRebuildHosts(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "morercpthosts"), []byte("# ours\nOne.Example \t\n\n .two.example\n#three\nlast"), 0o644)
	if err := RebuildHosts(durable.NewDir(dir)); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, "morercpthosts.cdb"))
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"one.example": true, "One.Example": false, " .two.example": true, "#three": false, "last": true, "": false,
	} {
		if value, ok, err := cdb.NewReader(bytes.NewReader(file)).Get([]byte(host)); ok != want || len(value) != 0 || err != nil {
			t.Errorf("%q: %q, %v, %v, want %v", host, value, ok, err, want)
		}
	}
}

func TestRebuildHostsFails(t *testing.T) {
	tests := []struct {
		name, want string
		spoil      func(dir string)
	}{
		{"no file", "unable to read control/morercpthosts: file does not exist", func(dir string) { os.Remove(dir + "/morercpthosts") }},
		{"folder", "unable to read control/morercpthosts: is a directory", func(dir string) { os.Remove(dir + "/morercpthosts"); os.Mkdir(dir+"/morercpthosts", 0o755) }},
		{"line too long", "unable to read control/morercpthosts: unknown error", func(dir string) { os.WriteFile(dir+"/morercpthosts", []byte(strings.Repeat("x", maxLine+1)), 0o644) }},
		{"temporary file", "unable to write to control/morercpthosts.tmp: is a directory", func(dir string) { os.Mkdir(dir+"/morercpthosts.tmp", 0o755) }},
		{"rename", "unable to move control/morercpthosts.tmp to control/morercpthosts.cdbis a directory", func(dir string) { os.MkdirAll(dir+"/morercpthosts.cdb", 0o755) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			os.WriteFile(dir+"/morercpthosts", []byte("one.example\n"), 0o644)
			tt.spoil(dir)
			var f *fault.Error
			if err := RebuildHosts(durable.NewDir(dir)); !errors.As(err, &f) || f.Text != tt.want {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	unlock := Lock(dir)
	got := make(chan func())
	go func() { got <- Lock(dir) }()
	select {
	case <-got:
		t.Error("the folder is locked twice")
	default:
	}
	unlock()
	(<-got)()
	Lock(filepath.Join(dir, "none"))()
}
