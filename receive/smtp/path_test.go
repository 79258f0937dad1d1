package smtp

import (
	"strings"
	"testing"

	"goqmail/internal/address"
)

func TestParsePath(t *testing.T) {
	for _, tt := range []struct{ in, addr, parameters string }{
		{"FROM:<a@example.org>", "a@example.org", ""},
		{"FROM:<a@example.org> SIZE=1 X", "a@example.org", " SIZE=1 X"},
		{"FROM:a@example.org SIZE=1", "a@example.org", "SIZE=1"},
		{"FROM:   a@example.org", "a@example.org", ""},
		{"FROM: Joe <a@example.org>", "a@example.org", ""},
		{"Joe <a@example.org>", "a@example.org", ""},
		{"FROM:<>", "", ""},
		{"FROM:", "", ""},
		{"", "", ""},
		{"a@example.org", "", ""},
		{"FROM:<a@example.org", "a@example.org", ""},
		{"FROM:<@one.example,@two.example:a@example.org>", "a@example.org", ""},
		{"FROM:@one.example:a@example.org", "a@example.org", ""},
		{"FROM:<@one.example>", "", ""},
		{`FROM:<"a b"@example.org>`, "a b@example.org", ""},
		{`FROM:<"a>b"@example.org>`, "a>b@example.org", ""},
		{`FROM:<a\@b@example.org>`, "a@b@example.org", ""},
		{`FROM:<"a\"b"@example.org> X`, `a"b@example.org`, " X"},
		{`FROM:<a\`, "a", ""},
		{`FROM:<a"b`, "ab", ""},
	} {
		if addr, parameters := parsePath(tt.in); addr != tt.addr || parameters != tt.parameters {
			t.Errorf("parsePath(%q) = %q, %q, want %q, %q", tt.in, addr, parameters, tt.addr, tt.parameters)
		}
	}
}

func TestParameter(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		ok       bool
	}{
		{" SIZE=12 BODY=8BITMIME", "12", true}, {" body=x size=3", "3", true}, {" SIZE", "", true},
		{" XSIZE=1", "", false}, {"", "", false}, {" SIZE=1=2", "1=2", true},
	} {
		if got, ok := parameter(tt.in, "SIZE"); got != tt.want || ok != tt.ok {
			t.Errorf("parameter(%q) = %q, %v, want %q, %v", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

// FuzzParsePath reads any argument; an address written as qmail-remote writes it
// is read as it was.
func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"FROM:<a@example.org> X=1", `<"a\b">`, "x:@y:z", "a b@c", `\`, `"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if addr, parameters := parsePath(s); len(addr)+len(parameters) > len(s) {
			t.Errorf("parsePath(%q) = %q, %q", s, addr, parameters)
		}
		if _, host, _ := address.Split(s); strings.ContainsAny(host, "<>\"\\") || s == "" {
			return // only a local part is ever quoted
		}
		if got, _ := parsePath("FROM:<" + address.Quote(s) + ">"); got != s {
			t.Errorf("%q is written %q and read as %q", s, address.Quote(s), got)
		}
	})
}
