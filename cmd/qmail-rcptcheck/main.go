// Qmail-rcptcheck tells an SMTP server whether there is a recipient. See
// qmail-rcptcheck(8).
package main

import (
	"io"
	"os"
	"path/filepath"

	"goqmail/internal/exitcode"
	"goqmail/internal/home"
	"goqmail/rcptcheck"
)

const usage = "qmail-rcptcheck: usage: qmail-rcptcheck [ address ]\n"

func main() { exitcode.Main(run) }

// exitUnknown says that there is no opinion.
const exitUnknown = 112

func run() int {
	rcptcheck.Hold()
	dir, env := home.Dir(), os.Environ()
	if rcptcheck.Privileged() {
		dir, env = home.Built, []string{"PATH=/usr/local/bin:/usr/bin:/bin"}
	}
	recipient, ok := os.LookupEnv("RECIPIENT")
	if len(os.Args) == 2 {
		recipient, ok = os.Args[1], true
	}
	if !ok || len(os.Args) > 2 {
		io.WriteString(os.Stderr, usage)
		return later()
	}
	dir, err := filepath.Abs(dir)
	v := rcptcheck.Later
	if err == nil {
		v, err = rcptcheck.System(dir, env).Check(recipient)
	}
	switch v {
	case rcptcheck.Exists:
		return exitcode.OK
	case rcptcheck.Absent:
		return exitcode.Hard
	case rcptcheck.Unknown:
		return exitUnknown
	}
	io.WriteString(os.Stderr, "qmail-rcptcheck: cannot tell: "+err.Error()+"\n")
	return later()
}

// later says that the answer is not known for now.
func later() int {
	if os.Getenv("USE_FD4") == "1" {
		io.WriteString(os.NewFile(4, "reply"), "451 unable to verify recipient (#4.3.0)\n")
	}
	return exitcode.Soft
}
