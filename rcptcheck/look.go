package rcptcheck

import (
	"io"
	"os"
	"path/filepath"
	"syscall"

	"goqmail/dot-qmail"
	"goqmail/users"
)

// maxText is how much of a .qmail file is looked at: one line is of interest.
const maxText = 4 << 10

// Plain is the [Look] with the rights that the process has anyway.
func Plain(u users.User, to dotqmail.Recipient) (*File, bool, error) {
	info, err := os.Stat(u.Home)
	if err != nil {
		return nil, false, ErrHidden // mail waits until there is a home
	}
	if sticky, err := dotqmail.CheckHome(info); err != nil || sticky || !info.IsDir() {
		return nil, false, ErrHidden // it waits, too
	}
	for c := range to.Candidates() {
		name := filepath.Join(u.Home, c.Name)
		info, err := os.Stat(name)
		switch {
		case err == nil && info.Mode().IsRegular():
			return &File{Candidate: c, Text: read(name)}, true, nil
		case err != nil && !dotqmail.Missing(err):
			return nil, false, ErrHidden
		}
	}
	return nil, false, nil
}

// read returns the text of a file, or nothing if it is not to be had.
func read(name string) string {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Mode().Perm()&0o100 != 0 {
		return "" // forwards only
	}
	text, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if err != nil || len(text) > maxText {
		return ""
	}
	return string(text)
}
