package date822

import (
	"testing"
	"time"
)

func TestFormatLocal(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		offset int
		want   string
	}{
		{"none", 0, "3 Feb 2026 04:05:06 +0000"},
		{"east", 5*3600 + 30*60, "3 Feb 2026 09:35:06 +0530"},
		{"west", -9*3600 - 30*60, "2 Feb 2026 18:35:06 -0930"},
		{"seconds are rounded", 1172, "3 Feb 2026 04:24:38 +0020"},
		{"up to an hour", -(3600 - 20), "3 Feb 2026 03:05:26 -0100"},
		{"far east", 14 * 3600, "3 Feb 2026 18:05:06 +1400"},
	} {
		if got := FormatLocal(at.In(time.FixedZone("", tt.offset))); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestZone(t *testing.T) {
	winter := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	summer := winter.AddDate(0, 6, 0)
	for _, tt := range []struct{ tz, winter, summer string }{
		{"XYZ-5:30", "+0530", "+0530"},
		{"<-03>3", "-0300", "-0300"},
		{"AAA-1BBB,M3.5.0,M10.5.0/3", "+0100", "+0200"},
		{"AAA8BBB", "-0800", "-0700"},
		{"no/such/zone", "+0000", "+0000"},
		{"!", "+0000", "+0000"},
	} {
		zone := Zone(tt.tz)
		for _, at := range []struct {
			time.Time
			want string
		}{{winter, tt.winter}, {summer, tt.summer}} {
			text := FormatLocal(at.In(zone))
			if got := text[len(text)-5:]; got != at.want {
				t.Errorf("%s: got %s at %v, want %s", tt.tz, got, at, at.want)
			}
		}
	}
	for _, tz := range []string{"", ":x", "/etc/localtime", "UTC"} {
		if Zone(tz) != time.Local {
			t.Errorf("%q is not left to package time", tz)
		}
	}
}

// Whatever TZ is, a date comes out, and the time that it tells is the right one.
func FuzzZone(f *testing.F) {
	for _, tz := range []string{"XYZ-5:30", "<-03>3", "AAA-1BBB,M3.5.0,M10.5.0/3", "AAA8BBB", "x", "A\n"} {
		f.Add(tz)
	}
	at := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	f.Fuzz(func(t *testing.T, tz string) {
		local := at.In(Zone(tz))
		if _, offset := local.Zone(); offset%60 != 0 || offset < -86340 || offset > 86340 {
			return // nothing that the form can tell
		}
		back, err := time.Parse("2 Jan 2006 15:04:05 -0700", FormatLocal(local))
		if err != nil || !back.Equal(at) {
			t.Errorf("%q: %q, %v", tz, FormatLocal(local), err)
		}
	})
}
