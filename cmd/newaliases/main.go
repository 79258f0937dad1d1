// Newaliases compiles /etc/aliases, or the file that it is given, into the table
// beside it that fastforward reads. See newaliases(1).
package main

import (
	"io"
	"os"
	"strconv"
	"syscall"

	"goqmail/aliases"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
)

func main() { exitcode.Main(run) }

func run() int {
	syscall.Umask(0o022)
	name := "/etc/aliases"
	switch len(os.Args) {
	case 0, 1:
	case 2:
		name = os.Args[1]
	default:
		io.WriteString(os.Stderr, "newaliases: usage: newaliases [ file ]\n")
		return exitcode.Hard
	}
	twice, err := aliases.Rebuild(name)
	if err != nil {
		return fault.Fatal(os.Stderr, "newaliases", err)
	}
	for _, line := range twice {
		io.WriteString(os.Stderr, "newaliases: warning: "+name+": line "+strconv.Itoa(line)+
			" does not count: there is one for that name before\n")
	}
	return exitcode.OK
}
