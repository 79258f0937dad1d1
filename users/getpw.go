package users

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"goqmail/internal/exitcode"
)

// Account is a line of the password file.
type Account struct {
	Name     string
	UID, GID uint32
	Home     string
}

// Source looks up accounts. It returns those of the names that it knows; an
// error means that it cannot tell.
type Source func(names []string) (map[string]Account, error)

// GetpwError is why the rules of qmail-getpw find nobody. Code is its exit code,
// one of the package exitcode's Start codes.
type GetpwError struct {
	Code int
	Err  error // the cause, or nil
}

func (e *GetpwError) Error() string {
	if e.Err == nil {
		return "there is no alias user"
	}
	return e.Err.Error()
}

func (e *GetpwError) Unwrap() error { return e.Err }

// Break is what stands between an account name and an extension, unless
// somebody chooses otherwise: qmail's conf-break.
const Break = '-'

// Owner returns the uid of a folder's owner.
func Owner(folder string) (uint32, error) {
	st, err := os.Stat(folder)
	if err != nil {
		return 0, err
	}
	owner, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	return owner.Uid, nil
}

// maxName is the length from which on account names are not sought.
const maxName = 32

// Rules are those by which qmail-getpw gives addresses to accounts.
type Rules struct {
	Sources []Source                          // the later ones are asked for what the earlier lack
	Owner   func(home string) (uint32, error) // uid of a folder's owner
	Alias   string                            // account that gets what is nobody's
	Break   byte                              // between account and extension
}

// Getpw returns the user in charge of the local part of an address: the longest
// account name, in lower case, that is all of it or is followed in it by the
// break, has a uid other than 0, and owns its home. Otherwise the account Alias is in
// charge. An error is a [GetpwError].
func (r Rules) Getpw(local string) (User, error) {
	tries := r.beginnings(local)
	l := lookup{sources: r.Sources, names: []string{r.Alias}}
	for _, t := range tries {
		l.names = append(l.names, t.name)
	}
	for _, t := range tries {
		a, ok, err := l.get(t.name)
		if err != nil {
			return User{}, err
		}
		if !ok || a.UID == 0 {
			continue
		}
		owns, err := r.owns(a)
		if err != nil {
			return User{}, err
		}
		if owns {
			return a.user(t.dash, t.ext), nil
		}
	}
	a, ok, err := l.get(r.Alias)
	if err != nil {
		return User{}, err
	}
	if !ok {
		return User{}, &GetpwError{Code: exitcode.StartNoAlias}
	}
	return a.user("-", local), nil
}

// beginning is an account name that an address begins with, and the rest.
type beginning struct{ name, dash, ext string }

// beginnings returns what may be account names in local, the longest first.
func (r Rules) beginnings(local string) []beginning {
	var list []beginning
	if isName(local) {
		list = append(list, beginning{name: lower(local)})
	}
	for end := min(len(local), maxName) - 1; end > 0; end-- {
		if local[end] == r.Break && isName(local[:end]) {
			list = append(list, beginning{lower(local[:end]), "-", local[end+1:]})
		}
	}
	return list
}

// isName reports whether s can be in the first field of a line of the password
// file.
func isName(s string) bool {
	return s != "" && len(s) < maxName && !strings.ContainsAny(s, ":\n\x00")
}

// owns reports whether an account owns its home. A home that is not there, or that
// cannot be seen, is not owned; of one that has any other trouble nobody can tell.
func (r Rules) owns(a Account) (bool, error) {
	uid, err := r.Owner(a.Home)
	switch {
	case err == nil:
		return uid == a.UID, nil
	case noHome(err):
		return false, nil
	}
	return false, &GetpwError{Code: exitcode.StartNFS, Err: err}
}

// noHome reports whether an error says that there is no home, at least not for
// qmail-getpw. All others may go away, such as ENOTCONN of a mount whose server is gone.
func noHome(err error) bool {
	for _, e := range []syscall.Errno{
		syscall.ENOENT, syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EACCES, syscall.EPERM, syscall.EINVAL,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return errors.Is(err, os.ErrNotExist)
}

func (a Account) user(dash, ext string) User {
	return User{Name: a.Name, UID: a.UID, GID: a.GID, Home: a.Home, Dash: dash, Ext: ext}
}

// lookup asks the sources, each once, when a name is wanted that those before it
// did not know.
type lookup struct {
	sources []Source
	names   []string // all that may be wanted
	found   map[string]Account
}

func (l *lookup) get(name string) (Account, bool, error) {
	for {
		if a, ok := l.found[name]; ok {
			return a, true, nil
		}
		if len(l.sources) == 0 {
			return Account{}, false, nil
		}
		if err := l.ask(l.sources[0]); err != nil {
			return Account{}, false, &GetpwError{Code: exitcode.StartSystem, Err: err}
		}
		l.sources = l.sources[1:]
	}
}

func (l *lookup) ask(source Source) error {
	var missing []string
	for _, name := range l.names {
		if _, ok := l.found[name]; !ok {
			missing = append(missing, name)
		}
	}
	more, err := source(missing)
	if err != nil {
		return err
	}
	if l.found == nil {
		l.found = map[string]Account{}
	}
	for name, a := range more {
		if _, ok := l.found[name]; !ok {
			l.found[name] = a
		}
	}
	return nil
}
