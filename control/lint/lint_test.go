package lint

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goqmail/control"
)

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		var err error
		if strings.HasSuffix(name, "/") {
			err = os.Mkdir(path, 0o755)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestProblems(t *testing.T) {
	t.Parallel()
	good := map[string]string{"me": "mx.test.example\n", "rcpthosts": "mx.test.example\n"}
	for _, c := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"nothing wrong", nil, nil},
		{"everything is default", map[string]string{"locals": "mx.test.example", "queuelifetime": "60"}, nil},
		{"no me", map[string]string{"me": ""}, []string{"me: is empty, which is not the same as missing"}},
		{"two names", map[string]string{"me": "a.example\nb.example\n"}, []string{"me: has more than one line: only the first counts"}},
		{"short name", map[string]string{"me": "mx\n"}, []string{"me: has no dot: other hosts refuse such a name"}},
		{"an address as name", map[string]string{"me": "joe@test.example\n"}, []string{"me: is not the name of a host", `locals: "joe@test.example" is an address, not a host`}},
		{"DOS", map[string]string{"helohost": "a.example\r\n"}, []string{"helohost: has carriage returns, which count"}},
		{"blank in front", map[string]string{"helohost": " a.example\n"}, []string{"helohost: begins with blanks, which count"}},
		{"no number", map[string]string{"concurrencylocal": "many\n"}, []string{"concurrencylocal: does not begin with a digit: the default, 10, counts"}},
		{"number and more", map[string]string{"concurrencylocal": "5 or so\n"}, []string{"concurrencylocal: has more than a number: only 5 counts"}},
		{"folder", map[string]string{"databytes/": ""}, []string{"databytes: cannot be read: is a directory"}},
		{"twice", map[string]string{"badmailfrom": "a@b.example\nA@b.example\n"}, []string{`badmailfrom: "A@b.example" is there twice`}},
		{"address among hosts", map[string]string{"rcpthosts": "mx.test.example\njoe@a.example\n"}, []string{`rcpthosts: "joe@a.example" is an address, not a host`}},
		{"local host not taken", map[string]string{"locals": "mx.test.example\na.example\nlocalhost\n"},
			[]string{"locals: a.example is not in rcpthosts: other hosts cannot send mail to it"}},
		{"taken by a domain", map[string]string{"locals": "www.a.example\n", "rcpthosts": ".a.example\n"}, nil},
		{"virtual and local", map[string]string{"virtualdomains": "MX.test.example:joe\n"}, []string{"virtualdomains: MX.test.example is in locals too, which counts"}},
		{"virtual and not taken", map[string]string{"virtualdomains": "v.example:joe\n.w.example:joe\n:joe\nu@x.example:joe\n"},
			[]string{"virtualdomains: v.example is not in rcpthosts: other hosts cannot send mail to it"}},
		{"no colon", map[string]string{"virtualdomains": "v.example\n"}, []string{`virtualdomains: "v.example" has no colon: it means nothing`}},
		{"passwords for all to read", map[string]string{"smtproutes": "a.example:b.example|u|secret\na.example:b.example|u|secret\n"},
			[]string{"smtproutes: has a password in it and can be read by everybody", `smtproutes: "a.example:b.example|u|..." is there twice`}},
		{"routes without passwords", map[string]string{"smtproutes": "a.example:b.example\n"}, nil},
		{"not compiled", map[string]string{"morercpthosts": "v.example\n"}, []string{"morercpthosts: is not in effect: run qmail-newmrh"}},
		{"recipients not compiled", map[string]string{"morevalidrcptto": "a@v.example\n"}, []string{"morevalidrcptto: is not in effect: run qmail-newmvrt"}},
		{"plug-ins", map[string]string{"smtpplugins": "a\n[x]\nb\n[]\nc\n[\nd\n[mail]\ne\n[rcpt]\nf\n"}, []string{
			`smtpplugins: "a" is in no section that there is: it means nothing`, `smtpplugins: "b" is in no section that there is: it means nothing`,
			`smtpplugins: "c" is in no section that there is: it means nothing`, `smtpplugins: "d" is in no section that there is: it means nothing`}},
		{"only compiled", map[string]string{"morercpthosts.cdb": "x"}, []string{"morercpthosts: is missing, and morercpthosts.cdb is in effect"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{}
			for name, text := range good {
				files[name] = text
			}
			for name, text := range c.files {
				files[name] = text
			}
			got, err := Problems(folder(t, files))
			if err != nil {
				t.Fatal(err)
			}
			if texts := texts(got); !slices.Equal(texts, c.want) {
				t.Errorf("problems of %q:\n%q\nwant\n%q", c.files, texts, c.want)
			}
		})
	}
}

func texts(problems []Problem) []string {
	var all []string
	for _, p := range problems {
		all = append(all, p.String())
	}
	return all
}

func TestProblemsOfFiles(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"morercpthosts": "v.example\n", "morercpthosts.cdb": "x", "notes": "x"})
	old := time.Unix(1e9, 0)
	if err := os.Chtimes(filepath.Join(dir, "morercpthosts.cdb"), old, old); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "notes"), 0o666); err != nil {
		t.Fatal(err)
	}
	got, err := Problems(dir)
	want := []string{
		"me: is missing: this host has no name",
		"morercpthosts: is newer than what is in effect: run qmail-newmrh",
		"notes: can be written by everybody",
	}
	if !slices.Equal(texts(got), want) || err != nil {
		t.Errorf("problems: %q, %v, want %q", texts(got), err, want)
	}
	if _, err := Problems(filepath.Join(dir, "none")); err == nil {
		t.Error("a missing folder has no problems")
	}
}

// FuzzProblems checks that every problem is one line about a file that is there or
// should be.
func FuzzProblems(f *testing.F) {
	f.Add("mx.test.example\n", "a:b\n", "5 or so")
	f.Fuzz(func(t *testing.T, me, virtual, number string) {
		got, err := Problems(folder(t, map[string]string{"me": me, "virtualdomains": virtual, "databytes": number}))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range got {
			if !slices.ContainsFunc(control.Files, func(f control.File) bool { return f.Name == p.File }) || p.Text == "" {
				t.Errorf("problem %q", p)
			}
		}
	})
}
