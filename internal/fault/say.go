package fault

import (
	"errors"
	"io"

	"goqmail/internal/exitcode"
)

// Say tells in a line why a delivery failed, unless there is nothing to be told,
// and returns the code for the program to end with; it is 0 for no error.
func Say(w io.Writer, err error) int {
	if err == nil {
		return exitcode.OK
	}
	text := err.Error()
	if f := (*Error)(nil); errors.As(err, &f) {
		text = f.Text
	}
	if text != "" {
		io.WriteString(w, text+"\n")
	}
	if IsPermanent(err) {
		return exitcode.Hard
	}
	return exitcode.Soft
}
