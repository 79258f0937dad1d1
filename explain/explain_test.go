package explain

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"goqmail/dot-qmail"
	"goqmail/internal/fault"
	"goqmail/users"
)

// home is a home in memory. A file without data cannot be read.
type home struct{ fstest.MapFS }

func (h home) Open(name string) (fs.File, error) {
	if f, ok := h.MapFS[name]; ok && f.Data == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return h.MapFS.Open(name)
}

// sources are those of a host with one user, joe.
func sources(t testing.TB, files fstest.MapFS) Sources {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "me"), []byte("here.test\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return Sources{
		Control: dir,
		Find: func(local string) (users.User, string, error) {
			ext, ok := strings.CutPrefix(local, "joe-")
			switch {
			case ok:
				return users.User{Name: "joe", UID: 507, GID: 100, Home: "/home/joe", Dash: "-", Ext: ext}, "users/cdb", nil
			case local == "joe":
				return users.User{Name: "joe", UID: 507, GID: 100, Home: "/home/joe"}, "users/cdb", nil
			case local == "root":
				return users.User{Name: "root", Home: "/root"}, "bin/qmail-getpw", nil
			case local == "secret":
				return users.User{}, "users/cdb", fault.Soft("Trouble reading users/cdb in qmail-lspawn.", &fs.PathError{Op: "open", Path: "users/cdb", Err: fs.ErrPermission})
			}
			return users.User{}, "", fault.Hard("Sorry, qmail-getpw refuses this address. (#5.1.1)")
		},
		Home:      func(string) dotqmail.Folder { return home{files} },
		ByDefault: "./Mailbox", KnowsDefault: true, Sender: "sue@far.test",
	}
}

func TestAddress(t *testing.T) {
	files := fstest.MapFS{
		".qmail-a":            {Data: []byte("ann@far.test\n"), Mode: 0o600},
		".qmail-exec":         {Data: []byte("ann@far.test\n./box\n"), Mode: 0o700},
		".qmail-open":         {Data: []byte("#\n"), Mode: 0o602},
		".qmail-blank":        {Data: []byte("\n"), Mode: 0o600},
		".qmail-closed":       {Mode: 0o600},
		".qmail-folder/x":     {Data: []byte("#\n")},
		".qmail-a-owner":      {Data: []byte("#\n")},
		".qmail-list-default": {Data: []byte("#\n"), Mode: 0o600},
	}
	const writable = "Uh-oh: .qmail file is writable. (#4.7.0)"
	tests := []struct {
		address string
		outcome Outcome
		text    string // or the problem
	}{
		{"joe", Local, ""},
		{"joe-a", Local, ""},
		{"joe-LIST-x.y", Local, ""},
		{"joe-exec", Defer, "Uh-oh: .qmail has file or prog delivery but has x bit set. (#4.7.0)"},
		{"joe-open", Defer, writable},
		{"joe-blank", Defer, "Uh-oh: first line of .qmail file is blank. (#4.2.1)"},
		{"joe-closed", Unknown, "cannot read a .qmail file: .qmail-closed: unknown error"},
		{"joe-folder", Bounce, "Sorry, no mailbox here by that name. (#5.1.1)"},
		{"root", Defer, "Not allowed to perform deliveries as root."},
		{"secret", Unknown, "cannot read users/cdb: unknown error"},
		{"nobody", Bounce, "Sorry, qmail-getpw refuses this address. (#5.1.1)"},
		{"ann@far.test", Remote, ""},
	}
	for _, tt := range tests {
		r := sources(t, files).Address(tt.address)
		text := r.Text
		if r.Outcome == Unknown {
			text = strings.Join(r.Problems, "\n")
		}
		if r.Outcome != tt.outcome || text != tt.text {
			t.Errorf("%s: %s, %q, want %s, %q", tt.address, r.Outcome, text, tt.outcome, tt.text)
		}
	}
	if r := sources(t, files).Address("joe-a"); r.Sender != "joe-a-owner@here.test" {
		t.Errorf("joe-a forwards as %q", r.Sender)
	}
	s := sources(t, files)
	s.KnowsDefault = false
	if r := s.Address("joe"); r.Outcome != Unknown || len(r.Instructions) > 0 {
		t.Errorf("without a default delivery: %+v", r)
	}
	s.Home = func(string) dotqmail.Folder { return noHome{} }
	if r := s.Address("joe"); r.Outcome != Unknown || r.Problems[0] != "cannot look into /home/joe: permission denied" {
		t.Errorf("with a closed home: %+v", r)
	}
	os.Remove(filepath.Join(s.Control, "me"))
	if r := s.Address("joe"); r.Outcome != Unknown || !strings.Contains(r.Problems[0], "control/locals: neither it nor control/me is there") {
		t.Errorf("without control files: %+v", r)
	}
}

type noHome struct{ dotqmail.Folder }

func (noHome) Stat(string) (fs.FileInfo, error) { return nil, fs.ErrPermission }

// Whatever the address, the report is whole: text for a terminal, and JSON that says
// the same when read back.
func FuzzAddress(f *testing.F) {
	for _, a := range []string{"joe", "joe-a.b-c@here.test", "joe-x\x1b[2J", "@", "ann@[192.0.2.1]", "", "joe-/../x"} {
		f.Add(a)
	}
	s := sources(f, fstest.MapFS{".qmail-default": {Data: []byte("|\x1b[2J\n"), Mode: 0o600}})
	f.Fuzz(func(t *testing.T, address string) {
		r := s.Address(address)
		if r.Outcome == "" {
			t.Errorf("%q has no outcome", address)
		}
		var out strings.Builder
		if err := r.WriteText(&out); err != nil || strings.ContainsAny(out.String(), "\x1b\x00\r") {
			t.Errorf("%q is told as %q, %v", address, out.String(), err)
		}
		text, err := json.Marshal(r)
		var again Report
		if err = errors.Join(err, json.Unmarshal(text, &again)); err != nil || again.Outcome != r.Outcome {
			t.Errorf("%q is %s, %v", address, text, err)
		}
	})
}
