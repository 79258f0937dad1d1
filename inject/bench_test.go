package inject

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// discard is a [Queue] that keeps nothing.
type discard struct{ io.Writer }

func (discard) From(string)  {}
func (discard) To(string)    {}
func (discard) Fail()        {}
func (discard) Close() error { return nil }

func benchmark(b *testing.B, message []byte) {
	in, err := New(setup(b))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		err := in.Queue(bytes.NewReader(message), func() (Queue, error) { return discard{io.Discard}, nil })
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecipients has lists of that many recipients in one field: the time
// for each byte must not grow.
func BenchmarkRecipients(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		var list strings.Builder
		for i := range n {
			fmt.Fprintf(&list, "Person %d <person%d@host%d.far.example>,\n ", i, i, i%100)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmark(b, []byte("To: "+list.String()+"\n\nx\n")) })
	}
}

// BenchmarkLongLine has header lines of half a megabyte and one, in many forms.
func BenchmarkLongLine(b *testing.B) {
	for _, tt := range []struct{ name, field, unit string }{
		{"Text", "Subject", "x"}, {"Atom", "To", "x"}, {"Words", "To", "a "}, {"Quoted", "Cc", `"a" `}, {"Dots", "To", "."},
		{"Groups", "To", "g: a;"}, {"Angles", "To", "<a> "}, {"Closing", "To", "a>"}, {"Opening", "To", "<a"}, {"Commas", "To", ","},
		{"Colons", "To", ":"}, {"Comments", "To", "(a)"},
	} {
		for _, size := range []int{512 << 10, 1000 << 10} {
			message := tt.field + ": " + strings.Repeat(tt.unit, size/len(tt.unit)) + "\n\nx\n"
			b.Run(fmt.Sprintf("%s%dK", tt.name, size>>10), func(b *testing.B) { benchmark(b, []byte(message)) })
		}
	}
}

// BenchmarkBody has a small header and a body of 16 MB.
func BenchmarkBody(b *testing.B) {
	benchmark(b, []byte("To: b@c.d\n\n"+strings.Repeat("0123456789abcde\n", 1<<20)))
}
