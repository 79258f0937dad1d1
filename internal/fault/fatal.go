package fault

import (
	"errors"
	"io"

	"goqmail/internal/exitcode"
)

// Fatal tells why a program ends, as in "forward: fatal: DTLINE not set", and
// returns the code for it to end with.
func Fatal(w io.Writer, program string, err error) int {
	text := err.Error()
	if f := (*Error)(nil); errors.As(err, &f) {
		text = f.Text
	}
	io.WriteString(w, program+": fatal: "+text+"\n")
	if IsPermanent(err) {
		return exitcode.Hard
	}
	return exitcode.Soft
}
