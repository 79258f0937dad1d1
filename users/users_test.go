package users

import (
	"bytes"
	"errors"
	"testing"

	"goqmail/internal/cdb"
)

func TestParseUser(t *testing.T) {
	tests := []struct {
		name, fields string
		want         User
	}{
		{"all", "joe\x00507\x00100\x00/home/joe\x00-\x00list\x00", User{"joe", 507, 100, "/home/joe", "-", "list"}},
		{"empty", "\x00\x00\x00\x00\x00\x00", User{}},
		{"more follows", "joe\x001\x002\x00/\x00\x00\x00more\x00", User{"joe", 1, 2, "/", "", ""}},
		{"digits first", "joe\x00007x\x00x1\x00/\x00\x00\x00", User{"joe", 7, 0, "/", "", ""}},
		{"largest id", "joe\x004294967294\x001\x00/\x00\x00\x00", User{"joe", 1<<32 - 2, 1, "/", "", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := ParseUser([]byte(tt.fields)); got != tt.want || err != nil {
				t.Errorf("ParseUser(%q) = %v, %v, want %v", tt.fields, got, err, tt.want)
			}
		})
	}
	for _, fields := range []string{
		"", "joe", "joe\x001\x002\x00/\x00-\x00", "joe\x001\x002\x00/\x00-\x00unended",
		"joe\x004294967295\x001\x00/\x00\x00\x00", "joe\x001\x004294967296\x00/\x00\x00\x00", "joe\x0099999999999999999999\x001\x00/\x00\x00\x00",
	} {
		if got, err := ParseUser([]byte(fields)); !errors.Is(err, ErrUser) {
			t.Errorf("ParseUser(%q) = %v, %v, want ErrUser", fields, got, err)
		}
	}
}

func FuzzParseUser(f *testing.F) {
	f.Add([]byte("joe\x00507\x00100\x00/home/joe\x00-\x00list\x00"))
	f.Fuzz(func(t *testing.T, fields []byte) {
		u, err := ParseUser(fields)
		if err != nil {
			return
		}
		if again, err := ParseUser(u.Append(nil)); again != u || err != nil {
			t.Errorf("ParseUser(%q) = %v, and that again is %v, %v", fields, u, again, err)
		}
	})
}

// memory is a file in memory.
type memory []byte

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if need := int(off) + len(p); need > len(*m) {
		*m = append(*m, make([]byte, need-len(*m))...)
	}
	return copy((*m)[off:], p), nil
}

// compile makes users/cdb of users/assign.
func compile(assign string) ([]byte, error) {
	var file memory
	w := cdb.NewWriter(&file)
	if err := Compile(bytes.NewReader([]byte(assign)), w); err != nil {
		return nil, err
	}
	err := w.Finish()
	return file, err
}
