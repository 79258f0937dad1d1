// Qmail-getpw prints the user in charge of the local part of an address that
// users/assign does not know. See qmail-getpw(8).
package main

import (
	"errors"
	"os"

	"goqmail/internal/exitcode"
	"goqmail/users"
)

func main() { exitcode.Main(run) }

func run() int {
	if len(os.Args) < 2 {
		return exitcode.Hard
	}
	u, err := users.SystemRules(os.Environ()).Getpw(os.Args[1])
	var e *users.GetpwError
	switch {
	case errors.As(err, &e):
		return e.Code
	case err != nil:
		return exitcode.StartSystem
	}
	if _, err := os.Stdout.Write(u.Append(nil)); err != nil {
		return exitcode.StartSystem
	}
	return exitcode.OK
}
