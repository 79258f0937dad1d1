package users

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/exitcode"
)

// source is a Source that notes what it was asked for.
type source struct {
	accounts []Account
	asked    [][]string
	err      error
}

func (s *source) look(names []string) (map[string]Account, error) {
	s.asked = append(s.asked, slices.Sorted(slices.Values(names)))
	found := map[string]Account{}
	for _, a := range s.accounts {
		if slices.Contains(names, a.Name) {
			found[a.Name] = a
		}
	}
	return found, s.err
}

var homes = map[string]uint32{"/home/joe": 507, "/home/joe-list": 508, "/root": 0, "/": 0, "/home/ann": 600, "/home/x": 700}

func owner(home string) (uint32, error) {
	switch home {
	case "/nfs":
		return 0, syscall.EIO
	case "/dead":
		return 0, syscall.ENOTCONN
	}
	if uid, ok := homes[home]; ok {
		return uid, nil
	}
	return 0, syscall.ENOENT
}

func TestGetpw(t *testing.T) {
	passwd := &source{accounts: []Account{
		{"root", 0, 0, "/root"}, {"joe", 507, 100, "/home/joe"}, {"daemon", 1, 1, "/"}, {"homeless", 2, 2, "/none"},
		{"alias", 7790, 2108, "/var/qmail/alias"}, {"broken", 3, 3, "/nfs"}, {"Upper", 700, 1, "/home/x"},
		{strings.Repeat("x", 31), 700, 1, "/home/x"}, {strings.Repeat("y", 32), 700, 1, "/home/x"},
	}}
	ldap := &source{accounts: []Account{{"joe-list", 508, 100, "/home/joe-list"}, {"ann", 600, 100, "/home/ann"}, {"joe", 999, 9, "/wrong"}}}
	rules := Rules{Sources: []Source{passwd.look, ldap.look}, Owner: owner, Alias: "alias", Break: '-'}
	long := strings.Repeat("x", 31)
	tests := []struct{ name, local, user, dash, ext string }{
		{"user", "joe", "joe", "", ""},
		{"case", "JOE", "joe", "", ""},
		{"extension", "Joe-Foo-Bar", "joe", "-", "Foo-Bar"},
		{"empty extension", "joe-", "joe", "-", ""},
		{"only another source knows it", "ann-x", "ann", "-", "x"},
		{"longest name, from another source", "joe-list-x", "joe-list", "-", "x"},
		{"root", "root", "alias", "-", "root"},
		{"home of another", "daemon", "alias", "-", "daemon"},
		{"no home", "homeless-x", "alias", "-", "homeless-x"},
		{"unknown", "No-Such.One", "alias", "-", "No-Such.One"},
		{"upper-case account", "Upper", "alias", "-", "Upper"},
		{"nothing", "", "alias", "-", ""},
		{"dash first", "-joe", "alias", "-", "-joe"},
		{"name of 31", long + "-a", long, "-", "a"},
		{"name of 32", strings.Repeat("y", 32), "alias", "-", strings.Repeat("y", 32)},
		{"colon and newline", "a:b\n-c", "alias", "-", "a:b\n-c"},
		{"alias itself, whose home is missing", "alias", "alias", "-", "alias"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := rules.Getpw(tt.local)
			if u.Name != tt.user || u.Dash != tt.dash || u.Ext != tt.ext || err != nil {
				t.Errorf("Getpw(%q) = %v, %v, want %s, %q, %q", tt.local, u, err, tt.user, tt.dash, tt.ext)
			}
		})
	}
}

func TestGetpwAsks(t *testing.T) {
	passwd := &source{accounts: []Account{{"joe", 507, 100, "/home/joe"}, {"alias", 7790, 2108, "/"}}}
	ldap := &source{}
	rules := Rules{Sources: []Source{passwd.look, ldap.look}, Owner: owner, Alias: "alias", Break: '-'}
	rules.Getpw("joe")
	if len(ldap.asked) != 0 {
		t.Errorf("the second source is asked for %q, which the first knows", ldap.asked)
	}
	rules.Getpw("bob-x-y")
	if want := []string{"bob", "bob-x", "bob-x-y"}; len(ldap.asked) != 1 || !slices.Equal(ldap.asked[0], want) {
		t.Errorf("the second source is asked for %q, want %q once", ldap.asked, want)
	}
	passwd.asked = nil
	rules.Getpw(strings.Repeat("a-", 500))
	if len(passwd.asked) != 1 || len(passwd.asked[0]) > maxName {
		t.Errorf("the first source is asked %d times for up to %d names", len(passwd.asked), len(passwd.asked[0]))
	}
}

