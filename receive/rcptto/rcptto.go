// Package rcptto has the control files that say which recipients an SMTP server
// takes and which it does not: badrcptto, badrcpttonorelay, goodrcptto, validrcptto,
// morevalidrcptto.cdb and validrcptto.cdb, as the patches to qmail know them,
// qmail-smtpd(8). The case of letters never matters.
//
// # File format
//
// badrcptto and badrcpttonorelay are lists of recipients that are refused, the
// second from clients that may not relay:
//
//	spamtrap@example.org     one recipient
//	@old.example.org         all of a host
//	^[0-9]+@                 those that match an extended regular expression
//	!@example\.(org|net)$    those that do not match it
//
// A line is an address or a host if it has an @ and, beside letters and digits, none
// but these: . _ - + = ~ /. Everything else is an expression.
//
// goodrcptto is a list of recipients; if it is there, no others are taken:
//
//	joe@example.org
//	@lists.example.org
//	info                     at any host
//
// validrcptto is a list of what is known of recipients. For joe-a-b@example.org
// these lines are sought, and the first one found decides:
//
//	joe-a-b@example.org
//	joe-a-default@example.org
//	joe-default@example.org
//	@example.org
//
// A line that begins with a dash says that there is no such recipient:
// -joe@example.org, -@example.org. If there is a line with and one without, the one
// without counts. Nothing is said about recipients for which no line is found.
//
// morevalidrcptto.cdb has the same lines as keys, in lower case. So has
// validrcptto.cdb, and there a value that begins with a dash says the same as a dash
// before the key. If it is there, recipients that are found nowhere are refused: it
// has all.
package rcptto

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"goqmail/control"
	"goqmail/internal/address"
	"goqmail/internal/cdb"
)

// Lists are the files.
type Lists struct {
	Broken []string // expressions that cannot be read; nothing matches them

	bad, badNoRelay []pattern
	good, valid     control.Map // nil if there is no such file
	more, all       string      // paths of the databases
}

// Verdict is what the files say about a recipient.
type Verdict int

// The verdicts.
const (
	Unknown Verdict = iota // nothing
	Valid                  // there is such a recipient
	Bad                    // it is refused by badrcptto
	Invalid                // there is no such recipient
	NotGood                // it is not in goodrcptto
)

// Variables that name other files, from the home on.
const (
	envValid = "VALIDRCPTTO"
	envMore  = "MOREVALIDRCPTTO_CDB"
	envAll   = "VALIDRCPTTO_CDB"
)

// Read reads the files in a folder of control files. The databases are opened when
// they are needed.
func Read(folder string, env map[string]string) (*Lists, error) {
	files, err := control.Open(folder)
	if err != nil {
		return nil, err
	}
	l := &Lists{more: filepath.Join(folder, "morevalidrcptto.cdb"), all: filepath.Join(folder, "validrcptto.cdb")}
	for name, path := range map[string]*string{envMore: &l.more, envAll: &l.all} {
		if given := env[name]; given != "" {
			*path = given
		}
	}
	for _, bad := range []struct {
		name string
		to   *[]pattern
	}{{"badrcptto", &l.bad}, {"badrcpttonorelay", &l.badNoRelay}} {
		lines, _, err := files.List(bad.name)
		if err != nil {
			return nil, err
		}
		*bad.to = l.patterns(lines)
	}
	if l.good, err = set(files.List("goodrcptto")); err != nil {
		return nil, err
	}
	if path := env[envValid]; path != "" {
		l.valid, err = set(list(path))
	} else {
		l.valid, err = set(files.List("validrcptto"))
	}
	return l, err
}

func set(lines []string, ok bool, err error) (control.Map, error) {
	if err != nil || !ok {
		return nil, err
	}
	return control.Set(lines), nil
}

// list reads a list that is not one of the control files.
func list(path string) (lines []string, ok bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	return control.ParseList(string(text)), err == nil, err
}

// Check says what the files know of a recipient; relay is set for a client that may
// send to any host. An error is that of a database.
func (l *Lists) Check(to string, relay bool) (Verdict, error) {
	to = lower(to)
	if matches(l.bad, to) || !relay && matches(l.badNoRelay, to) {
		return Bad, nil
	}
	if relay {
		return Unknown, nil
	}
	local, host, ok := address.Split(to)
	if !ok {
		local = to
	}
	// RFC 5321 section 4.5.1: a list that has forgotten the postmaster is wrong.
	closed := local != "postmaster"
	if closed && l.good != nil && !l.isGood(to, local, host) {
		return NotGood, nil
	}
	sources, complete, err := l.open()
	if err != nil {
		return Unknown, err
	}
	defer sources.close()
	for key := range keys(to, local, host, ok) {
		if v, err := sources.say(key); v != Unknown || err != nil {
			return v, err
		}
	}
	if complete && closed {
		return Invalid, nil
	}
	return Unknown, nil
}

func (l *Lists) isGood(to, local, host string) bool {
	return l.good.Has(to) || l.good.Has("@"+host) || l.good.Has(local)
}

// keys yields what is sought for a recipient, in this order.
func keys(to, local, host string, hasHost bool) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if !yield(to) || !hasHost {
			return
		}
		for i := len(local) - 1; i >= 0; i-- {
			if local[i] == '-' && !yield(local[:i+1]+"default@"+host) {
				return
			}
		}
		yield("@" + host)
	}
}

// lower lowers ASCII letters alone: an address is bytes.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// sources are where keys are sought.
type sources struct {
	list  control.Map
	files []*os.File
}

// open opens the databases that there are; complete is set if one of them is to
// have every recipient.
func (l *Lists) open() (s *sources, complete bool, err error) {
	s = &sources{list: l.valid}
	for _, path := range []string{l.more, l.all} {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			s.close()
			return nil, false, err
		}
		s.files = append(s.files, f)
		complete = path == l.all
	}
	return s, complete, nil
}

func (s *sources) close() {
	for _, f := range s.files {
		f.Close()
	}
}

// say says what is known under a key.
func (s *sources) say(key string) (Verdict, error) {
	v := Unknown
	if s.list.Has(key) {
		return Valid, nil
	}
	if s.list.Has("-" + key) {
		v = Invalid
	}
	for _, f := range s.files {
		table := cdb.NewReader(f)
		value, ok, err := table.Get([]byte(key))
		switch {
		case err != nil:
			return Unknown, err
		case ok && strings.HasPrefix(string(value), "-"):
			v = Invalid
		case ok:
			return Valid, nil
		}
		if _, ok, err = table.Get([]byte("-" + key)); err != nil {
			return Unknown, err
		} else if ok {
			v = Invalid
		}
	}
	return v, nil
}
