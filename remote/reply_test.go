package remote

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadReply(t *testing.T) {
	tests := []struct {
		name, in string
		code     int
		text     string
		rest     string
	}{
		{"one line", "250 ok\r\n", 250, "250 ok\n", ""},
		{"LF", "250 ok\n250 next\n", 250, "250 ok\n", "250 next\n"},
		{"bare code", "220\r\nx", 220, "220\n", "x"},
		{"many lines", "250-a\r\n250-\r\n250 c\r\nx", 250, "250-a\n250-\n250 c\n", "x"},
		{"the first code counts", "250-a\r\n550 b\r\n", 250, "250-a\n550 b\n", ""},
		{"no space after the code", "250ok\r\nx", 250, "250ok\n", "x"},
		{"letters", "OK go on\r\nx", badCode, "OK go on\n", "x"},
		{"letters with a dash", "SSH-2.0-x\r\nx", badCode, "SSH-2.0-x\n", "x"},
		{"letters inside", "250-a\r\nwhat\r\nx", 250, "250-a\nwhat\n", "x"},
		{"empty line", "\r\nx", badCode, "\n", "x"},
		{"two digits", "25\r\nx", badCode, "25\n", "x"},
		{"digits only", "999\r\n", 999, "999\n", ""},
		{"CRs", "5\r50 a\rb\r\r\n", badCode, "550 ab\n", ""},
		{"NUL", "\x00\x00\x00-\r\nx", badCode, "\x00\x00\x00-\n", "x"},
		{"long line", "250 " + strings.Repeat("x", 9000) + "\r\ny", 250, "250 " + strings.Repeat("x", 4996), "y"},
		{"many long lines", strings.Repeat("250-"+strings.Repeat("x", 4995)+"\r\n", 3) + "250 y\r\n", 250, "250-" + strings.Repeat("x", 4995) + "\n", ""},
	}
	for _, tt := range tests {
		for _, size := range []int{16, inSize} {
			in := bufio.NewReaderSize(iotest.OneByteReader(strings.NewReader(tt.in)), size)
			r, err := readReply(in)
			rest, _ := io.ReadAll(in)
			if r.code != tt.code || string(r.text) != tt.text || string(rest) != tt.rest || err != nil {
				t.Errorf("%s: %d %.100q, %v, then %q; want %d %.100q, then %q", tt.name, r.code, r.text, err, rest, tt.code, tt.text, tt.rest)
			}
		}
	}
	for _, in := range []string{"", "250", "250 ok", "250-a\r\n", "250-a\r\n250 b"} {
		if r, err := readReply(bufio.NewReader(strings.NewReader(in))); err == nil {
			t.Errorf("%q, then nothing: %v and no error", in, r)
		}
	}
}

// repeat gives the same text n times.
type repeat struct {
	text string
	n    int
	at   int
}

func (r *repeat) Read(p []byte) (int, error) {
	if r.n == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.text[r.at:])
	if r.at += n; r.at == len(r.text) {
		r.at = 0
		r.n--
	}
	return n, nil
}

// TestHugeReply wants right codes at little memory.
func TestHugeReply(t *testing.T) {
	line := "550-" + strings.Repeat("x", 1018) + "\r\n"
	tests := []struct {
		name string
		in   io.Reader
		err  error
	}{
		{"many lines", io.MultiReader(&repeat{text: line, n: 10 << 10}, strings.NewReader("550 end\r\n")), nil},
		{"one line", io.MultiReader(strings.NewReader("550 "), &repeat{text: strings.Repeat("x", 1000), n: 10 << 10}, strings.NewReader("\r\n")), nil},
		{"endless lines", &repeat{text: line, n: 1 << 20}, errLongReply},
		{"endless line", &repeat{text: strings.Repeat("x", 1000), n: 1 << 20}, errLongReply},
	}
	for _, tt := range tests {
		in := bufio.NewReaderSize(tt.in, inSize)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := readReply(in)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, tt.err) || err == nil && (r.code != 550 || len(r.text) != mostText) {
			t.Errorf("%s: %d, %d bytes, %v", tt.name, r.code, len(r.text), err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%s: %d bytes of memory", tt.name, used)
		}
	}
}

func TestExtensions(t *testing.T) {
	got := parseExtensions([]byte("250-host says SIZE\n250-SIZE 1000\n250-pipelining\n250-\n250\n250-AUTH LOGIN PLAIN\n250 8BITMIME\n250-STARTT"))
	want := map[string]string{"SIZE": "1000", "PIPELINING": "", "AUTH": "LOGIN PLAIN", "8BITMIME": ""}
	if len(got) != len(want) {
		t.Errorf("%d extensions: %v", len(got), got)
	}
	for k, v := range want {
		if g, ok := got[k]; g != v || !ok {
			t.Errorf("%s has %q, want %q", k, g, v)
		}
	}
	if len(parseExtensions([]byte("250 host\n"))) != 0 {
		t.Error("the host's name is an extension")
	}
}

// FuzzReply: what is read is the start of what came, CRs aside, and reading the
// text again gives the same.
func FuzzReply(f *testing.F) {
	for _, in := range []string{"250 ok\r\n", "250-a\r\n250 b\r\nc", "SSH-2\r\n", "\n", "25", "250-\r\n\x00\r\r\n"} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in := bufio.NewReaderSize(bytes.NewReader(data), 16)
		r, err := readReply(in)
		if err != nil {
			return
		}
		rest, _ := io.ReadAll(in)
		used := bytes.ReplaceAll(data[:len(data)-len(rest)], []byte("\r"), nil)
		if !bytes.HasPrefix(used, r.text) || len(r.text) > mostText || len(used) <= mostText && len(r.text) != len(used) {
			t.Fatalf("text %q of %q", r.text, used)
		}
		if bytes.IndexByte([]byte(r.said()), 0) >= 0 {
			t.Fatalf("a zero byte in %q", r.said())
		}
		parseExtensions(r.text)
		if len(used) < mostText && !bytes.Contains(data, []byte("\r")) {
			again, err := readReply(bufio.NewReader(bytes.NewReader(r.text)))
			if err != nil || again.code != r.code || !bytes.Equal(again.text, r.text) {
				t.Fatalf("%d %q read again is %d %q, %v", r.code, r.text, again.code, again.text, err)
			}
		}
	})
}
