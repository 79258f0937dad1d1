package dotqmail

import (
	"errors"
	"io/fs"
	"iter"
	"strings"
	"syscall"
)

// Candidate is the name of a file that may hold the instructions for an address.
type Candidate struct {
	Name string
	// Default is the part of the extension that "default" stands for in the
	// name, as the sender spelled it. IsDefault tells an empty one from none.
	Default   string
	IsDefault bool
}

const defaultName = "default"

// Candidates returns the names in the order in which they are tried.
func (r Recipient) Candidates() iter.Seq[Candidate] {
	return func(yield func(Candidate) bool) {
		prefix, ext := ".qmail"+r.Dash, r.safeExt()
		exact := Candidate{Name: prefix + ext}
		if strings.HasSuffix(ext, defaultName) {
			// Compat: DEFAULT is set whatever made the name end so.
			exact.Default, exact.IsDefault = r.Ext[len(ext)-len(defaultName):], true
		}
		if !yield(exact) {
			return
		}
		for i := len(ext); i >= 0; i-- {
			if i > 0 && ext[i-1] != '-' {
				continue
			}
			if !yield(Candidate{prefix + ext[:i] + defaultName, r.Ext[i:], true}) {
				return
			}
		}
	}
}

// found is an open file that was chosen.
type found struct {
	Candidate
	file       fs.File
	executable bool
}

// search opens the first candidate that is a regular file. Without one it
// returns nil.
func (r Recipient) search(home Folder) (*found, error) {
	for c := range r.Candidates() {
		f, err := open(home, c.Name)
		if err != nil {
			return nil, err
		}
		if f != nil {
			f.Candidate = c
			return f, nil
		}
	}
	return nil, nil
}

// open opens a file. It returns nil if the name is not that of a regular file.
func open(home Folder, name string) (*found, error) {
	file, err := home.Open(name)
	if err != nil {
		if Missing(err) {
			return nil, nil
		}
		return nil, cannotOpen(name, err)
	}
	st, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, cannotOpen(name, err)
	}
	if !st.Mode().IsRegular() {
		file.Close()
		return nil, nil
	}
	if st.Mode()&unsafe != 0 {
		file.Close()
		return nil, errWritable
	}
	return &found{file: file, executable: st.Mode()&0o100 != 0}, nil
}

// exists reports whether there is anything of that name.
func exists(home Folder, name string) (bool, error) {
	switch _, err := home.Stat(name); {
	case err == nil:
		return true, nil
	case Missing(err):
		return false, nil
	default:
		return false, cannotOpen(name, err)
	}
}

// Missing reports whether an error says that there cannot be a file of that
// name. All others may hide one, those of access too.
func Missing(err error) bool {
	for _, e := range []syscall.Errno{
		syscall.ENOENT, syscall.ENOTDIR, syscall.ENAMETOOLONG, syscall.ELOOP,
		syscall.ENXIO, syscall.ENODEV, // a socket, a device without a driver
		syscall.EINVAL, // a name that the file system cannot have
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return errors.Is(err, fs.ErrNotExist)
}
