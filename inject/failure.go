package inject

import (
	"errors"
	"strings"

	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
)

// What errors of this package wrap, for a program whose exit codes tell them
// apart.
var (
	ErrLine    = errors.New("a line cannot be parsed")     // of the header or a control file, or a sender given
	ErrAddress = errors.New("an address cannot be parsed") // that was given as a recipient
	ErrTooLong = errors.New("the header is too long")
	ErrNobody  = errors.New("there is no recipient") // which only [Policy.RefuseNobody] minds
)

var (
	errNoAddress     = errors.New("no address")
	errHeaderTooLong = &fault.Error{Perm: true, Text: "message header too long", Err: ErrTooLong}
)

func lineError(line string) error {
	return &fault.Error{Perm: true, Text: "unable to parse this line:\n" + line, Err: ErrLine}
}

// listError is told of a field that cannot be parsed, as much of it as helps.
func listError(field []byte) error {
	const enough = 500
	text := strings.TrimRight(string(field[:min(len(field), enough)]), "\n")
	if len(field) > enough {
		text += "..."
	}
	return &fault.Error{Perm: true, Text: "unable to parse the addresses in this field:\n" + text + "\n", Err: ErrLine}
}

func addressError(arg string) error {
	return &fault.Error{Perm: true, Text: "unable to parse address: " + arg, Err: ErrAddress}
}

func readError(err error) error { return fault.Soft("read error", err) }

// writeError returns nil for nil.
func writeError(err error) error {
	if err == nil {
		return nil
	}
	return fault.Soft("write error", err)
}

// Report returns what qmail-inject says of an error on standard error, behind
// "qmail-inject: fatal: ", and its exit code, 100 or 111.
func Report(err error) (text string, code int) {
	code = exitcode.Soft
	var f *fault.Error
	if !errors.As(err, &f) {
		return err.Error() + "\n", code
	}
	if f.Perm {
		code = exitcode.Hard
	}
	if errors.Is(err, ErrLine) {
		return f.Text, code // Compat: a line is shown as it stands, with or without its newline
	}
	return f.Text + "\n", code
}
