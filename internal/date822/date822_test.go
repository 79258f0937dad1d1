package date822

import (
	"testing"
	"time"
)

func TestFormat(t *testing.T) {
	cet := time.FixedZone("CET", 3600)
	for _, tt := range []struct {
		t    time.Time
		want string
	}{
		{time.Date(2026, 11, 21, 18, 4, 7, 0, time.UTC), "21 Nov 2026 18:04:07 -0000"},
		{time.Date(1995, 9, 1, 0, 30, 0, 0, cet), "31 Aug 1995 23:30:00 -0000"},
	} {
		if got := Format(tt.t); got != tt.want {
			t.Errorf("Format(%v) = %q, want %q", tt.t, got, tt.want)
		}
	}
}
