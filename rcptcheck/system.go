package rcptcheck

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"goqmail/internal/spawn"
	"goqmail/users"
)

// getpwLimit is how long qmail-getpw may take: less than those wait who ask us.
const getpwLimit = 30 * time.Second

// System is the checker for the system in a home, an absolute path; env is the
// environment of the programs that it runs.
func System(home string, env []string) Checker {
	getpw := spawn.Getpw{Path: filepath.Join(home, "bin/qmail-getpw"), Dir: home, Env: env, Limit: getpwLimit}
	find := users.Finder{Table: filepath.Join(home, "users/cdb"), Getpw: getpw.Run}
	return Checker{
		Control:     filepath.Join(home, "control"),
		Find:        find.Find,
		Hidden:      func(local string) bool { return hidden(users.SystemRules(env), local) },
		Looks:       []Look{Plain, Capable},
		Fastforward: filepath.Join(home, "bin/fastforward"),
	}
}

// hidden reports whether rules look at a home that cannot be seen before they have
// found a user. Those who deliver may see more: a service may have a /home of its own,
// with nothing in it (ProtectHome of systemd).
func hidden(rules users.Rules, local string) bool {
	found := false
	owner := rules.Owner
	rules.Owner = func(home string) (uint32, error) {
		uid, err := owner(home)
		if err != nil && (!errors.Is(err, fs.ErrNotExist) || strings.HasPrefix(home, "/home/")) {
			found = true
		}
		return uid, err
	}
	_, err := rules.Getpw(local)
	return found || err != nil
}
