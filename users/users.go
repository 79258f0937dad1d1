// Package users says who is in charge of a local address: the file users/assign
// and its compiled form users/cdb, and the rules of qmail-getpw over the
// password file, qmail-users(5).
//
// # File format
//
// users/assign is a series of lines, and ends with a line that begins with a dot.
// What follows that line is not read. There are no comments and no empty lines.
//
//	=local:user:uid:gid:homedir:dash:ext:
//	+loc:user:uid:gid:homedir:dash:pre:
//
// The first form assigns the address local, the second every address that begins
// with loc, the rest of it added to pre. Case does not count in local and loc. Of
// several lines for one address the first counts, = before +, a longer loc before
// a shorter. What follows the sixth colon after local is ignored. For example
//
//	=joe:joe:507:100:/home/joe:::
//	+joe-:joe:507:100:/home/joe:-::
//	+:alias:7790:2108:/var/qmail/alias:-::
//	.
//
// assigns joe-list to joe with dash "-" and ext "list", and bill to alias with dash
// "-" and ext "bill". A line without its newline, with a NUL, with fewer colons,
// that begins with anything else or is longer than 64 KB spoils the file as a
// whole ([ErrFormat]).
//
// users/cdb is a constant database (goqmail/internal/cdb). Its keys are, in lower
// case, "!local" and a NUL for the first form and "!loc" for the second. A value is
// user, uid, gid, homedir, dash and ext (or pre), with a NUL between each two. The
// last record has the empty key, and as its value the last bytes of all locs, each
// once: whoever looks up an address need only try the beginnings that end in them.
//
// qmail-getpw prints the same six fields, each with a NUL after it ([User]).
package users

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// User is who is in charge of an address. Messages to it are controlled by
// Home/.qmail followed by Dash and Ext.
type User struct {
	Name     string
	UID, GID uint32
	Home     string
	Dash     string
	Ext      string
}

// ErrUser is wrapped by the error for what does not describe a user.
var ErrUser = errors.New("not the six fields of a user")

const userFields = 6

// ParseUser reads the output of qmail-getpw: six fields, each with a NUL after
// it. What follows them is ignored.
//
// Compat: a uid or gid is the decimal digits that its field begins with, 0 if
// there is none.
func ParseUser(fields []byte) (User, error) {
	f := strings.SplitN(string(fields), "\x00", userFields+1)
	if len(f) <= userFields {
		return User{}, fmt.Errorf("%w: %q", ErrUser, fields)
	}
	uid, err := leadingID(f[1])
	if err != nil {
		return User{}, err
	}
	gid, err := leadingID(f[2])
	if err != nil {
		return User{}, err
	}
	return User{Name: f[0], UID: uid, GID: gid, Home: f[3], Dash: f[4], Ext: f[5]}, nil
}

// Append appends the six fields as [ParseUser] reads them.
func (u User) Append(b []byte) []byte {
	for _, field := range []string{
		u.Name, strconv.FormatUint(uint64(u.UID), 10), strconv.FormatUint(uint64(u.GID), 10), u.Home, u.Dash, u.Ext,
	} {
		b = append(append(b, field...), 0)
	}
	return b
}

// leadingID reads a user or group id. The largest number is refused: to setuid(2)
// and its kin it means "leave as it is".
func leadingID(field string) (uint32, error) {
	digits := 0
	for digits < len(field) && field[digits] >= '0' && field[digits] <= '9' {
		digits++
	}
	if digits == 0 {
		return 0, nil
	}
	id, err := strconv.ParseUint(field[:digits], 10, 32)
	if err != nil || id == 1<<32-1 {
		return 0, fmt.Errorf("%w: id %q", ErrUser, field)
	}
	return uint32(id), nil
}

// lower lowers the ASCII letters of s and leaves all other bytes.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
