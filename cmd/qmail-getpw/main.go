// Qmail-getpw prints the user in charge of the local part of an address that
// users/assign does not know. See qmail-getpw(8).
package main

import (
	"errors"
	"os"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/ids"
	"goqmail/users"
)

func main() { exitcode.Main(run) }

func run() int {
	if len(os.Args) < 2 {
		return exitcode.Hard
	}
	getent := users.Getent{Program: "/usr/bin/getent", Switch: "/etc/nsswitch.conf", Limit: time.Minute, Env: os.Environ()}
	rules := users.Rules{
		Sources: []users.Source{users.Passwd(ids.System.Passwd), getent.Accounts},
		Owner:   users.Owner,
		Alias:   ids.Users[0],
		Break:   users.Break,
	}
	u, err := rules.Getpw(os.Args[1])
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
