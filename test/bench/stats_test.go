package main

import (
	"maps"
	"strings"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	for name, tt := range map[string]struct {
		values []float64
		want   string
	}{
		"one":    {[]float64{1234.5}, "1234"},
		"odd":    {[]float64{30, 10, 20}, "20.0 (10.0-30.0)"},
		"even":   {[]float64{4, 1, 3, 2}, "2.50 (1.00-4.00)"},
		"digits": {[]float64{0.5, 50, 500}, "50.0 (0.50-500)"},
	} {
		t.Run(name, func(t *testing.T) {
			all := figures{}
			for _, v := range tt.values {
				all.add(sample{"a", "w", "rate", v})
			}
			s, ok := all.spread("a", "w", "rate")
			if got := s.String(); !ok || got != tt.want {
				t.Errorf("spread of %v = %q, want %q", tt.values, got, tt.want)
			}
		})
	}
	if _, ok := (figures{}).spread("a", "w", "rate"); ok {
		t.Error("there is a spread of nothing")
	}
}

func TestMedianKeepsItsArgument(t *testing.T) {
	values := []time.Duration{3, 1, 2}
	if got := median(values); got != 2 || values[0] != 3 {
		t.Errorf("median = %v, and the values are now %v", got, values)
	}
	if got := median[int](nil); got != 0 {
		t.Errorf("median of nothing = %d", got)
	}
}

func TestRatio(t *testing.T) {
	if got := ratio(spread{median: 30}, spread{median: 20}); got != "1.50" {
		t.Errorf("ratio = %q", got)
	}
	if got := ratio(spread{median: 30}, spread{}); got != "-" {
		t.Errorf("ratio to nothing = %q", got)
	}
}

const straced = `syscall              calls
---------------- ---------
futex                   30
fsync                    8
fdatasync                2
openat                  12
---------------- ---------
total                   52
`

func TestParseCalls(t *testing.T) {
	got, err := parseCalls(straced)
	want := calls{"futex": 30, "fsync": 8, "fdatasync": 2, "openat": 12}
	if err != nil || !maps.Equal(got, want) {
		t.Fatalf("parseCalls = %v, %v, want %v", got, err, want)
	}
	if all, syncs := got.total(); all != 52 || syncs != 10 {
		t.Errorf("total = %d and %d syncs, want 52 and 10", all, syncs)
	}
	if got := got.most(2, 10); got != "futex 3.00, openat 1.20" {
		t.Errorf("most = %q", got)
	}
	if _, err := parseCalls("futex many\n"); err == nil {
		t.Error("a number that is none is taken")
	}
}

func FuzzParseCalls(f *testing.F) {
	f.Add(straced)
	f.Add("")
	f.Add("fsync -1\n")
	f.Fuzz(func(t *testing.T, text string) {
		found, err := parseCalls(text)
		if err != nil {
			return
		}
		if all, syncs := found.total(); len(found) > strings.Count(text, "\n")+1 || syncs > all && all >= 0 && syncs >= 0 {
			t.Errorf("parseCalls(%q) = %v", text, found)
		}
	})
}

func TestField(t *testing.T) {
	if got, err := field("a 1\nusage_usec 42\n", "usage_usec"); got != 42 || err != nil {
		t.Errorf("field = %d, %v", got, err)
	}
	if _, err := field("usage 42\n", "usage_usec"); err == nil {
		t.Error("a field that is not there is found")
	}
}

func TestTables(t *testing.T) {
	all := figures{}
	for _, s := range []sample{
		{"goqmail", "local", "rate", 300}, {"goqmail", "local", "cpu", 1.5},
		{"postfix", "local", "rate", 100}, {"postfix", "idle", "memory", 6},
	} {
		all.add(s)
	}
	var b strings.Builder
	writeTables(&b, all, []string{"goqmail", "postfix"})
	for _, want := range []string{
		"| | messages a second | processor ms each | ours to this |\n",
		"| goqmail | 300 | 1.50 | 1.00 |\n",
		"| postfix | 100 | - | 3.00 |\n",
		"| postfix | 6.00 | 0.00 |\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
