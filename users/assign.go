package users

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"goqmail/internal/cdb"
	"goqmail/internal/durable"
	"goqmail/internal/fault"
)

// ErrFormat is wrapped by the error for a bad line of users/assign.
var ErrFormat = errors.New("bad format in users/assign")

// errRead marks an error of the file that is compiled, as against the one that
// is written.
var errRead = errors.New("read error")

// maxLine bounds a line of a file that is compiled.
const maxLine = 64 << 10

// Compile adds the records of users/cdb for the text of users/assign. It stops at
// the line that begins with a dot.
func Compile(assign io.Reader, to *cdb.Writer) error {
	in := bufio.NewReaderSize(assign, maxLine)
	var wild []byte
	for number := 1; ; number++ {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 && line[0] == '.' {
			return to.Add(nil, wild)
		}
		switch {
		case err == io.EOF, errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("line %d: %w", number, ErrFormat)
		case err != nil:
			return fmt.Errorf("%w: %w", errRead, err)
		}
		a, ok := parseAssignment(string(line))
		if !ok {
			return fmt.Errorf("line %d: %w", number, ErrFormat)
		}
		if last := a.lastByte(); last != "" && !bytes.Contains(wild, []byte(last)) {
			wild = append(wild, last...)
		}
		if err := to.Add(a.key(), a.value()); err != nil {
			return err
		}
	}
}

// assignment is a line of users/assign.
type assignment struct {
	wildcard bool
	address  string // local or loc, in lower case
	user     string // six fields with colons between them
}

func parseAssignment(line string) (a assignment, ok bool) {
	address, rest, ok := strings.Cut(line, ":")
	if !ok || address == "" || strings.IndexByte(line, 0) >= 0 {
		return a, false
	}
	switch address[0] {
	case '+':
		a.wildcard = true
	case '=':
	default:
		return a, false
	}
	a.address = lower(address[1:])
	end := 0
	for range userFields {
		n := strings.IndexByte(rest[end:], ':')
		if n < 0 {
			return a, false
		}
		end += n + 1
	}
	a.user = rest[:end-1]
	return a, true
}

func (a assignment) key() []byte {
	key := "!" + a.address
	if !a.wildcard {
		key += "\x00"
	}
	return []byte(key)
}

func (a assignment) value() []byte {
	return bytes.ReplaceAll([]byte(a.user), []byte(":"), []byte{0})
}

// lastByte is what a wildcard adds to the record with the empty key.
func (a assignment) lastByte() string {
	if !a.wildcard || a.address == "" {
		return ""
	}
	return a.address[len(a.address)-1:]
}

// WriteTable compiles the text of users/assign into cdb in the folder users,
// durably and all at once. An error is a [fault.Error] whose text is what
// qmail-newu says; the old cdb then stays.
func WriteTable(folder durable.FS, assign io.Reader) error {
	err := cdb.Replace(folder, "cdb.tmp", "cdb", func(w *cdb.Writer) error { return Compile(assign, w) })
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrFormat):
		return fault.Soft("bad format in users/assign", err)
	case errors.Is(err, errRead):
		return fault.Soft("unable to read users/assign", err)
	case errors.Is(err, cdb.ErrCreate):
		return fault.Soft("unable to open users/cdb.tmp", err)
	case errors.Is(err, cdb.ErrRename):
		return fault.Soft("unable to move users/cdb.tmp to users/cdb", err)
	}
	return fault.Soft("unable to write users/cdb.tmp", err)
}

// Rebuild is [WriteTable] for the file assign in the folder users, which is what
// qmail-newu does.
func Rebuild(folder durable.FS) error {
	assign, err := folder.Open("assign", os.O_RDONLY, 0)
	if err != nil {
		return fault.Soft("unable to open users/assign", err)
	}
	defer assign.Close()
	return WriteTable(folder, assign)
}
