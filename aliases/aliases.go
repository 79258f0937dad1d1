// Package aliases reads the tables in which sendmail and Postfix keep where mail
// for a name goes, /etc/aliases and .forward, so that a host which leaves them
// keeps its aliases. It delivers nothing: a caller does with the [Target]s what is
// to be done.
//
// # File format
//
// A table is a text of entries, aliases(5). An entry begins at the beginning of a
// line; lines that begin with a blank or tab continue it. Empty lines, and from a #
// that begins a line or follows a blank all up to the end of the line, do not count.
//
//	entry  = name ":" list
//	name   = local / local "@" host / "@" host      ; case does not count
//	list   = target *( "," target )
//	target = address                 ; also: words <address>
//	       / "\" address             ; which is not looked up again
//	       / "|" command             ; for /bin/sh
//	       / "/" path                ; an mbox; a maildir if it ends in a slash
//	       / ":include:/" path       ; a file with more targets, addresses alone
//	       / ":blackhole:"           ; nobody, as in Exim
//	       / ":fail:" text           ; mail bounces, with the rest of the list as the reason
//	       / ":defer:" text          ; mail waits
//
// Names and targets may stand within quotes, wholly or in part, where a backslash
// takes the next byte as it is; so they must if there is a comma, a blank or a
// bracket in them. What is in parentheses is a comment. For example:
//
//	# people
//	postmaster: root
//	root:       kim, "|logger -t root", /var/log/rootmail
//	staff:      :include:/etc/staff,
//	            "ann lee"@example.org (Ann)
//	owner-staff: kim
//
// An included file and a .forward file are lists too, each line one of its own, with
// the same comments.
//
// A table of more than 64 MB, a line, with those that continue it, of more than 1 MB,
// and whatever is not understood are errors; of two entries for a name the first
// counts. A list of more than 100,000 targets when all is expanded is an error as
// well.
//
// # The compiled table
//
// The table is looked up in a constant database (goqmail/internal/cdb) beside it,
// aliases.cdb. The key of an entry is a colon and its name in lower case. The value
// is the targets, each a letter, the text, and a NUL. The letter tells the kinds
// apart: & address, \ address that is not looked up, | command, / path, : file to
// include, ! bounce, ? wait. Of the example above the entry postmaster is
//
//	:postmaster -> &root NUL
package aliases

import (
	"bytes"
	"errors"
	"fmt"
)

// Kind is what a target is.
type Kind byte

// The kinds of targets. Their values are the letters of the compiled table.
const (
	Address Kind = '&'  // Text is an envelope address, perhaps without a host
	Final   Kind = '\\' // the same, not to be looked up again
	Program Kind = '|'  // Text is a shell command
	File    Kind = '/'  // Text is the absolute name of an mbox, or of a maildir with a slash at its end
	Include Kind = ':'  // Text is the absolute name of a file with more targets
	Fail    Kind = '!'  // mail is refused for good; Text is the reason
	Defer   Kind = '?'  // mail is refused for now; Text is the reason
)

// Target is one of the places that mail for a name goes to.
type Target struct {
	Kind Kind
	Text string
}

// String is how qmail-local -n would call it.
func (t Target) String() string {
	switch t.Kind {
	case Program:
		return "program " + t.Text
	case File:
		if t.Text[len(t.Text)-1] == '/' {
			return "maildir " + t.Text
		}
		return "mbox " + t.Text
	case Include:
		return "include " + t.Text
	case Fail:
		return "fail " + t.Text
	case Defer:
		return "defer " + t.Text
	}
	return "forward " + t.Text
}

// Entry is an entry of a table.
type Entry struct {
	Name    string // in lower case
	Targets []Target
	Line    int // where it begins, counted from 1
}

// Limits of a table and of what comes out of it.
const (
	MaxFile    = 64 << 20
	MaxLine    = 1 << 20
	MaxTargets = 100_000
)

// ErrFormat is wrapped by the error for what is not understood.
var ErrFormat = errors.New("bad format")

func badFormat(line int, what string) error {
	return fmt.Errorf("line %d: %w: %s", line, ErrFormat, what)
}

// key is under what the compiled table has a name.
func key(name string) []byte { return []byte(":" + lower(name)) }

// pack makes the value of an entry.
func pack(targets []Target) []byte {
	var b []byte
	for _, t := range targets {
		b = append(append(append(b, byte(t.Kind)), t.Text...), 0)
	}
	return b
}

// unpack reads the value of an entry.
func unpack(value []byte) ([]Target, error) {
	var list []Target
	for len(value) > 0 {
		text, rest, ok := bytes.Cut(value, []byte{0})
		if !ok || len(text) < 2 || bytes.IndexByte([]byte(`&\|/:!?`), text[0]) < 0 {
			return nil, fmt.Errorf("%w: compiled table", ErrFormat)
		}
		list = append(list, Target{Kind(text[0]), string(text[1:])})
		value = rest
	}
	return list, nil
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
