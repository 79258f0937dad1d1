package local

import (
	"strings"

	"goqmail/internal/durable"
)

// place finds where a mailbox lies: below the home, or anywhere if its name
// begins with a slash. The name that it returns is relative to the folder; that
// of a maildir ends in a slash unless it is empty.
func (r *run) place(name string) (durable.FS, string) {
	if strings.HasPrefix(name, "/") {
		return r.Host.Root, strings.TrimLeft(name, "/")
	}
	for strings.HasPrefix(name, "./") {
		name = strings.TrimLeft(name[2:], "/")
	}
	return r.Files, name
}
