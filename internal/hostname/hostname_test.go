package hostname

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestName(t *testing.T) {
	for _, tt := range []struct {
		name, mailname, hosts, host string
		err                         error
		want                        string
	}{
		{"mailname", "mail.example.org\nx\n", "", "box", nil, "mail.example.org"},
		{"a bad mailname", "not a name\n", "", "box.example.org", nil, "box.example.org"},
		{"host with a domain", "", "127.0.1.1 box.other.example box\n", "box.example.org.", nil, "box.example.org"},
		{"host without one", "", "127.0.0.1 localhost\n127.0.1.1\tBox.example.org box # x\n", "box", nil, "Box.example.org"},
		{"host known nowhere", "", "127.0.0.1 localhost # box.example.org\n", "box", nil, "box"},
		{"no name", "", "", "", errors.New("none"), "localhost"},
		{"an odd name", "", "", "a b", nil, "localhost"},
	} {
		dir := t.TempDir()
		f := Files{Mailname: filepath.Join(dir, "mailname"), Hosts: filepath.Join(dir, "hosts"), Host: func() (string, error) { return tt.host, tt.err }}
		for file, text := range map[string]string{f.Mailname: tt.mailname, f.Hosts: tt.hosts} {
			if text == "" {
				continue
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := f.Name(); got != tt.want {
			t.Errorf("%s: Name() = %q, want %q", tt.name, got, tt.want)
		}
	}
}
