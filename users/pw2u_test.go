package users

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/control"
	"goqmail/internal/fault"
)

const (
	joeLine   = "joe:x:507:100:Joe:/home/joe:/bin/sh\n"
	aliasLine = "alias:x:7790:2108::/alias:\n"
	joeOut    = "=joe:joe:507:100:/home/joe:::\n+joe-:joe:507:100:/home/joe:-::\n"
	aliasOut  = "+:alias:7790:2108:/alias:-::\n=alias:alias:7790:2108:/alias:::\n+alias-:alias:7790:2108:/alias:-::\n"
)

func pw2u(change func(*Pw2u)) *Pw2u {
	p := &Pw2u{Alias: "alias", Dash: "-", Break: "-", Homes: AnyHome, Owner: owner}
	if change != nil {
		change(p)
	}
	return p
}

func TestPw2u(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Pw2u)
		passwd string
		want   string
	}{
		{"two", nil, joeLine + aliasLine, joeOut + aliasOut + ".\n"},
		{"bad lines", nil, "x\n\nroot:x:0:0::/:\nJoe:x:1:1::/:\nnul:x:1:1:\x00:/:\nshort:x:1:1::/\n" + aliasLine, aliasOut + ".\n"},
		{"upper case", func(p *Pw2u) { p.Upper = true }, "Joe:x:1:1::/h:\n" + aliasLine, "=Joe:Joe:1:1:/h:::\n+Joe-:Joe:1:1:/h:-::\n" + aliasOut + ".\n"},
		{"slash", func(p *Pw2u) { p.Dash = "-/" }, joeLine + aliasLine, strings.ReplaceAll(joeOut+aliasOut, ":-::", ":-/::") + ".\n"},
		{"no break", func(p *Pw2u) { p.Break = "" }, aliasLine, "+:alias:7790:2108:/alias:-::\n=alias:alias:7790:2108:/alias:::\n.\n"},
		{"other break", func(p *Pw2u) { p.Break = "+" }, aliasLine, strings.ReplaceAll(aliasOut, "+alias-", "+alias+") + ".\n"},
		{"own homes", func(p *Pw2u) { p.Homes = SkipHomeless }, joeLine + "a:x:1:1::/none:\nd:x:1:1::/:\nalias:x:600:1::/home/ann:\n",
			joeOut + "+:alias:600:1:/home/ann:-::\n=alias:alias:600:1:/home/ann:::\n+alias-:alias:600:1:/home/ann:-::\n.\n"},
		{"include", func(p *Pw2u) { p.Include = control.Set([]string{"ALIAS"}) }, joeLine + aliasLine, aliasOut + ".\n"},
		{"exclude", func(p *Pw2u) { p.Exclude = control.Set([]string{"Joe"}) }, joeLine + aliasLine, aliasOut + ".\n"},
		{"names", func(p *Pw2u) { p.Names = control.Pairs([]string{"joe::jo:", "alias:"}) }, joeLine + aliasLine,
			"=jo:joe:507:100:/home/joe:::\n+jo-:joe:507:100:/home/joe:-::\n+:alias:7790:2108:/alias:-::\n.\n"},
		{"subusers", func(p *Pw2u) { p.Subusers = []string{"# x", "", "sales:JOE:shop:rest", "sales:joe:shop"} }, joeLine + aliasLine,
			joeOut + aliasOut + "=sales:joe:507:100:/home/joe:-:shop:\n+sales-:joe:507:100:/home/joe:-:shop-:\n.\n"},
		{"append", func(p *Pw2u) { p.Extra = []byte("=x:y:1:1:/:::\n") }, aliasLine, aliasOut + "=x:y:1:1:/:::\n.\n"},
		{"append without newline", func(p *Pw2u) { p.Extra = []byte("=x:y:1:1:/:::") }, aliasLine, aliasOut + "=x:y:1:1:/:::\n.\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := pw2u(tt.change).Assign(strings.NewReader(tt.passwd))
			if string(got) != tt.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
			if _, err := compile(string(got)); err != nil {
				t.Errorf("qmail-newu does not take it: %v", err)
			}
		})
	}
}

func TestPw2uFails(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Pw2u)
		passwd io.Reader
		want   string
	}{
		{"no alias", nil, strings.NewReader(joeLine), "unable to find alias user"},
		{"alias in another case", func(p *Pw2u) { p.Upper = true }, strings.NewReader("ALIAS:x:1:1::/:\n"), "unable to find alias user"},
		{"no home", func(p *Pw2u) { p.Homes = StopHomeless }, strings.NewReader("joe:x:1:1::/none:\n"), "unable to stat /none"},
		{"home in trouble", func(p *Pw2u) { p.Homes = SkipHomeless }, strings.NewReader("joe:x:1:1::/nfs:\n"), "unable to stat /nfs"},
		{"subuser of nobody", func(p *Pw2u) { p.Subusers = []string{"a:Eve:"} }, strings.NewReader(aliasLine), "unable to find Eve user for subuser"},
		{"input", nil, io.MultiReader(strings.NewReader(joeLine), broken{}), "unable to read input"},
	}
	for _, tt := range tests {
		got, err := pw2u(tt.change).Assign(tt.passwd)
		var f *fault.Error
		if !errors.As(err, &f) || f.Text != tt.want || got != nil {
			t.Errorf("%s: got %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestPw2uRead(t *testing.T) {
	dir := t.TempDir()
	p := pw2u(nil)
	if err := p.Read(dir); err != nil || p.Include != nil || p.Exclude != nil {
		t.Errorf("without files: %v, %v", p, err)
	}
	for name, text := range map[string]string{
		"include": "# x\njoe \n", "exclude": "", "mailnames": "joe:a:b\n", "subusers": "a:b:c:\nd", "append": "x\n",
	} {
		os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)
	}
	if err := p.Read(dir); err != nil {
		t.Fatal(err)
	}
	if names, _ := p.Names.Get("joe"); !p.Include.Has("JOE") || p.Exclude == nil || names != "a:b" || len(p.Subusers) != 2 || string(p.Extra) != "x\n" {
		t.Errorf("read %+v", p)
	}
	for name, want := range map[string]string{"include": "unable to read controls", "subusers": "unable to read input", "append": "unable to read input"} {
		path := filepath.Join(dir, name)
		os.Remove(path)
		os.Mkdir(path, 0o755)
		var f *fault.Error
		if err := p.Read(dir); !errors.As(err, &f) || f.Text != want {
			t.Errorf("%s is a folder: %v, want %q", name, err, want)
		}
		os.Remove(path)
	}
}

// FuzzPw2u: what is made of any password file, qmail-newu takes.
func FuzzPw2u(f *testing.F) {
	f.Add(joeLine, "sales:joe:shop:\n", "=x:y:1:1:/:::")
	f.Fuzz(func(t *testing.T, passwd, subusers, names string) {
		p := pw2u(func(p *Pw2u) {
			p.Subusers = strings.Split(subusers, "\n")
			p.Names = control.Pairs(control.ParseList(names))
			p.Upper = true
		})
		if strings.Contains(subusers+names, "\x00") || strings.Contains(passwd, "::\n") {
			return
		}
		got, err := p.Assign(strings.NewReader(passwd + "\n" + aliasLine))
		if err != nil {
			return
		}
		if _, err := compile(string(got)); err != nil {
			t.Errorf("of %q, %q and %q came %q: %v", passwd, subusers, names, got, err)
		}
	})
}
