package dotqmail

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/fault"
)

func TestCandidates(t *testing.T) {
	tests := []struct {
		name, dash, ext string
		want            string // names, each with = and what default stands for
	}{
		{"plain", "", "", ".qmail .qmaildefault="},
		{"plain with dash", "-", "", ".qmail- .qmail-default="},
		{"one part", "-", "a", ".qmail-a .qmail-default=a"},
		{"three parts", "-", "a-b-c", ".qmail-a-b-c .qmail-a-b-default=c .qmail-a-default=b-c .qmail-default=a-b-c"},
		{"dash at the end", "-", "a-", ".qmail-a- .qmail-a-default= .qmail-default=a-"},
		{"upper case and dots", "-", "News-J.Doe", ".qmail-news-j:doe .qmail-news-default=J.Doe .qmail-default=News-J.Doe"},
		{"ends in default", "-", "myDefault", ".qmail-mydefault=Default .qmail-default=myDefault"},
		{"slash dash", "-/", "a-b", ".qmail-/a-b .qmail-/a-default=b .qmail-/default=a-b"},
		{"no way up", "-", "/../x", ".qmail-/::/x .qmail-default=/../x"},
		{"8 bit", "-", "\xc9\xe9", ".qmail-\xc9\xe9 .qmail-default=\xc9\xe9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for c := range (Recipient{Dash: tt.dash, Ext: tt.ext}).Candidates() {
				if c.IsDefault {
					c.Name += "=" + c.Default
				}
				got = append(got, c.Name)
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("Candidates(%q, %q) = %q, want %q", tt.dash, tt.ext, s, tt.want)
			}
		})
	}
}

func TestPlan(t *testing.T) {
	text := func(s string) fakeFile { return fakeFile{text: s, mode: 0o644} }
	denied := fakeFile{openErr: syscall.EACCES}
	tests := []struct {
		name      string
		home      fakeHome
		dash, ext string
		file      string
		byDefault bool
		want      string // lines
	}{
		{"exact name", fakeHome{".qmail-a": text("|a"), ".qmail-default": text("|d")}, "-", "a", ".qmail-a", false, "|a"},
		{"default", fakeHome{".qmail": text("|a"), ".qmail-default": text("|d")}, "-", "a", ".qmail-default", false, "|d"},
		{"nearest default", fakeHome{".qmail-a-default": text("|a"), ".qmail-default": text("|d")}, "-", "a-b", ".qmail-a-default", false, "|a"},
		{"no file, no dash", fakeHome{}, "", "", "", true, "./Mailbox"},
		{"empty file", fakeHome{".qmail-a": text("")}, "-", "a", ".qmail-a", true, "./Mailbox"},
		{"empty file with execute bit", fakeHome{".qmail": {mode: 0o755}}, "", "", ".qmail", true, "./Mailbox"},
		{"comment", fakeHome{".qmail": text("#")}, "", "", ".qmail", false, ""},
		{"folder", fakeHome{".qmail-a": {mode: fs.ModeDir | 0o755}, ".qmail-default": text("|d")}, "-", "a", ".qmail-default", false, "|d"},
		{"fifo", fakeHome{".qmail": {mode: fs.ModeNamedPipe | 0o666}}, "", "", "", true, "./Mailbox"},
		{"below a file", fakeHome{".qmail-a/b": {openErr: syscall.ENOTDIR}, ".qmail-default": text("|d")}, "-", "a/b", ".qmail-default", false, "|d"},
		{"long name", fakeHome{".qmail-a": {openErr: syscall.ENAMETOOLONG}, ".qmail-default": text("|d")}, "-", "a", ".qmail-default", false, "|d"},
		{"not looked at", fakeHome{".qmail-a": text("|a"), ".qmail-default": denied}, "-", "a", ".qmail-a", false, "|a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Recipient{Dash: tt.dash, Ext: tt.ext}.Plan(tt.home, "./Mailbox")
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, i := range p.Instructions {
				lines = append(lines, i.String())
			}
			if got := strings.Join(lines, "\n"); got != tt.want || p.File.Name != tt.file || p.ByDefault != tt.byDefault {
				t.Errorf("Plan gives %q from %q, default %v, want %q from %q, %v", got, p.File.Name, p.ByDefault, tt.want, tt.file, tt.byDefault)
			}
		})
	}
}

