//go:build !linux

package rcptcheck

import (
	"goqmail/dot-qmail"
	"goqmail/internal/home"
	"goqmail/users"
)

// Privileged reports whether the program is set-uid or set-gid.
func Privileged() bool { return home.Privileged() }

// Capable sees nothing: there are no capabilities.
func Capable(users.User, dotqmail.Recipient) (*File, bool, error) { return nil, false, ErrHidden }

// Hold does nothing.
func Hold() {}
