// Datemail is sendmail with a Date line in the user's own time zone. See
// datemail(1).
package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"goqmail/internal/child"
	"goqmail/internal/date822"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/home"
)

func main() { exitcode.Main(run) }

func run() int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	now := time.Now().In(date822.Zone(os.Getenv("TZ")))
	argv := append([]string{home.Dir() + "/bin/sendmail"}, os.Args[1:]...)
	fed, err := child.Feed(argv, "Date: "+date822.FormatLocal(now)+"\n", os.Stdin)
	if err != nil {
		fault.Fatal(os.Stderr, "datemail", err)
		return exitcode.Soft
	}
	return fed.Code
}
