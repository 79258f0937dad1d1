package remote

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
)

// onWire returns what body sends for a message, and its error.
func onWire(message io.Reader) (string, error) {
	var out bytes.Buffer
	s := &session{out: bufio.NewWriter(&out)}
	err := s.body(message)
	if err != nil {
		s.out.Flush() // at worst
	}
	return out.String(), err
}

func TestBody(t *testing.T) {
	long := strings.Repeat("x", 3*readSize)
	tests := []struct{ name, message, want string }{
		{"empty", "", ".\r\n"},
		{"newline", "\n", "\r\n.\r\n"},
		{"lines", "a\nb\n", "a\r\nb\r\n.\r\n"},
		{"dots", ".\n..\n.a\na.\n\n.\n", "..\r\n...\r\n..a\r\na.\r\n\r\n..\r\n.\r\n"},
		{"CRLF", "a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"},
		{"CR", "a\r.\rb\r", "a\r\n..\r\nb\r\n.\r\n"},
		{"CR CR LF", "a\r\r\n.\n", "a\r\n\r\n..\r\n.\r\n"},
		{"LF CR", "a\n\r.\n", "a\r\n\r\n..\r\n.\r\n"},
		{"NUL", "\x00.\n.\x00\n", "\x00.\r\n..\x00\r\n.\r\n"},
		{"long line", long + "\n." + long + "\n", long + "\r\n.." + long + "\r\n.\r\n"},
		{"only CRs", strings.Repeat("\r", 2*readSize), strings.Repeat("\r\n", 2*readSize) + ".\r\n"},
	}
	for _, tt := range tests {
		for name, message := range map[string]io.Reader{
			"at once":       strings.NewReader(tt.message),
			"byte by byte":  iotest.OneByteReader(strings.NewReader(tt.message)),
			"data with EOF": iotest.DataErrReader(strings.NewReader(tt.message)),
		} {
			if got, err := onWire(message); got != tt.want || err != nil {
				t.Errorf("%s, %s: %.100q, %v, want %.100q", tt.name, name, got, err, tt.want)
			}
		}
	}
	for _, message := range []string{"a", "a\nb", "a\r\nb", "a\rb", "\n.", "."} {
		if got, err := onWire(strings.NewReader(message)); !errors.Is(err, errPartialLine) {
			t.Errorf("%q: %q, %v, want an error", message, got, err)
		}
	}
}

// strictEnd is the end of data by the standard, lenientEnd what the most careless
// of receivers takes for it.
var (
	strictEnd  = regexp.MustCompile(`(^|\r\n)\.\r\n`)
	lenientEnd = regexp.MustCompile(`(^|\r\n|\r|\n)\.(\r\n|\r|\n)`)
	bareCR     = regexp.MustCompile(`\r([^\n]|$)`)
	bareLF     = regexp.MustCompile(`(^|[^\r])\n`)
)

// checkWire checks what was sent for a message: it ends once, at the end, for
// every receiver; if it broke off, nowhere.
func checkWire(t *testing.T, message, wire string, err error) {
	t.Helper()
	if bareCR.MatchString(wire) || bareLF.MatchString(wire) {
		t.Errorf("message %q is sent as %q", message, wire)
	}
	for _, end := range []*regexp.Regexp{strictEnd, lenientEnd} {
		found := end.FindStringIndex(wire)
		if err != nil && found != nil || err == nil && (found == nil || found[1] != len(wire)) {
			t.Errorf("message %q, sent as %q with %v, ends for %v at %v", message, wire, err, end, found)
		}
	}
}

// TestSmuggling sends every mixture of CR, LF, dot and x of length 1 to 6, in
// several places.
func TestSmuggling(t *testing.T) {
	mixtures := []string{""}
	for from := 0; len(mixtures[from]) < 6; from++ {
		for _, c := range []string{"\r", "\n", ".", "x"} {
			mixtures = append(mixtures, mixtures[from]+c)
		}
	}
	for _, mix := range mixtures[1:] {
		for _, around := range []string{"%s", "%sa\n", "a%s", "a%sb\n", "a\n%sb\n", "a\r\n%s\r\nMAIL FROM:<>\r\n"} {
			message := fmt.Sprintf(around, mix)
			wire, err := onWire(strings.NewReader(message))
			checkWire(t, message, wire, err)
			slow, slowErr := onWire(iotest.OneByteReader(strings.NewReader(message)))
			if slow != wire || (slowErr == nil) != (err == nil) {
				t.Errorf("message %q is sent as %q, or byte by byte as %q", message, wire, slow)
			}
		}
	}
}

// FuzzBody: what a receiver makes of it is the message, with every line end
// turned into LF.
func FuzzBody(f *testing.F) {
	for _, message := range []string{"", "a\n", ".\r\n.\r.\n", "a", "\r\r\n\n.\x00\n"} {
		f.Add([]byte(message), 3)
	}
	f.Fuzz(func(t *testing.T, message []byte, cut int) {
		cut = min(max(cut, 0), len(message))
		wire, err := onWire(io.MultiReader(bytes.NewReader(message[:cut]), bytes.NewReader(message[cut:])))
		checkWire(t, string(message), wire, err)
		if err != nil {
			return
		}
		want := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(message))
		var got strings.Builder
		for line := range strings.SplitAfterSeq(strings.TrimSuffix(wire, ".\r\n"), "\r\n") {
			got.WriteString(strings.Replace(strings.TrimPrefix(line, "."), "\r\n", "\n", 1))
		}
		if got.String() != want {
			t.Errorf("message %q arrives as %q", message, got.String())
		}
	})
}

func TestSurvey(t *testing.T) {
	r := strings.NewReader("before" + strings.Repeat("x", readSize) + "\n\xe4\n")
	r.Seek(6, io.SeekStart)
	size, eightBit, known := survey(r)
	if want := int64(readSize + 5); size != want || !eightBit || !known {
		t.Errorf("survey gives %d, %v, %v, want %d", size, eightBit, known, want)
	}
	if rest, _ := io.ReadAll(r); len(rest) != readSize+3 {
		t.Errorf("survey leaves %d bytes to read", len(rest))
	}
	for _, text := range []string{"", "a", "12345678", "123456789\n"} {
		if hasEightBit([]byte(text)) || !hasEightBit([]byte(text+"\x80")) || !hasEightBit([]byte("\xff"+text)) {
			t.Errorf("hasEightBit is wrong about %q", text)
		}
	}
}

func BenchmarkBody(b *testing.B) {
	for _, bb := range []struct {
		name string
		text string
	}{
		{"lines", strings.Repeat("a line of sixty-three characters, as they are found in messages\n", 16<<10)},
		{"crlf", strings.Repeat("a line of sixty-two characters, as they are found in messages\r\n", 16<<10)},
		{"base64", strings.Repeat(strings.Repeat("QUJD", 19)+"\n", 13<<10)},
		{"dots", strings.Repeat(".\n", 512<<10)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.text)))
			for b.Loop() {
				s := &session{out: bufio.NewWriterSize(io.Discard, outSize)}
				if err := s.body(strings.NewReader(bb.text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
