package rcptcheck

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"goqmail/dot-qmail"
	"goqmail/internal/cdb"
	"goqmail/internal/ids"
	"goqmail/internal/spawn"
	"goqmail/users"
)

// getpwLimit is how long qmail-getpw may take: less than those wait who ask us.
const getpwLimit = 30 * time.Second

// System is the checker for the system in a home, an absolute path; env is the
// environment of the programs that it runs.
func System(home string, env []string) Checker {
	getpw := spawn.Getpw{Path: filepath.Join(home, "bin/qmail-getpw"), Dir: home, Env: env, Limit: getpwLimit}
	table := filepath.Join(home, "users/cdb")
	find := users.Finder{Table: table, Getpw: getpw.Run}
	return Checker{
		Control:     filepath.Join(home, "control"),
		Find:        find.Find,
		Hidden:      func(local string) bool { return hidden(users.SystemRules(env), local) },
		Looks:       []Look{Plain, vouched(Capable, table, users.Passwd(ids.System.Passwd))},
		Fastforward: filepath.Join(home, "bin/fastforward"),
	}
}

// vouched is a look at those homes alone that users/cdb or the password file names.
// What qmail-getpw says is not enough: it runs with the rights of our caller, who can
// make it say anything.
func vouched(look Look, table string, accounts users.Source) Look {
	return func(u users.User, to dotqmail.Recipient) (*File, bool, error) {
		if !assigned(table, u, to.Local) {
			found, err := accounts([]string{u.Name})
			if a, ok := found[u.Name]; !ok || err != nil || a.UID != u.UID || a.GID != u.GID || a.Home != u.Home {
				return nil, false, ErrHidden
			}
		}
		return look(u, to)
	}
}

// assigned reports whether users/cdb gives a local part to the user.
func assigned(table string, u users.User, local string) bool {
	file, err := os.Open(table)
	if err != nil {
		return false
	}
	defer file.Close()
	by, ok, err := users.Lookup(cdb.NewReader(file), local)
	return ok && err == nil && by == u
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
