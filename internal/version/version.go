// Package version knows which version this is, and answers --version and --help for
// the programs whose arguments leave room for them: those that qmail does not have.
package version

import (
	"fmt"
	"io"
)

// Number is the version of all programs.
const Number = "0.9.0"

// Answer answers a command line that is --version or --help and nothing else, the
// latter with the usage text. It reports whether it did: then the program is done.
func Answer(args []string, program, usage string, out io.Writer) bool {
	if len(args) != 1 {
		return false
	}
	switch args[0] {
	case "--version":
		fmt.Fprintf(out, "%s (goqmail) %s\n", program, Number)
	case "--help":
		fmt.Fprint(out, usage)
	default:
		return false
	}
	return true
}
