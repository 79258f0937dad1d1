package fault

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestFatal(t *testing.T) {
	for _, tt := range []struct {
		err  error
		code int
		want string
	}{
		{Hard("DTLINE not set"), 100, "x: fatal: DTLINE not set\n"},
		{Soft("unable to fork", nil), 111, "x: fatal: unable to fork\n"},
		{fmt.Errorf("inside: %w", Hard("told")), 100, "x: fatal: told\n"},
		{errors.New("unknown"), 111, "x: fatal: unknown\n"},
	} {
		var out strings.Builder
		if code := Fatal(&out, "x", tt.err); code != tt.code || out.String() != tt.want {
			t.Errorf("%v: got %d, %q, want %d, %q", tt.err, code, out.String(), tt.code, tt.want)
		}
	}
}
