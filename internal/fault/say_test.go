package fault

import (
	"errors"
	"strings"
	"testing"
)

func TestSay(t *testing.T) {
	for _, tt := range []struct {
		err  error
		text string
		code int
	}{
		{nil, "", 0},
		{Hard("no (#5.1.1)"), "no (#5.1.1)\n", 100},
		{Soft("later (#4.3.0)", errors.New("cause")), "later (#4.3.0)\n", 111},
		{&Error{Perm: true}, "", 100},
		{errors.New("strange"), "strange\n", 111},
	} {
		var out strings.Builder
		if code := Say(&out, tt.err); code != tt.code || out.String() != tt.text {
			t.Errorf("%v: %d and %q, want %d and %q", tt.err, code, out.String(), tt.code, tt.text)
		}
	}
}
