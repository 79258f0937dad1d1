// Package version knows which version this is, and answers --version and --help for
// the programs whose arguments leave room for them: those that qmail does not have,
// and sendmail.
package version

import (
	"io"
	"os"
	"strings"
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
		io.WriteString(out, program+" (goqmail) "+Number+"\n")
	case "--help":
		io.WriteString(out, usage)
	default:
		return false
	}
	return true
}

// Flags is what Usage needs of a flag.FlagSet, which many programs do without.
type Flags interface {
	Name() string
	SetOutput(io.Writer)
	PrintDefaults()
}

// Usage is the usage text of a program with package flag. What follows the flags is
// named by arguments, if anything does.
func Usage(flags Flags, arguments string) string {
	var text strings.Builder
	text.WriteString(strings.TrimRight("usage: "+flags.Name()+" [flag...] "+arguments, " ") + "\n")
	flags.SetOutput(&text)
	flags.PrintDefaults()
	flags.SetOutput(os.Stderr)
	return text.String()
}
