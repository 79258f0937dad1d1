// Splogger sends each line of its input to syslog. See splogger(8).
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"goqmail/internal/exitcode"
)

const usage = "splogger: usage: splogger [ tag [ facility ] ]"

func main() { exitcode.Main(run) }

func run() int {
	// A line that nobody takes is lost, but those after it are not.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	tag, facility := "splogger", mailFacility
	args := os.Args[1:]
	if len(args) > 2 {
		fmt.Fprintln(os.Stderr, usage)
		return exitcode.Hard
	}
	if len(args) > 0 {
		tag = args[0]
	}
	if len(args) > 1 {
		n, err := strconv.ParseUint(args[1], 10, 8)
		if err != nil || n > maxFacility {
			// Not the end: qmail-send stops when nobody takes its log.
			fmt.Fprintf(os.Stderr, "splogger: warning: %s is no number of a facility, using %d\n", args[1], facility)
		} else {
			facility = int(n)
		}
	}
	log := &syslog{path: "/dev/log", tag: tag, facility: facility, instead: os.Stderr, now: time.Now}
	if err := copyLines(os.Stdin, log, time.Now); err != nil {
		fmt.Fprintln(os.Stderr, "splogger: fatal:", err)
		return exitcode.Soft
	}
	return exitcode.OK
}
