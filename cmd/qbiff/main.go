// Qbiff announces new mail on the terminals of a user. See qbiff(1).
package main

import (
	"os"

	"goqmail/internal/biff"
	"goqmail/internal/exitcode"
)

func main() { exitcode.Main(run) }

// run says nothing and never fails: nothing that it does may keep mail from being
// delivered.
func run() int {
	user, sender, recipient := os.Getenv("USER"), os.Getenv("SENDER"), os.Getenv("LOCAL")
	if _, ok := os.LookupEnv("SENDER"); !ok || user == "" || recipient == "" || len(user) > biff.MaxUser {
		return exitcode.OK
	}
	utmp, err := os.Open(biff.Utmp)
	if err != nil {
		return exitcode.OK
	}
	lines, err := biff.Lines(utmp, user)
	if err != nil || len(lines) == 0 {
		return exitcode.OK
	}
	text := biff.Text(recipient, sender, os.Stdin)
	for _, line := range lines {
		biff.Write("/dev/"+line, os.Getuid(), text)
	}
	return exitcode.OK
}
