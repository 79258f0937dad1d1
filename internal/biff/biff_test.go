package biff

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
)

// entry writes a record.
func entry(kind int, line, user string) []byte {
	b := make([]byte, recordSize(runtime.GOARCH))
	binary.NativeEndian.PutUint16(b, uint16(kind))
	copy(b[8:40], line)
	copy(b[44:76], user)
	copy(b[76:], "host.test.example")
	return b
}

func TestLines(t *testing.T) {
	utmp := bytes.Join([][]byte{
		entry(UserProcess, "pts/0", "kim"),
		entry(8, "pts/1", "kim"), // a dead process
		entry(UserProcess, "pts/2", "kimberly"),
		entry(UserProcess, "tty1", "kim"),
		entry(UserProcess, "pts/0", "kim"),
		entry(UserProcess, "/etc/passwd", "kim"),
		entry(UserProcess, "pts/../mem", "kim"),
		entry(UserProcess, ":0.1", "kim"),
		entry(UserProcess, "", "kim"),
		entry(UserProcess, strings.Repeat("x", 40), "ki\x00m"),
		entry(UserProcess, "pts/3", strings.Repeat("y", 40)),
		entry(UserProcess, "pts/4", "kim")[:383],
	}, nil)
	for user, want := range map[string][]string{
		"kim":                   {"pts/0", "tty1"},
		"ki":                    {strings.Repeat("x", 32)},
		strings.Repeat("y", 32): {"pts/3"},
		"lee":                   nil,
		"":                      nil,
	} {
		got, err := Lines(bytes.NewReader(utmp), user)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", user, got, err, want)
		}
	}
	if _, err := Lines(iotest.ErrReader(syscall.EIO), "kim"); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
	many := bytes.Repeat(entry(1, "", ""), MaxRecords)
	if got, _ := Lines(bytes.NewReader(append(many, utmp...)), "kim"); got != nil {
		t.Errorf("reads on behind %d records", MaxRecords)
	}
}

func TestRecordSize(t *testing.T) {
	for arch, want := range map[string]int{"amd64": 384, "386": 384, "arm": 384, "arm64": 400, "riscv64": 400} {
		if got := recordSize(arch); got != want {
			t.Errorf("%s: got %d, want %d", arch, got, want)
		}
	}
}

func TestText(t *testing.T) {
	const head = "\r\n\a*** TO <kim> FROM <sue@remote.example>\r\n    "
	for _, tt := range []struct{ name, message, want string }{
		{"usual", "From: x\nSubject: tea\nTo: y\n\nAt four.\n", "tea//At four./"},
		{"folded", "Subject: tea\n\tand more\nX: a\n b\n\nb\n", "tea//and more//b/"},
		{"no body", "subject : tea\n", "tea/"},
		{"no header", "At four.\n", "/At four./"},
		{"no field", "Subject: tea\nbad line: x\n", "tea//bad line: x/"},
		{"mbox line", "From x\nSubject: tea\n\n", "tea//"},
		{"bytes", "Subject: t\x1b[2Je\xc3\xa9\x00a\x7f\n\n", "t/[2Je///a///"},
		{"long", "Subject: " + strings.Repeat("x", 200) + "\n\nb\n", strings.Repeat("x", 74)},
		{"no newline", "Subject: tea", "tea"},
		{"empty", "", ""},
	} {
		if got := Text("kim", "sue@remote.example", strings.NewReader(tt.message)); got != head+tt.want+"\r\n" {
			t.Errorf("%s: got %q, want %q", tt.name, got, head+tt.want+"\r\n")
		}
	}
	got := Text("k\x1bm", strings.Repeat("s", 1000), iotest.ErrReader(syscall.EIO))
	if want := "\r\n\a*** TO <k_m> FROM <" + strings.Repeat("s", maxAddress) + ">\r\n    \r\n"; got != want {
		t.Errorf("got %q", got)
	}
}

// Whatever a message is, two lines come out that do nothing to a terminal.
func FuzzText(f *testing.F) {
	f.Add("Subject: tea\n\tand more\n\nAt four.\n", "kim", "sue@remote.example")
	f.Add("From x\n\x1b[2J:\n", "", "\n")
	f.Fuzz(func(t *testing.T, message, recipient, sender string) {
		text := Text(recipient, sender, strings.NewReader(message))
		lines := strings.Split(text, "\r\n")
		if len(lines) != 4 || lines[0] != "" || lines[1][0] != '\a' || lines[3] != "" || len(lines[2]) > columns {
			t.Fatalf("got %q", text)
		}
		for _, c := range []byte(lines[1][1:] + lines[2]) {
			if c < ' ' || c > '~' {
				t.Fatalf("%q has %q", text, c)
			}
		}
	})
}

// Whatever utmp is, the terminals are below /dev.
func FuzzLines(f *testing.F) {
	f.Add(entry(UserProcess, "pts/0", "kim"), "kim")
	f.Add([]byte("x"), "")
	f.Fuzz(func(t *testing.T, utmp []byte, user string) {
		lines, err := Lines(bytes.NewReader(utmp), user)
		if err != nil || len(lines) > len(utmp)/recordSize(runtime.GOARCH) {
			t.Fatalf("%d lines, %v", len(lines), err)
		}
		for _, line := range lines {
			if line == "" || line[0] == '/' || strings.Contains(line, "..") || strings.Contains(line, "\x00") {
				t.Errorf("got %q", line)
			}
		}
	})
}
