package cdb

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"testing"
)

// memory is a file in memory.
type memory []byte

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if need := int(off) + len(p); need > len(*m) {
		*m = append(*m, make([]byte, need-len(*m))...)
	}
	return copy((*m)[off:], p), nil
}

func build(t testing.TB, records ...[2]string) []byte {
	t.Helper()
	var file memory
	w := NewWriter(&file)
	for _, r := range records {
		if err := w.Add([]byte(r[0]), []byte(r[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestExample holds the example of the package documentation.
func TestExample(t *testing.T) {
	file := build(t, [2]string{"k", "v"})
	for offset, want := range map[int]string{
		2048: "01000000010000006b76",
		2058: "0000000000000000",
		2066: "ceb5020000080000",
		1648: "0a08000002000000",
	} {
		if got := hex.EncodeToString(file[offset : offset+len(want)/2]); got != want {
			t.Errorf("at %d got %s, want %s", offset, got, want)
		}
	}
	if len(file) != 2074 {
		t.Errorf("the file has %d bytes, want 2074", len(file))
	}
	for i := range tables {
		if slots := file[i*pairSize+4]; slots != 0 && i*pairSize != 1648 {
			t.Errorf("table %d has %d slots, want none", i, slots)
		}
	}
}

func TestGet(t *testing.T) {
	long := string(bytes.Repeat([]byte("long"), 100000))
	records := [][2]string{
		{"", "of the empty key"}, {"empty", ""}, {"twice", "first"}, {"twice", "second"},
		{"long", long}, {long, "of the long key"}, {"\x00\xff", "\n\x00"},
	}
	for i := range 2000 {
		records = append(records, [2]string{fmt.Sprint("key ", i), fmt.Sprint("value ", i)})
	}
	r := NewReader(bytes.NewReader(build(t, records...)))
	for i, rec := range records {
		want := rec[1]
		if i == 3 {
			want = "first"
		}
		got, ok, err := r.Get([]byte(rec[0]))
		if string(got) != want || !ok || err != nil {
			t.Errorf("Get(%.20q) = %.20q, %v, %v, want %.20q", rec[0], got, ok, err, want)
		}
	}
	for i := range 2000 {
		if got, ok, err := r.Get(fmt.Append(nil, "none ", i)); ok || err != nil {
			t.Errorf("Get(none %d) = %q, %v, %v, want nothing", i, got, ok, err)
		}
	}
}

func TestEmpty(t *testing.T) {
	file := build(t)
	if len(file) != headerSize {
		t.Errorf("a file without records has %d bytes, want %d", len(file), headerSize)
	}
	if _, ok, err := NewReader(bytes.NewReader(file)).Get([]byte("k")); ok || err != nil {
		t.Errorf("Get in it = %v, %v, want nothing", ok, err)
	}
}

// TestCutOff looks for a key in every beginning of a file: it is an error,
// never another value and never "no such key".
func TestCutOff(t *testing.T) {
	file := build(t, [2]string{"k", "value"})
	for n := range len(file) {
		got, ok, err := NewReader(bytes.NewReader(file[:n])).Get([]byte("k"))
		if ok || !errors.Is(err, ErrCorrupt) {
			t.Fatalf("Get in the first %d bytes = %q, %v, %v, want ErrCorrupt", n, got, ok, err)
		}
	}
}

func TestDamaged(t *testing.T) {
	huge := []byte{0xff, 0xff, 0xff, 0xff}
	tests := []struct {
		name   string
		offset int
		bytes  []byte
	}{
		{"table out of the file", 1648, huge},
		{"more slots than there are", 1652, huge},
		{"record out of the file", 2070, huge},
		{"value out of the file", 2052, huge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := build(t, [2]string{"k", "v"})
			copy(file[tt.offset:], tt.bytes)
			if got, ok, err := NewReader(bytes.NewReader(file)).Get([]byte("k")); ok || !errors.Is(err, ErrCorrupt) {
				t.Errorf("Get = %q, %v, %v, want ErrCorrupt", got, ok, err)
			}
		})
	}
}

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error)  { return 0, io.ErrClosedPipe }
func (broken) WriteAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }

func TestErrorsPass(t *testing.T) {
	if _, _, err := NewReader(broken{}).Get([]byte("k")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Get fails with %v, want the error of the file", err)
	}
	w := NewWriter(broken{})
	if err := w.Add([]byte("k"), make([]byte, 1<<16)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Add fails with %v, want the error of the file", err)
	}
	w = NewWriter(broken{})
	w.Add([]byte("k"), nil)
	if err := w.Finish(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Finish fails with %v, want the error of the file", err)
	}
}

func TestFull(t *testing.T) {
	w := NewWriter(new(memory))
	w.pos = maxSize - 10
	if err := w.Add([]byte("k"), []byte("vv")); !errors.Is(err, ErrFull) {
		t.Errorf("Add over 4 GB: %v, want ErrFull", err)
	}
	if err := w.Add([]byte("k"), []byte("v")); err != nil {
		t.Errorf("Add up to 4 GB: %v", err)
	}
	if err := w.Finish(); !errors.Is(err, ErrFull) {
		t.Errorf("Finish over 4 GB: %v, want ErrFull", err)
	}
}

// FuzzReader reads damaged files: it ends, and finds only what is in the file.
func FuzzReader(f *testing.F) {
	file := build(f, [2]string{"k", "v"}, [2]string{"", "-"}, [2]string{"!joe\x00", "joe"})
	f.Add(file, []byte("k"))
	f.Add(file[:2070], []byte("!joe\x00"))
	f.Add([]byte("short\n"), []byte(""))
	f.Fuzz(func(t *testing.T, file, key []byte) {
		value, ok, err := NewReader(bytes.NewReader(file)).Get(key)
		if ok && (err != nil || !bytes.Contains(file, append(key[:len(key):len(key)], value...))) {
			t.Errorf("Get(%q) = %q, %v, which is not in the file", key, value, err)
		}
	})
}

// FuzzWriter writes records and finds them again.
func FuzzWriter(f *testing.F) {
	f.Add([]byte("a1b2c3a4"), 1, 1)
	f.Add([]byte("\x00\x00\x00\xff"), 0, 3)
	f.Fuzz(func(t *testing.T, data []byte, keyLen, valueLen int) {
		keyLen, valueLen = keyLen&15, valueLen&15
		var records [][2]string
		for size := keyLen + valueLen; size > 0 && len(data) >= size && len(records) < 200; data = data[size:] {
			records = append(records, [2]string{string(data[:keyLen]), string(data[keyLen:size])})
		}
		first := map[string]string{}
		for _, r := range records {
			if _, ok := first[r[0]]; !ok {
				first[r[0]] = r[1]
			}
		}
		reader := NewReader(bytes.NewReader(build(t, records...)))
		for key, want := range first {
			if got, ok, err := reader.Get([]byte(key)); string(got) != want || !ok || err != nil {
				t.Errorf("Get(%q) = %q, %v, %v, want %q", key, got, ok, err, want)
			}
		}
	})
}
