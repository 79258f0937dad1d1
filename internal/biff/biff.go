// Package biff announces new mail on the terminals of a user; qbiff(1).
//
// # File format
//
// Who is logged in where stands in utmp(5), here that of Linux with the GNU
// library: records of 384 bytes, or 400 on some processors, in the byte order of
// the host. In a record are
//
//	bytes 0-1    type; 7 is a user's process
//	bytes 8-39   line: the terminal's name below /dev, filled up with NULs
//	bytes 44-75  user, filled up with NULs
//
// and more that does not matter here. A record that is cut off is no record. Of a
// file with more than [MaxRecords] the rest is not read.
package biff

import (
	"encoding/binary"
	"io"
	"runtime"
	"strings"
)

// Record is an entry of utmp.
type Record struct {
	Type int    // UserProcess or something else
	Line string // name of a terminal below /dev
	User string
}

// UserProcess is the type of a record about somebody who is logged in.
const UserProcess = 7

// Limits of utmp: what is read of it, and how long a user's name can be.
const (
	MaxRecords = 10_000
	MaxUser    = 32
)

// recordSize is the size of a record on the host. Most processors that have 32 and
// 64 bits share one; those that have always had 64 bits have longer times in it.
func recordSize(arch string) int {
	switch arch {
	case "arm64", "loong64", "riscv64":
		return 400
	}
	return 384
}

// ReadUtmp calls yield for each record until it returns false.
func ReadUtmp(utmp io.Reader, yield func(Record) bool) error {
	buf := make([]byte, recordSize(runtime.GOARCH))
	for range MaxRecords {
		switch _, err := io.ReadFull(utmp, buf); {
		case err == io.EOF, err == io.ErrUnexpectedEOF:
			return nil
		case err != nil:
			return err
		}
		if !yield(record(buf)) {
			return nil
		}
	}
	return nil
}

func record(buf []byte) Record {
	return Record{
		Type: int(binary.NativeEndian.Uint16(buf)),
		Line: field(buf[8:40]),
		User: field(buf[44 : 44+MaxUser]),
	}
}

func field(b []byte) string {
	text, _, _ := strings.Cut(string(b), "\x00")
	return text
}

// Lines returns the terminals on which a user is logged in, each once. Names that
// could lead out of /dev are left out.
func Lines(utmp io.Reader, user string) ([]string, error) {
	var lines []string
	seen := map[string]bool{}
	err := ReadUtmp(utmp, func(r Record) bool {
		bad := r.Line == "" || r.Line[0] == '/' || strings.Contains(r.Line, ".")
		if r.Type == UserProcess && r.User == user && !bad && !seen[r.Line] {
			seen[r.Line] = true
			lines = append(lines, r.Line)
		}
		return true
	})
	return lines, err
}
