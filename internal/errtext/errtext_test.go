package errtext

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

func TestOf(t *testing.T) {
	_, missing := os.Open("/nonexistent")
	for _, tt := range []struct {
		err  error
		want string
	}{
		{missing, "file does not exist"},
		{syscall.EACCES, "access denied"},
		{syscall.EDOM, syscall.EDOM.Error()},
		{errors.New("other"), "other"},
	} {
		if got := Of(tt.err); got != tt.want {
			t.Errorf("Of(%v) = %q, want %q", tt.err, got, tt.want)
		}
	}
}
