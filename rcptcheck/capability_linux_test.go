package rcptcheck

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"goqmail/dot-qmail"
	"goqmail/users"
)

// TestLookInside checks what is told with rights that the caller lacks: nothing that
// the user has not put into the home.
func TestLookInside(t *testing.T) {
	dir := t.TempDir()
	uid, gid := uint32(os.Getuid()), uint32(os.Getgid())
	home, other := filepath.Join(dir, "home"), filepath.Join(dir, "other")
	if err := errors.Join(
		os.MkdirAll(filepath.Join(home, ".qmail-folder"), 0o700), os.Mkdir(other, 0o700),
		os.WriteFile(filepath.Join(home, ".qmail-list"), nil, 0),
		os.WriteFile(filepath.Join(home, ".qmail-a-default"), nil, 0o600),
		os.WriteFile(filepath.Join(home, ".qmail-folder/x"), nil, 0o600),
		os.WriteFile(filepath.Join(other, "secret"), nil, 0o600),
		os.Symlink("../other/secret", filepath.Join(home, ".qmail-link")),
		os.Symlink("../other/none", filepath.Join(home, ".qmail-dangling")),
		os.Symlink("../other", filepath.Join(home, ".qmail-away")),
	); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		user   users.User
		mode   os.FileMode
		ext    string
		ok     bool
		hidden bool
	}{
		{"a file", users.User{UID: uid}, 0o700, "list", true, false},
		{"a default", users.User{UID: uid}, 0o700, "a-x", true, false},
		{"nothing", users.User{UID: uid}, 0o700, "none", false, false},
		{"a folder", users.User{UID: uid}, 0o700, "folder", false, false},
		{"below a folder", users.User{UID: uid}, 0o700, "folder/x", false, true},
		{"a link", users.User{UID: uid}, 0o700, "link", false, true},
		{"a link to nothing", users.User{UID: uid}, 0o700, "dangling", false, true},
		{"below a link", users.User{UID: uid}, 0o700, "away/secret", false, true},
		{"a home that cannot be entered", users.User{UID: uid}, 0o600, "list", false, true},
		{"a home that is sticky", users.User{UID: uid}, 0o700 | os.ModeSticky, "list", false, true},
		{"a home that others may write", users.User{UID: uid}, 0o702, "list", false, true},
		{"the home of somebody else", users.User{UID: uid + 1}, 0o755, "list", false, uid != 0},
		{"no home", users.User{UID: uid, Home: filepath.Join(dir, "none")}, 0o700, "list", false, true},
		{"a file for a home", users.User{UID: uid, Home: filepath.Join(other, "secret")}, 0o700, "list", false, true},
	} {
		if err := os.Chmod(home, tt.mode); err != nil {
			t.Fatal(err)
		}
		if tt.user.Home == "" {
			tt.user.Home = home
		}
		if uid == 0 && tt.user.UID != 0 {
			tt.ok = true // root's homes are for others, too
		}
		tt.user.GID = gid
		f, ok, err := lookInside(tt.user, dotqmail.Recipient{Dash: "-", Ext: tt.ext})
		if ok != tt.ok || errors.Is(err, ErrHidden) != tt.hidden || err != nil != tt.hidden || ok && f.Text != "" {
			t.Errorf("%s: %+v, %v, %v", tt.name, f, ok, err)
		}
		os.Chmod(home, 0o700)
	}
	for _, tt := range []struct {
		name string
		user users.User
		mode os.FileMode
		ok   bool
	}{
		{"others may enter", users.User{UID: uid + 1, GID: gid + 1}, 0o701, true},
		{"others may not", users.User{UID: uid + 1, GID: gid + 1}, 0o770, false},
		{"the group may enter", users.User{UID: uid + 1, GID: gid}, 0o710, true},
		{"the group may not", users.User{UID: uid + 1, GID: gid}, 0o701, false},
	} {
		if uid != 0 {
			break // only root's homes are for others, too
		}
		if err := os.Chmod(home, tt.mode); err != nil {
			t.Fatal(err)
		}
		tt.user.Home = home
		if _, ok, err := lookInside(tt.user, dotqmail.Recipient{Dash: "-", Ext: "list"}); ok != tt.ok {
			t.Errorf("a home of root's, %s: %v, %v", tt.name, ok, err)
		}
	}
}
