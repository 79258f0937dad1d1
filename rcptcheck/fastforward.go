package rcptcheck

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"goqmail/aliases"
	"goqmail/dot-qmail"
	"goqmail/internal/cdb"
	"goqmail/internal/getopt"
)

// refuses reports whether all that a file does is to run fastforward, and that
// refuses the recipient. Anything that could be different does not.
func (c Checker) refuses(f *File, to dotqmail.Recipient) bool {
	instructions, err := dotqmail.Parse(f.Text, false)
	if f.Text == "" || err != nil || len(instructions) != 1 || instructions[0].Kind != dotqmail.Program || instructions[0].Forbidden {
		return false
	}
	table, byDefault, ok := c.fastforward(instructions[0].Text)
	if !ok {
		return false
	}
	name := to.Local
	if byDefault {
		name = f.Default
	}
	if byDefault && !f.IsDefault {
		return false
	}
	return !mayHave(table, name, to.Host)
}

// fastforward reads a command that runs fastforward on a table and does nothing
// else. Ok is false if it may do more, or if what the table does not have is not
// refused (-p, -n).
func (c Checker) fastforward(command string) (table string, byDefault, ok bool) {
	if strings.Trim(command, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._- ") != "" {
		return "", false, false // the shell may see something in it
	}
	words := strings.Fields(command)
	if len(words) == 0 || words[0] != c.Fastforward {
		return "", false, false
	}
	options := getopt.New(words[1:], "nNpPdD")
	for letter := options.Next(); letter != 0; letter = options.Next() {
		switch letter {
		case 'd', 'D':
			byDefault = letter == 'd'
		case 'N', 'P':
		default:
			return "", false, false
		}
	}
	rest := options.Rest()
	if len(rest) != 1 || !path.IsAbs(rest[0]) {
		return "", false, false
	}
	return rest[0], byDefault, true
}

// mayHave reports whether a table of aliases has a recipient, or cannot be read.
func mayHave(table, local, host string) bool {
	file, err := os.Open(table)
	if err != nil {
		return true
	}
	defer file.Close()
	_, ok, err := aliases.Expander{Table: cdb.NewReader(file), Open: notOpened}.Recipient(local, host)
	return ok || err != nil
}

// notOpened opens no list: that one is named is enough.
func notOpened(string) (fs.File, error) { return nil, errors.New("not opened") }
