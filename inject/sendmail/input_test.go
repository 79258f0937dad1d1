package sendmail

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestInput(t *testing.T) {
	long := strings.Repeat("x", bufferSize)
	for _, tt := range []struct {
		name, in, want string
		ignoreDots     bool
	}{
		{name: "nothing"},
		{name: "lines", in: "a\n\nb", want: "a\n\nb"},
		{name: "CR LF", in: "a\r\n\r\nb\r\nc\n", want: "a\n\nb\nc\n"},
		{name: "several CRs", in: "a\r\r\n\r\r\r\n", want: "a\n\n"},
		{name: "bare CR", in: "a\rb\r\rc\r\n\rd\r", want: "a\rb\r\rc\n\rd"},
		{name: "very many CRs", in: strings.Repeat("\r", 3*maxCRs) + "x\r\n", want: strings.Repeat("\r", 3*maxCRs) + "x\n"},
		{name: "dot", in: "a\n.\nb\n", want: "a\n"},
		{name: "dot with CR", in: "a\r\n.\r\nb\n", want: "a\n"},
		{name: "dot at the end", in: "a\n.", want: "a\n"},
		{name: "dot at the beginning", in: ".\na\n"},
		{name: "two dots", in: "..\n...a\n.b\n..c\n", want: ".\n..a\n.b\n.c\n"},
		{name: "dots ignored", in: "a\n.\n..\r\n.b\n", want: "a\n.\n..\n.b\n", ignoreDots: true},
		{name: "dot within a long line", in: long + ".\n" + long + "..\n.", want: long + ".\n" + long + "..\n"},
		{name: "long line that begins with dots", in: "..." + long + "\n", want: ".." + long + "\n"},
		{name: "CR at the edge of the buffer", in: long[1:] + "\r\nb\n" + long[1:] + "\rb\n", want: long[1:] + "\nb\n" + long[1:] + "\rb\n"},
		{name: "dot and CRs", in: ".\r\rx\r\n", want: ".\r\rx\n"},
	} {
		for _, r := range []io.Reader{strings.NewReader(tt.in), iotest.DataErrReader(strings.NewReader(tt.in)), iotest.HalfReader(strings.NewReader(tt.in))} {
			got, err := io.ReadAll(NewInput(r, tt.ignoreDots))
			if err != nil || string(got) != tt.want {
				t.Errorf("%s: got %d bytes %.60q, %v, want %d bytes %.60q", tt.name, len(got), got, err, len(tt.want), tt.want)
			}
		}
	}
	if _, err := io.ReadAll(NewInput(iotest.ErrReader(io.ErrClosedPipe), false)); err != io.ErrClosedPipe {
		t.Errorf("got %v, want the reader's error", err)
	}
}

// TestInputDoesNotWait has a caller that ends its message with a dot and then
// waits.
func TestInputDoesNotWait(t *testing.T) {
	r, w := io.Pipe()
	go w.Write([]byte("a\n.\nrest"))
	got, err := io.ReadAll(NewInput(r, false))
	if err != nil || string(got) != "a\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

// FuzzInput compares with a plainer way to do the same.
func FuzzInput(f *testing.F) {
	for _, seed := range []string{"a\r\n.\r\nb", "..\n.\r\r\n", "\r", "a\rb\n..c"} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, ignoreDots bool) {
		var want []byte
		for _, line := range bytes.SplitAfter(data, []byte("\n")) {
			bare := bytes.TrimRight(bytes.TrimSuffix(line, []byte("\n")), "\r")
			if !ignoreDots && string(bare) == "." {
				break
			}
			if !ignoreDots && bytes.HasPrefix(bare, []byte("..")) {
				bare = bare[1:]
			}
			if want = append(want, bare...); bytes.HasSuffix(line, []byte("\n")) {
				want = append(want, '\n')
			}
		}
		got, err := io.ReadAll(NewInput(iotest.OneByteReader(bytes.NewReader(data)), ignoreDots))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q, %v: got %q, %v, want %q", data, ignoreDots, got, err, want)
		}
	})
}

func BenchmarkInput(b *testing.B) {
	data := strings.Repeat("0123456789abcde\n", 1<<16)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		io.Copy(io.Discard, NewInput(strings.NewReader(data), false))
	}
}
