package rcptcheck

import (
	"errors"
	"io/fs"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"goqmail/dot-qmail"
	"goqmail/users"
)

// atSecure is the entry of the auxiliary vector that says that a program has more
// rights than its caller, getauxval(3).
const atSecure = 23

// Privileged reports whether the program may have rights that its caller lacks: it
// is set-uid, or its file has capabilities.
func Privileged() bool {
	entries, err := unix.Auxv()
	if err != nil {
		return true
	}
	for _, e := range entries {
		if e[0] == atSecure {
			return e[1] != 0
		}
	}
	return true
}

// Capable is the [Look] that uses CAP_DAC_READ_SEARCH, which the file of the program
// may have been given as permitted (setcap cap_dac_read_search=p). Nothing but the
// look has it: it is raised in a thread that ends with that.
//
// What it tells must be no more than what mail to the address would tell. So it opens
// no file; it follows no symbolic link in the home, with which the user could make it
// look elsewhere; and it looks into no home that is not the user's own or root's, or
// that the user could not enter.
func Capable(u users.User, to dotqmail.Recipient) (f *File, ok bool, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked, so that the thread ends
		if !raise() {
			err = ErrHidden
			return
		}
		f, ok, err = lookInside(u, to)
	}()
	<-done
	return f, ok, err
}

// lookInside looks into a home with the rights that the thread has.
func lookInside(u users.User, to dotqmail.Recipient) (*File, bool, error) {
	home, err := unix.Open(u.Home, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, false, ErrHidden
	}
	defer unix.Close(home)
	if !mayEnter(u, home) {
		return nil, false, ErrHidden
	}
	for c := range to.Candidates() {
		there, err := isFile(home, c.Name)
		if err != nil {
			return nil, false, ErrHidden
		}
		if there {
			return &File{Candidate: c}, true, nil
		}
	}
	return nil, false, nil
}

// Hold takes the capability from the effective ones until it is wanted.
func Hold() {
	runtime.LockOSThread()
	var data [2]unix.CapUserData
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if unix.Getuid() == 0 || unix.Capget(&header, &data[0]) != nil {
		return
	}
	data[0].Effective, data[1].Effective = 0, 0
	_ = unix.Capset(&header, &data[0]) // if not, it is as the file's owner wanted
}

// raise gives this thread the capability and no others, and reports whether it has
// it.
func raise() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: 1 << unix.CAP_DAC_READ_SEARCH, Permitted: 1 << unix.CAP_DAC_READ_SEARCH}}
	return unix.Capset(&header, &data[0]) == nil
}

// mayEnter reports whether a home is the user's or root's, and the user may look
// for files in it that the user knows the names of; and that it is no home in which
// nothing is delivered.
func mayEnter(u users.User, home int) bool {
	var st unix.Stat_t
	if unix.Fstat(home, &st) != nil || st.Mode&(unix.S_ISVTX|0o002) != 0 {
		return false
	}
	search := uint32(0o001)
	switch {
	case st.Uid == u.UID:
		search = 0o100
	case st.Uid != 0:
		return false
	case st.Gid == u.GID:
		search = 0o010
	}
	return st.Mode&search != 0
}

var errSomewhere = errors.New("somewhere else")

// isFile reports whether a name in a folder is that of a regular file. It is an
// error if it leads out of the folder, or may do so.
func isFile(folder int, name string) (bool, error) {
	if strings.Contains(name, "/") {
		return false, errSomewhere
	}
	var st unix.Stat_t
	err := unix.Fstatat(folder, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case err != nil && dotqmail.Missing(err):
		return false, nil
	case err != nil:
		return false, &fs.PathError{Op: "stat", Path: name, Err: err}
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		return false, errSomewhere
	}
	return st.Mode&unix.S_IFMT == unix.S_IFREG, nil
}
