package inject

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// takeApart returns the fields and the body of a message.
func takeApart(in io.Reader, limit int) (fields []string, body string, err error) {
	r := newReader(in, limit)
	for {
		field, err := r.next()
		if err != nil {
			return fields, "", err
		}
		if field == nil {
			break
		}
		fields = append(fields, string(field))
	}
	var b bytes.Buffer
	err = copyBody(&b, r)
	return fields, b.String(), err
}

func TestReader(t *testing.T) {
	long := strings.Repeat("x", 3*bufferSize)
	for _, tt := range []struct {
		name, message string
		fields        []string
		body          string
	}{
		{"nothing", "", nil, ""},
		{"header only", "A: b\nC: d\n", []string{"A: b\n", "C: d\n"}, ""},
		{"no newline at the end of the header", "A: b", []string{"A: b\n"}, ""},
		{"no newline at the end of a folded field", "A: b\n ", []string{"A: b\n \n"}, ""},
		{"no newline at the end of the body", "A: b\n\nc", []string{"A: b\n"}, "\nc\n"},
		{"body only", "\nA: b\n", nil, "\nA: b\n"},
		{"folded", "A: b\n c\n\td\nE: f\n", []string{"A: b\n c\n\td\n", "E: f\n"}, ""},
		{"blank line within a field", "A: b\n \n c\n\n", []string{"A: b\n \n c\n"}, "\n"},
		{"blanks before the colon", "A \t: b\n", []string{"A \t: b\n"}, ""},
		{"continuation first", " A: b\n", nil, "\n A: b\n"},
		{"no field", "A: b\nhello\nC: d\n", []string{"A: b\n"}, "\nhello\nC: d\n"},
		{"no field and no newline", "hello", nil, "\nhello\n"},
		{"name with a blank", "A b: c\n", nil, "\nA b: c\n"},
		{"no name", ": a\n", nil, "\n: a\n"},
		{"name with eight bits", "\xc4: a\n", nil, "\n\xc4: a\n"},
		{"mbox lines", "From a b\n c\nFrom:d\n>From e\n", []string{"MBOX-Line: From a b\n c\n", "From:d\n"}, "\n>From e\n"},
		{"CR alone", "A: b\r\n\r\nc", []string{"A: b\r\n"}, "\n\r\nc\n"},
		{"NUL", "A: \x00\n\n\x00", []string{"A: \x00\n"}, "\n\x00\n"},
		{"long line", "A: " + long + "\n " + long + "\n\n" + long, []string{"A: " + long + "\n " + long + "\n"}, "\n" + long + "\n"},
		{"long line without a field", long + ": a", nil, "\n" + long + ": a\n"},
	} {
		for _, in := range []io.Reader{strings.NewReader(tt.message), iotest.OneByteReader(strings.NewReader(tt.message)), iotest.DataErrReader(strings.NewReader(tt.message))} {
			fields, body, err := takeApart(in, MaxHeader)
			if err != nil || !slices.Equal(fields, tt.fields) || body != tt.body {
				t.Errorf("%s: fields %.200q, body %.200q, %v, want %.200q, %.200q", tt.name, fields, body, err, tt.fields, tt.body)
			}
		}
	}
}

func TestReaderFails(t *testing.T) {
	broken := errors.New("broken")
	for _, text := range []string{"", "A: b", "A: b\n", "A: b\n\nc"} {
		in := io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken))
		if fields, body, err := takeApart(in, MaxHeader); !errors.Is(err, broken) {
			t.Errorf("%q and an error: %q, %q, %v", text, fields, body, err)
		}
	}
}

func TestHeaderLimit(t *testing.T) {
	for _, tt := range []struct {
		message string
		want    error
	}{
		{"A: b\nC: d\n\n" + strings.Repeat("x", 20), nil},
		{"A: b\nC: de\n", errHeaderTooLong},
		{"A: b\n c\n", nil},
		{"A: " + strings.Repeat("b", bufferSize), errHeaderTooLong},
		{strings.Repeat("b", bufferSize), nil}, // all body
	} {
		if _, _, err := takeApart(strings.NewReader(tt.message), 10); !errors.Is(err, tt.want) || err != nil && tt.want == nil {
			t.Errorf("%.40q with a limit of 10: %v, want %v", tt.message, err, tt.want)
		}
	}
}

// TestReaderIsLinear counts the bytes allocated for a field that goes on for a
// million lines, and for one line of that size.
func TestReaderIsLinear(t *testing.T) {
	const size = 4 << 20
	for _, line := range []string{" \n", strings.Repeat("x", size) + "\n"} {
		message := "A:" + strings.Repeat(line, (size+1)/len(line))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := newReader(strings.NewReader(message), MaxHeader)
		if field, err := r.next(); err != nil || len(field) != len(message) {
			t.Fatalf("got %d bytes, %v, want %d", len(field), err, len(message))
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 20*size {
			t.Errorf("reading a field of %d bytes allocates %d", size, n)
		}
	}
}

// FuzzReader puts a message together again.
func FuzzReader(f *testing.F) {
	f.Add("From x\nA: b\n c\n\nbody\n")
	f.Add("A : b\r\n\r\nc")
	f.Add("hello")
	f.Fuzz(func(t *testing.T, message string) {
		fields, body, err := takeApart(strings.NewReader(message), MaxHeader)
		if err != nil {
			t.Fatal(err)
		}
		slow, slowBody, err := takeApart(iotest.OneByteReader(strings.NewReader(message)), MaxHeader)
		if err != nil || !slices.Equal(slow, fields) || slowBody != body {
			t.Fatalf("%q by the byte is %q, %q, %v, and else %q, %q", message, slow, slowBody, err, fields, body)
		}
		for i, field := range fields {
			if !isField([]byte(field)) {
				t.Errorf("%q has the field %q", message, field)
			}
			fields[i] = strings.TrimPrefix(field, "MBOX-Line: ")
			if !strings.HasPrefix(fields[i], "From ") {
				fields[i] = field
			}
		}
		if body != "" && body[0] != '\n' {
			t.Errorf("%q has the body %q", message, body)
		}
		whole := message
		if whole != "" && whole[len(whole)-1] != '\n' {
			whole += "\n"
		}
		header := strings.Join(fields, "")
		if header+body != whole && (body == "" || header+body[1:] != whole) {
			t.Errorf("%q comes apart as %q, %q", message, fields, body)
		}
	})
}
