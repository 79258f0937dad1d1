package users

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"goqmail/control"
	"goqmail/internal/fault"
)

// HomeRule says what becomes of an account of the password file by its home.
type HomeRule int

const (
	SkipHomeless HomeRule = iota // without a home of its own it is left out
	StopHomeless                 // without a home at all it is an error
	AnyHome                      // the home does not count
)

// Pw2u makes users/assign of a password file, qmail-pw2u(8). The fields that
// stand for a file are nil if there is no such file.
type Pw2u struct {
	Alias string // account that gets what is nobody's
	Dash  string // between .qmail and extension: "-" or "-/"
	Break string // between address and extension; empty: no extensions
	Homes HomeRule
	Upper bool // whether names may have upper-case letters
	Owner func(home string) (uint32, error)

	Include  control.Map // users/include
	Exclude  control.Map // users/exclude
	Names    control.Map // users/mailnames: names with colons between them, by account
	Subusers []string    // users/subusers: lines sub:user:pre:
	Extra    []byte      // users/append
}

// Read reads the files in the folder users.
func (p *Pw2u) Read(folder string) error {
	for name, put := range map[string]func([]string){
		"include":   func(lines []string) { p.Include = control.Set(lines) },
		"exclude":   func(lines []string) { p.Exclude = control.Set(lines) },
		"mailnames": func(lines []string) { p.Names = control.Pairs(lines) },
	} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err == nil {
			put(control.ParseList(string(text)))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fault.Soft("unable to read controls", err)
		}
	}
	subusers, err := readLate(filepath.Join(folder, "subusers"))
	if err != nil {
		return err
	}
	p.Subusers = strings.Split(string(subusers), "\n")
	p.Extra, err = readLate(filepath.Join(folder, "append"))
	return err
}

// readLate reads a file that need not be there. One that can be opened but not
// read fails in other words.
func readLate(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	var at *fs.PathError
	switch {
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return text, nil
	case errors.As(err, &at) && at.Op == "open":
		return nil, fault.Soft("unable to read controls", err)
	}
	return nil, fault.Soft("unable to read input", err)
}

// Assign returns the text of users/assign for a password file. An error is a
// [fault.Error] with the text that qmail-pw2u says.
//
// Lines of the password file that have a NUL or too few colons are left out.
func (p *Pw2u) Assign(passwd io.Reader) ([]byte, error) {
	w := &assignWriter{Pw2u: p, known: map[string]string{}}
	if err := w.accounts(passwd); err != nil {
		return nil, err
	}
	for _, line := range p.Subusers {
		if err := w.subuser(line); err != nil {
			return nil, err
		}
	}
	w.out.Write(p.Extra)
	if n := len(p.Extra); n > 0 && p.Extra[n-1] != '\n' {
		w.out.WriteByte('\n') // or the dot would be on its last line
	}
	w.out.WriteString(".\n")
	return w.out.Bytes(), nil
}

// assignWriter writes one users/assign.
type assignWriter struct {
	*Pw2u
	out   bytes.Buffer
	known map[string]string // user:uid:gid:home, by account name in lower case
	alias bool              // the account Alias was there
}

func (w *assignWriter) accounts(passwd io.Reader) error {
	in := bufio.NewReader(passwd)
	for {
		line, readErr := in.ReadString('\n')
		if readErr != nil && readErr != io.EOF {
			return fault.Soft("unable to read input", readErr)
		}
		if a, ok := parseAccount(line); ok {
			if err := w.account(a); err != nil {
				return err
			}
		}
		if readErr == io.EOF {
			break
		}
	}
	if !w.alias {
		return fault.Soft("unable to find "+w.Alias+" user", nil)
	}
	return nil
}

// textAccount is an account as it is written: its numbers stay as they are.
type textAccount struct{ name, uid, gid, home string }

func parseAccount(line string) (a textAccount, ok bool) {
	f := strings.Split(line, ":")
	if len(f) < 7 || strings.IndexByte(line, 0) >= 0 {
		return a, false
	}
	return textAccount{f[0], f[2], f[3], f[5]}, true
}

// account writes the assignments of an account, if it is to have any.
func (w *assignWriter) account(a textAccount) error {
	ok, err := w.wants(a)
	if err != nil || !ok {
		return err
	}
	user := a.name + ":" + a.uid + ":" + a.gid + ":" + a.home
	w.known[lower(a.name)] = user
	if a.name == w.Alias {
		w.alias = true
		fmt.Fprintf(&w.out, "+:%s:%s::\n", user, w.Dash)
	}
	names, ok := w.Names.Get(a.name)
	if !ok {
		names = a.name
	}
	for name := range strings.SplitSeq(names, ":") {
		if name == "" {
			continue
		}
		fmt.Fprintf(&w.out, "=%s:%s:::\n", name, user)
		if w.Break != "" {
			fmt.Fprintf(&w.out, "+%s%s:%s:%s::\n", name, w.Break, user, w.Dash)
		}
	}
	return nil
}

// wants reports whether an account gets mail.
func (p *Pw2u) wants(a textAccount) (bool, error) {
	uid, err := leadingID(a.uid)
	switch {
	case err != nil || uid == 0:
		return false, nil
	case !p.Upper && lower(a.name) != a.name:
		return false, nil
	case p.Include != nil && !p.Include.Has(a.name):
		return false, nil
	case p.Exclude.Has(a.name):
		return false, nil
	case p.Homes == AnyHome:
		return true, nil
	}
	owner, err := p.Owner(a.home)
	if errors.Is(err, fs.ErrNotExist) && p.Homes == SkipHomeless {
		return false, nil
	}
	if err != nil {
		return false, fault.Soft("unable to stat "+a.home, err)
	}
	return owner == uid, nil
}

// subuser writes the assignments of a line sub:user:pre: of users/subusers.
func (w *assignWriter) subuser(line string) error {
	f := strings.SplitN(line, ":", 4)
	if len(f) < 3 {
		return nil
	}
	user, ok := w.known[lower(f[1])]
	if !ok {
		return fault.Soft("unable to find "+f[1]+" user for subuser", nil)
	}
	if len(f) < 4 {
		return nil
	}
	fmt.Fprintf(&w.out, "=%s:%s:%s:%s:\n", f[0], user, w.Dash, f[2])
	if w.Break != "" {
		fmt.Fprintf(&w.out, "+%s%s:%s:%s:%s-:\n", f[0], w.Break, user, w.Dash, f[2])
	}
	return nil
}
