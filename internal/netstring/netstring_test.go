package netstring

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestReadLength(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want int64
		err  error
	}{
		{"5:hello,", 5, nil},
		{"0:,", 0, nil},
		{":", 0, nil},
		{"007:", 7, nil},
		{"2000000009:", 2000000009, nil},
		{"99999999999:", 0, ErrTooLong},
		{"x:", 0, ErrFormat},
		{"12x:", 0, ErrFormat},
		{"-1:", 0, ErrFormat},
		{" 1:", 0, ErrFormat},
		{"", 0, io.EOF},
		{"12", 0, io.EOF},
	} {
		got, err := ReadLength(strings.NewReader(tt.in))
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("ReadLength(%q) = %d, %v, want %d, %v", tt.in, got, err, tt.want, tt.err)
		}
	}
}

func TestAppend(t *testing.T) {
	if got := string(Append(nil, "hello")); got != "5:hello," {
		t.Errorf("Append = %q", got)
	}
	for _, n := range []int{0, 1, 9, 10, 1234} {
		if got := Len(int64(n)); got != int64(len(Append(nil, strings.Repeat("x", n)))) {
			t.Errorf("Len(%d) = %d", n, got)
		}
	}
}

// FuzzRead reads anything, and what it reads is what Append writes.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"5:hello,", "0:,", "3:ab", "1:a;", "99999999999:", "x:"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		n, err := ReadLength(r)
		if err != nil {
			return
		}
		if n < 0 || n > MaxLength {
			t.Fatalf("length %d of %q", n, in)
		}
		body, _ := io.ReadAll(io.LimitReader(r, n))
		if int64(len(body)) < n || ReadComma(r) != nil {
			return
		}
		out := Append(nil, string(body))
		again := bytes.NewReader(out)
		m, err := ReadLength(again)
		if err != nil || m != n {
			t.Errorf("%q is written as %q, whose length is %d, %v", in, out, m, err)
		}
	})
}
