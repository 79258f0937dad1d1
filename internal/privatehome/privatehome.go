// Package privatehome makes a home in which one ordinary user runs the whole
// system: with a queue, control files, one mailbox and no way out but the relay it
// is told. It is for trying things out and for tests.
//
// Below the home there are
//
//	bin       a link to the programs
//	control   me, locals and smtproutes, so that no DNS is needed
//	queue     the queue
//	users     assign and cdb: the user, with extensions; all else is alias's
//	alias     .qmail files for postmaster, root and mailer-daemon
//	USER      the user's own home, with Maildir
package privatehome

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"goqmail/internal/durable"
	"goqmail/local"
	"goqmail/queue"
	"goqmail/users"
)

// Me is the name of the host in a private home. The domain test never exists
// elsewhere (RFC 6761 section 6.2).
const Me = "here.test"

// Home is a private home.
type Home struct {
	Dir      string // absolute
	Bin      string // folder of the programs, absolute
	User     string // the local part of its mailbox
	UID, GID int    // whose it is; the system runs as that user
}

// UserName makes an account's name fit for a mailbox and for users/assign.
func UserName(account string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return -1
	}, account)
	if name == "" {
		return "you"
	}
	return name
}

// Mailbox is the maildir that the user's mail lands in.
func (h Home) Mailbox() string { return filepath.Join(h.Dir, h.User, "Maildir") }

// Address is the user's mail address.
func (h Home) Address() string { return h.User + "@" + Me }

// Make makes what is missing of the home, as files of the user who calls it, and
// keeps what is there.
func (h Home) Make() error {
	for _, d := range []string{"", "control", "users", "alias", h.User} {
		if err := os.MkdirAll(filepath.Join(h.Dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := h.linkBin(); err != nil {
		return err
	}
	if err := queue.Make(filepath.Join(h.Dir, "queue"), queue.DefaultSplit); err != nil {
		return err
	}
	if err := h.makeMailbox(); err != nil {
		return err
	}
	files := map[string]string{
		"control/me":                 Me + "\n",
		"control/defaultdelivery":    "./Maildir/\n",
		"alias/.qmail-postmaster":    "&" + h.Address() + "\n",
		"alias/.qmail-root":          "&" + h.Address() + "\n",
		"alias/.qmail-mailer-daemon": "&" + h.Address() + "\n",
	}
	for name, text := range files {
		if err := writeNew(filepath.Join(h.Dir, name), text); err != nil {
			return err
		}
	}
	return h.makeUsers()
}

func (h Home) linkBin() error {
	link := filepath.Join(h.Dir, "bin")
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(h.Bin, link)
}

func (h Home) makeMailbox() error {
	if _, err := os.Stat(h.Mailbox()); err == nil {
		return nil
	}
	return local.MakeMaildir(h.Mailbox())
}

// makeUsers gives the user's address, with extensions, to the user, and all other
// local parts to alias, who is the same person here.
func (h Home) makeUsers() error {
	assign := fmt.Sprintf("=%[1]s:%[1]s:%[2]d:%[3]d:%[4]s:::\n"+
		"+%[1]s-:%[1]s:%[2]d:%[3]d:%[4]s:-::\n"+
		"+:alias:%[2]d:%[3]d:%[5]s:-::\n.\n",
		h.User, h.UID, h.GID, filepath.Join(h.Dir, h.User), filepath.Join(h.Dir, "alias"))
	folder := filepath.Join(h.Dir, "users")
	if err := os.WriteFile(filepath.Join(folder, "assign"), []byte(assign), 0o644); err != nil {
		return err
	}
	return users.WriteTable(durable.NewDir(folder), strings.NewReader(assign))
}

// Relay has all mail for other hosts sent to one address, host:port.
func (h Home) Relay(address string) error {
	return os.WriteFile(filepath.Join(h.Dir, "control/smtproutes"), []byte(":"+address+"\n"), 0o644)
}

// writeNew writes a file unless it is there.
func writeNew(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
