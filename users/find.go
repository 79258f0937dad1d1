package users

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"goqmail/internal/cdb"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
)

// Lookup finds an address in users/cdb. Ok is false, without an error, if it is
// not assigned.
func Lookup(table *cdb.Reader, local string) (u User, ok bool, err error) {
	wild, ok, err := table.Get(nil)
	if err == nil && !ok {
		err = fmt.Errorf("%w: no record of last bytes", cdb.ErrCorrupt)
	}
	if err != nil {
		return User{}, false, err
	}
	key := []byte("!" + lower(local) + "\x00")
	fields, ok, err := table.Get(key)
	if err != nil || ok {
		return assigned(fields, "", ok, err)
	}
	for n := len(key) - 1; n >= 1; n-- {
		if n > 1 && bytes.IndexByte(wild, key[n-1]) < 0 {
			continue
		}
		fields, ok, err := table.Get(key[:n])
		if err != nil || ok {
			return assigned(fields, local[n-1:], ok, err)
		}
	}
	return User{}, false, nil
}

// assigned makes a user of a record's value and the rest of the address.
func assigned(fields []byte, rest string, ok bool, err error) (User, bool, error) {
	if err != nil || !ok {
		return User{}, false, err
	}
	u, err := ParseUser(append(append(fields, rest...), 0))
	return u, err == nil, err
}

// Finder finds the user in charge of an address the way qmail-lspawn does: in
// users/cdb, and if it is not there, by qmail-getpw.
type Finder struct {
	Table string                             // path of users/cdb, which need not exist
	Getpw func(local string) ([]byte, error) // the output of qmail-getpw
}

// Find returns the user in charge of the local part of an address. An error is a
// [fault.Error], the text that of qmail-lspawn's report without its newline, or
// what Getpw returned.
func (f Finder) Find(local string) (User, error) {
	u, ok, err := f.assigned(local)
	if err == nil && !ok {
		var fields []byte
		if fields, err = f.Getpw(local); err != nil {
			return User{}, err
		}
		u, err = ParseUser(fields)
	}
	switch {
	case errors.Is(err, ErrUser):
		return User{}, startFault(exitcode.StartUsage, err)
	case err != nil:
		return User{}, startFault(exitcode.StartTable, err)
	}
	return u, nil
}

func (f Finder) assigned(local string) (User, bool, error) {
	file, err := os.Open(f.Table)
	if errors.Is(err, fs.ErrNotExist) {
		return User{}, false, nil
	}
	if err != nil {
		return User{}, false, err
	}
	defer file.Close()
	return Lookup(cdb.NewReader(file), local)
}

func startFault(code int, cause error) error {
	text, _ := exitcode.Start(code)
	return fault.Soft(text, cause)
}