func TestGetpwFails(t *testing.T) {
	none := &source{}
	down := &source{err: errors.New("no answer")}
	nfs := &source{accounts: []Account{{"joe", 3, 3, "/nfs"}, {"alias", 1, 1, "/"}}}
	dead := &source{accounts: []Account{{"joe", 3, 3, "/dead"}, {"alias", 1, 1, "/"}}}
	for _, tt := range []struct {
		name    string
		sources []Source
		code    int
	}{
		{"no alias", []Source{none.look}, exitcode.StartNoAlias},
		{"source fails", []Source{none.look, down.look}, exitcode.StartSystem},
		{"home cannot be seen now", []Source{nfs.look}, exitcode.StartNFS},
		{"server of the home is gone", []Source{dead.look}, exitcode.StartNFS},
	} {
		u, err := Rules{Sources: tt.sources, Owner: owner, Alias: "alias", Break: '-'}.Getpw("joe")
		var e *GetpwError
		if !errors.As(err, &e) || e.Code != tt.code {
			t.Errorf("%s: %v, %v, want code %d", tt.name, u, err, tt.code)
		}
	}
}

func TestPasswd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passwd")
	text := "root:x:0:0:root:/root:/bin/sh\njoe:x:507:100:Joe:/home/joe:/bin/sh\njoe:x:1:1::/second:\n" +
		"short:x:5\nnouid:x::1::/:\nbad:x:99999999999:1::/:\n" +
		"long:x:1:1:" + strings.Repeat("g", maxLine-11) + "fake:x:1:1::/:\n" +
		"last:x:9:8::/l:"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := Passwd(path)([]string{"joe", "last", "short", "nouid", "bad", "long", "fake", "none", "root"})
	want := map[string]Account{"joe": {"joe", 507, 100, "/home/joe"}, "last": {"last", 9, 8, "/l"}, "root": {"root", 0, 0, "/root"}}
	if !maps.Equal(got, want) || err != nil {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if _, err := Passwd(path + "x")([]string{"joe"}); err == nil {
		t.Error("a missing password file is no error")
	}
}

func FuzzPasswd(f *testing.F) {
	f.Add("joe:x:507:100:Joe:/home/joe:/bin/sh\n", "joe")
	f.Add("joe:x:507:100:Joe:/home/joe", "joe")
	f.Fuzz(func(t *testing.T, text, name string) {
		found, err := readPasswd(strings.NewReader(text), []string{name})
		if a, ok := found[name]; err != nil || len(found) > 1 || ok && (a.Name != name || !strings.Contains(text, name+":")) {
			t.Errorf("%q in %q: got %v, %v", name, text, found, err)
		}
	})
}

// The test binary stands in for getent: it prints this variable and its
// arguments, and exits with the number that the variable ends in.
const fakeGetent = "GOQMAIL_GETENT"

func TestMain(m *testing.M) {
	if text := os.Getenv(fakeGetent); text != "" {
		last := len(text) - 1
		os.Stdout.WriteString(text[:last] + "args:x:1:1::" + strings.Join(os.Args, " ") + ":\n")
		os.Exit(int(text[last] - '0'))
	}
	os.Exit(m.Run())
}

func TestGetent(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "nsswitch.conf")
	getent := func(answer string) Getent {
		return Getent{Program: self, Switch: conf, Limit: time.Minute, Env: []string{fakeGetent + "=" + answer}}
	}
	const joe = "joe:x:507:100::/home/joe:/bin/sh\n"
	tests := []struct {
		name, conf string
		getent     Getent
		ask        []string
		want       []string
	}{
		{"known", "passwd: files ldap\n", getent(joe + "0"), []string{"joe"}, []string{"joe"}},
		{"not all known", "passwd: files ldap\n", getent(joe + "2"), []string{"joe-x", "joe"}, []string{"joe"}},
		{"a number is no name", "passwd: files ldap\n", getent(joe + "0"), []string{"507"}, nil},
		{"files only", "# passwd: ldap\npasswd: files # ldap\n", getent(joe + "0"), []string{"joe"}, nil},
		{"another line", "group: ldap\n", getent(joe + "0"), []string{"joe"}, nil},
		{"compat", " passwd:compat", getent(joe + "0"), []string{"joe"}, []string{"joe"}},
		{"no getent", "passwd: sss\n", Getent{Program: filepath.Join(dir, "none"), Switch: conf}, []string{"joe"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			os.WriteFile(conf, []byte(tt.conf), 0o644)
			found, err := tt.getent.Accounts(tt.ask)
			if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, tt.want) || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
	found, _ := getent(joe + "0").Accounts([]string{"-s", "args"})
	if got, want := found["args"].Home, "getent passwd -- -s args"; got != want {
		t.Errorf("getent was called as %q, want %q", got, want)
	}
	if found, err := getent(joe + "3").Accounts([]string{"joe"}); err == nil {
		t.Errorf("a failing getent gives %v and no error", found)
	}
	os.Remove(conf)
	if found, err := getent(joe + "0").Accounts([]string{"joe"}); len(found) != 0 || err != nil {
		t.Errorf("without nsswitch.conf: got %v, %v, want nothing", found, err)
	}
}
