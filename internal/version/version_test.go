package version

import (
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
