package bounce

import (
	"strings"
	"testing"
)

func TestWhole(t *testing.T) {
	one := Paragraph("joe@example.org", "no\n")
	long := Paragraph("eve@example.org", strings.Repeat("x", 10000))
	for _, tt := range []struct {
		name, text string
		whole      int
	}{
		{"nothing", "", 0},
		{"a byte", "<", 0},
		{"one", one, len(one)},
		{"a part", one[:len(one)-1], 0},
		{"one and a part", one + one[:5], len(one)},
		{"one and zeros", one + "\x00\x00\x00", len(one)},
		{"two", one + long, len(one + long)},
		{"one and a long part", one + long[:9000], len(one)},
		{"a long part", long[:9000], 0},
		{"an end between blocks", one + strings.Repeat("x", 4095), len(one)},
	} {
		got, err := Whole(strings.NewReader(tt.text), int64(len(tt.text)))
		if err != nil || got != int64(tt.whole) {
			t.Errorf("%s: %d, %v, want %d", tt.name, got, err, tt.whole)
		}
	}
}

func FuzzWhole(f *testing.F) {
	f.Add("<a@b>:\nno\n\n<c")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Whole(strings.NewReader(text), int64(len(text)))
		want := 0
		if i := strings.LastIndex(text, "\n\n"); i >= 0 {
			want = i + 2
		}
		if err != nil || got != int64(want) {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	})
}
