package users

import (
	"time"

	"goqmail/internal/ids"
)

// SystemRules are the rules over the accounts of this host; env is that of getent(1).
func SystemRules(env []string) Rules {
	getent := Getent{Program: "/usr/bin/getent", Switch: "/etc/nsswitch.conf", Limit: time.Minute, Env: env}
	return Rules{
		Sources: []Source{Passwd(ids.System.Passwd), getent.Accounts},
		Owner:   Owner,
		Alias:   ids.Users[0],
		Break:   Break,
	}
}
