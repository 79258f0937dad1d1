// Tcp-env runs a program with the environment that says whom the connection on
// descriptor 0 is with. See tcp-env(1).
package main

import (
	"context"
	"os"
	"strconv"
	"time"

	"goqmail/internal/child"
	"goqmail/internal/exitcode"
	"goqmail/internal/getopt"
	"goqmail/internal/tcpenv"
)

const (
	identLimit    = 30 * time.Second
	maxIdentLimit = 10 * time.Minute
)

func main() { exitcode.Main(run) }

// run says nothing: what goes wrong would be read at the other end.
func run() int {
	ask, limit := false, identLimit
	options := getopt.New(os.Args[1:], "rRt:")
	for letter := options.Next(); letter != 0; letter = options.Next() {
		switch letter {
		case 'r', 'R':
			ask = letter == 'r'
		case 't':
			if seconds, err := strconv.ParseUint(options.Arg, 10, 31); err == nil {
				limit = min(time.Duration(seconds)*time.Second, maxIdentLimit)
			}
		}
	}
	if len(options.Rest()) == 0 {
		return exitcode.Soft
	}
	if !ask {
		limit = 0
	}
	env := os.Environ()
	if os.Getenv("PROTO") != "TCP" {
		ends, err := tcpenv.Of(0)
		if err != nil {
			return exitcode.Soft
		}
		env = tcpenv.Internet().Environment(context.Background(), env, ends, limit)
	}
	child.Exec(options.Rest(), env)
	return exitcode.Soft
}
