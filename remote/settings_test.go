package remote

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestReadSettings(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  Settings
		ok    bool
	}{
		{"me", map[string]string{"me": "a.example\n"},
			Settings{Helo: "a.example", ConnectTimeout: time.Minute, Timeout: 20 * time.Minute}, true},
		{"all", map[string]string{"me": "a.example\n", "helohost": " b \n", "timeoutconnect": "7", "timeoutremote": "8\n", "smtproutes": "#x:y\nz:\n"},
			Settings{Helo: " b", Routes: ParseRoutes([]string{"z:"}), ConnectTimeout: 7 * time.Second, Timeout: 8 * time.Second}, true},
		{"only helohost", map[string]string{"helohost": "b"},
			Settings{Helo: "b", ConnectTimeout: time.Minute, Timeout: 20 * time.Minute}, true},
		{"neither", map[string]string{"timeoutremote": "1"}, Settings{}, false},
		{"unreadable routes", map[string]string{"me": "x", "smtproutes/": ""}, Settings{}, false},
		{"unreadable name", map[string]string{"me": "x", "helohost/": ""}, Settings{}, false},
		{"unreadable timeout", map[string]string{"me": "x", "timeoutremote/": ""}, Settings{}, false},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		for name, text := range tt.files {
			path := filepath.Join(dir, name)
			var err error
			if name[len(name)-1] == '/' {
				err = os.Mkdir(path, 0o700)
			} else {
				err = os.WriteFile(path, []byte(text), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		got, err := ReadSettings(dir)
		if !tt.ok {
			if !errors.Is(err, ErrControl) {
				t.Errorf("%s: %v, want ErrControl", tt.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got.Helo != tt.want.Helo || got.ConnectTimeout != tt.want.ConnectTimeout || got.Timeout != tt.want.Timeout || len(got.Routes) != len(tt.want.Routes) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestFail(t *testing.T) {
	var out bytes.Buffer
	if err := Fail(&out, ErrUsage); err != nil {
		t.Fatal(err)
	}
	if err := Fail(&out, errors.New("whatever")); err != nil {
		t.Fatal(err)
	}
	want := "DI (qmail-remote) was invoked improperly. (#5.3.5)\n\x00ZSystem resources temporarily unavailable. (#4.3.0)\n\x00"
	if out.String() != want {
		t.Errorf("reports %q, want %q", out.String(), want)
	}
}
