package version

import (
	"flag"
	"strings"
	"testing"
)

func TestAnswer(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string // empty: no answer
	}{
		{[]string{"--version"}, "prog (goqmail) " + Number + "\n"},
		{[]string{"--help"}, "usage: prog\n"},
		{nil, ""},
		{[]string{"-version"}, ""},
		{[]string{"--help", "me"}, ""},
		{[]string{"list", "--help"}, ""},
	} {
		var out strings.Builder
		if ok := Answer(tt.args, "prog", "usage: prog\n", &out); ok != (tt.want != "") || out.String() != tt.want {
			t.Errorf("Answer(%q) = %v, prints %q, want %q", tt.args, ok, out.String(), tt.want)
		}
	}
}

func TestUsage(t *testing.T) {
	flags := flag.NewFlagSet("prog", flag.ContinueOnError)
	flags.Bool("x", false, "do `it`")
	if got, want := Usage(flags, ""), "usage: prog [flag...]\n  -x it\n    \tdo it\n"; got != want {
		t.Errorf("Usage = %q, want %q", got, want)
	}
	if got := Usage(flags, "file"); !strings.HasPrefix(got, "usage: prog [flag...] file\n") {
		t.Errorf("Usage = %q", got)
	}
}
