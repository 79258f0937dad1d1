// Package dotqmail finds and reads the file in which a user says what happens to
// mail for one of the user's addresses, dot-qmail(5). It delivers nothing: package
// local carries the instructions out, and others may only want to show them.
//
// # Search order
//
// An address that users(5) gives to a user has three parts beside its host: the
// user's own name, a dash (any text, mostly "-" or nothing) and an extension.
// Dash and extension make the file's name, with the extension in lower case and
// with a colon for each dot. For dash "-" and extension "News-J.Doe" these are
// tried, and the first one that is a regular file is taken:
//
//	.qmail-news-j:doe
//	.qmail-news-default     DEFAULT=J.Doe
//	.qmail-default          DEFAULT=News-J.Doe
//
// If there is none, mail for an address with a dash is refused, and mail for one
// without is delivered by the host's default instructions. A file that is there
// but cannot be read stops the search with a temporary failure: mail must not go
// where its owner did not send it.
//
// # File format
//
// A file is a sequence of lines, each ended by a newline, the last one perhaps
// not. Blanks and tabs at the end of a line do not count, nor does anything
// behind a NUL. The first byte tells what a line is:
//
//	#text      nothing, a comment
//	./box      append to an mbox; also /home/kim/box
//	./box/     deliver to a maildir, told from an mbox by the slash at its end
//	|command   feed the message to /bin/sh -c command
//	&address   forward to the address, which is taken as it stands
//	address    the same, if no other kind of line begins like that
//	+list      from here on forward lines only; other + lines are nothing
//	           (an empty line) nothing, but not as the first line
//
// For example:
//
//	# keep a copy
//	./Maildir/
//	|bouncesaying "too much of it" grep -q lottery
//	&kim@test.example
//
// A file of no bytes stands for the default instructions. The owner's execute
// bit on the file acts as a +list line on top of it, so that a program that
// manages a list cannot be made to write files or run programs. Files over
// [MaxSize] bytes, an empty first line and a lone & are temporary failures.
package dotqmail

import (
	"io/fs"

	"goqmail/internal/fault"
	"goqmail/internal/syserr"
)

// MaxSize bounds a file: half a million addresses of a usual length.
const MaxSize = 16 << 20

// unsafe is the mode bit that neither home nor file may have. As in qmail
// (conf-patrn) the group's may be set.
const unsafe = 0o002

// Folder is what this package needs of a user's home. Open must not wait for the
// other end of a FIFO.
type Folder interface {
	Open(name string) (fs.File, error)
	Stat(name string) (fs.FileInfo, error)
}

// Recipient is an address in the parts that users(5) makes of it.
type Recipient struct {
	Local string // local part, whole
	Dash  string // what stands between the user's name and the extension
	Ext   string // the extension
	Host  string
}

// String is the address: local part, @, host. Nothing is quoted.
func (r Recipient) String() string { return r.Local + "@" + r.Host }

// safeExt is the extension as file names have it. Without dots it cannot climb
// out of the home; slashes stay, and may lead into a folder.
func (r Recipient) safeExt() string {
	b := []byte(r.Ext)
	for i, c := range b {
		switch {
		case c == '.':
			b[i] = ':'
		case c >= 'A' && c <= 'Z':
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// CheckHome looks at what a home's mode allows. A home that others may write is
// an error; a sticky one says that its owner is editing files in it.
func CheckHome(home fs.FileInfo) (sticky bool, err error) {
	if home.Mode()&unsafe != 0 {
		return false, fault.Soft("Uh-oh: home directory is writable. (#4.7.0)", nil)
	}
	return home.Mode()&fs.ModeSticky != 0, nil
}

func cannotOpen(name string, cause error) error {
	return fault.Soft("Unable to open "+name+": "+syserr.Text(cause)+". (#4.3.0)", cause)
}