func TestPlanInvalid(t *testing.T) {
	good := fakeFile{text: "|d", mode: 0o644}
	tests := []struct {
		name string
		home fakeHome
		want string
		perm bool
	}{
		{"no file", fakeHome{".qmail": good, ".qmail-": good}, "Sorry, no mailbox here by that name. (#5.1.1)", true},
		{"unreadable", fakeHome{".qmail-a": {openErr: syscall.EACCES}, ".qmail-default": good}, "Unable to open .qmail-a: access denied. (#4.3.0)", false},
		{"not permitted", fakeHome{".qmail-a": {openErr: syscall.EPERM}, ".qmail-default": good}, "Unable to open .qmail-a: permission denied. (#4.3.0)", false},
		{"out of files", fakeHome{".qmail-a": {openErr: syscall.ENFILE}, ".qmail-default": good}, "Unable to open .qmail-a: system cannot open more files. (#4.3.0)", false},
		{"error nobody knows", fakeHome{".qmail-a": {openErr: errors.New("strange")}, ".qmail-default": good}, "Unable to open .qmail-a: unknown error. (#4.3.0)", false},
		{"writable", fakeHome{".qmail-a": {mode: 0o646}}, "Uh-oh: .qmail file is writable. (#4.7.0)", false},
		{"read error", fakeHome{".qmail-a": {mode: 0o644, readErr: syscall.EIO}}, "Unable to read .qmail-a: input/output error. (#4.3.0)", false},
		{"too big", fakeHome{".qmail-a": {mode: 0o644, text: strings.Repeat("#", MaxSize+1)}}, "Uh-oh: .qmail file is too big. (#4.3.0)", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Recipient{Dash: "-", Ext: "a"}.Plan(tt.home, "./Mailbox")
			var f *fault.Error
			if !errors.As(err, &f) || f.Text != tt.want || f.Perm != tt.perm {
				t.Errorf("Plan fails with %v, want %q, permanent %v", err, tt.want, tt.perm)
			}
		})
	}
}

func TestNewSender(t *testing.T) {
	file := fakeFile{mode: 0o644}
	r := Recipient{Local: "Kim-Team.One", Dash: "-", Ext: "Team.One", Host: "Test.Example"}
	tests := []struct {
		name   string
		home   fakeHome
		sender string
		want   string
	}{
		{"no files", fakeHome{}, "sue@remote.example", "sue@remote.example"},
		{"owner", fakeHome{".qmail-team:one-owner": file}, "sue@remote.example", "Kim-Team.One-owner@Test.Example"},
		{"owner and default", fakeHome{".qmail-team:one-owner": file, ".qmail-team:one-owner-default": file}, "sue@remote.example", "Kim-Team.One-owner-@Test.Example-@[]"},
		{"default alone", fakeHome{".qmail-team:one-owner-default": file}, "sue@remote.example", "sue@remote.example"},
		{"bounce", fakeHome{".qmail-team:one-owner": file}, "", ""},
		{"double bounce", fakeHome{".qmail-team:one-owner": file}, "#@[]", "#@[]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := r.NewSender(tt.home, tt.sender)
			if err != nil || got != tt.want {
				t.Errorf("NewSender(%q) = %q, %v, want %q", tt.sender, got, err, tt.want)
			}
		})
	}
	for _, name := range []string{".qmail-team:one-owner", ".qmail-team:one-owner-default"} {
		home := fakeHome{".qmail-team:one-owner": file, name: {openErr: syscall.EIO}}
		if got, err := r.NewSender(home, "sue@remote.example"); err == nil {
			t.Errorf("trouble with %s goes unnoticed: %q", name, got)
		}
	}
}

// Whatever the address, the files tried lie below the home, go from the longest
// name to the shortest, and the first that is there is taken.
func FuzzCandidates(f *testing.F) {
	f.Add("-", "a-b-default", 2)
	f.Add("", "", 0)
	f.Add("-/", "..-/..", 1)
	f.Fuzz(func(t *testing.T, dash, ext string, pick int) {
		r := Recipient{Dash: dash, Ext: ext}
		all := slices.Collect(r.Candidates())
		prefix := ".qmail" + dash
		for n, c := range all {
			rest, ok := strings.CutPrefix(c.Name, prefix)
			if !ok || strings.Contains(rest, ".") || !strings.HasSuffix(ext, c.Default) {
				t.Errorf("candidate %+v of %q, %q", c, dash, ext)
			}
			if n > 0 && (!c.IsDefault || n > 1 && len(c.Name) >= len(all[n-1].Name)) {
				t.Errorf("candidate %d of %q is %+v", n, ext, c)
			}
		}
		if len(all) != strings.Count(ext, "-")+2 {
			t.Errorf("%d candidates for %q", len(all), ext)
		}
		if pick < 0 || pick >= len(all) {
			return
		}
		home := fakeHome{}
		for _, c := range all[pick:] {
			home[c.Name] = fakeFile{text: "#", mode: 0o600}
		}
		p, err := r.Plan(home, "./Mailbox")
		if err != nil || p.File.Name != all[pick].Name {
			t.Errorf("Plan chooses %v, %v, want %q", p, err, all[pick].Name)
		}
	})
}
