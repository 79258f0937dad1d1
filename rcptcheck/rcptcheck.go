// Package rcptcheck tells whether there is a recipient that mail could be delivered
// to on this host, before a message is taken: what qmail-send(8), qmail-lspawn(8) and
// qmail-local(8) would make of the address, up to the .qmail file.
//
// It says no only if all of them would: whatever cannot be seen, read or understood
// counts for the recipient. So the answers are
//
//	Exists   an account, or a .qmail file for the extension
//	Absent   an extension without a .qmail file, which qmail-local would refuse
//	Unknown  an address elsewhere, or a home that the caller may not look into
//	Later    a control file, users/cdb or the password file cannot be read
//
// What a .qmail file does with a message is its own affair, with one exception: if
// all that it does is to run fastforward(1) with a table that can be read, the table
// decides. That is how /etc/aliases is connected.
package rcptcheck

import (
	"errors"
	"fmt"
	"strings"

	"goqmail/control"
	"goqmail/dot-qmail"
	"goqmail/internal/address"
	"goqmail/internal/fault"
	"goqmail/internal/hostname"
	"goqmail/internal/routes"
	"goqmail/users"
)

// Verdict is what is known of a recipient.
type Verdict int

// The verdicts.
const (
	Unknown Verdict = iota
	Exists
	Absent
	Later
)

// Checker is what a recipient is checked against.
type Checker struct {
	Control string // the folder of control files

	// Find finds the user in charge of a local part; see [users.Finder].
	Find func(local string) (users.User, error)
	// Hidden reports whether Find may have passed over a user whose home it could
	// not see.
	Hidden func(local string) bool
	// Looks are tried in turn, until one can see the user's home.
	Looks []Look
	// Fastforward is the path of the program; another of that name may have tables
	// of another kind.
	Fastforward string
}

// Look seeks the .qmail file of a recipient in the home of a user. Ok is false if
// there is none. With [ErrHidden] there may be one.
type Look func(u users.User, to dotqmail.Recipient) (f *File, ok bool, err error)

// File is a .qmail file.
type File struct {
	dotqmail.Candidate
	// Text is what is in it, if it is to be had.
	Text string
}

// ErrHidden is the error for a home that cannot be looked into.
var ErrHidden = errors.New("hidden")

// maxAddress is the longest address that qmail-queue takes.
const maxAddress = 1002

// Check checks an envelope address. The error tells why it has to be Later.
func (c Checker) Check(recipient string) (Verdict, error) {
	if len(recipient) > maxAddress {
		return Unknown, nil
	}
	table, err := c.routes()
	if err != nil {
		return Later, err
	}
	route := table.Trace(recipient)
	if !route.Local {
		return Unknown, nil
	}
	if box, _, _ := address.Split(route.Complete); strings.EqualFold(box, "postmaster") {
		return Exists, nil // RFC 5321 section 4.5.1: whatever there is
	}
	local, host, _ := address.Split(route.Address)
	if local == "" {
		return Exists, nil // qmail-lspawn throws its mail away
	}
	u, err := c.Find(local)
	switch {
	case fault.IsPermanent(err):
		return Absent, nil // by a qmail-getpw of the administrator's
	case err != nil:
		return Later, err
	case u.UID == 0:
		return Unknown, nil // nothing is delivered until users/assign is mended
	case u.Dash == "":
		return Exists, nil // with or without a .qmail file
	}
	to := dotqmail.Recipient{Local: local, Dash: u.Dash, Ext: u.Ext, Host: host}
	v := c.look(u, to)
	if v == Absent && c.Hidden(local) {
		v = Unknown
	}
	return v, nil
}

// routes reads the control files that qmail-send goes by.
func (c Checker) routes() (routes.Routes, error) {
	files, err := control.Open(c.Control)
	if err == nil {
		err = files.NullClient(hostname.System.Name)
	}
	if err != nil {
		return routes.Routes{}, err
	}
	table, file, err := routes.Read(files)
	if err != nil {
		err = fmt.Errorf("control/%s: %w", file, err)
	}
	return table, err
}

// look looks for a .qmail file.
func (c Checker) look(u users.User, to dotqmail.Recipient) Verdict {
	for _, look := range c.Looks {
		f, ok, err := look(u, to)
		switch {
		case err != nil:
			continue
		case !ok, c.refuses(f, to):
			return Absent
		}
		return Exists
	}
	return Unknown
}
