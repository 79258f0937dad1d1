// Package confine takes from a running program what it does not need, with what
// Linux offers to an ordinary user: no_new_privs, Landlock and seccomp. It is a
// second wall: the first one is that each program runs as a user of its own.
//
// A [Profile] says what is left. There is one for each program that is confined, in
// profiles.go; doc/security.md has the table, and test/privileges tries from inside
// each of them what it forbids.
//
// Once [Profile.Enter] has returned the process, in all its threads, and all
// programs that it starts
//
//   - gain no rights by set-uid programs;
//   - open, make and remove only the files of the profile (Landlock, Linux 5.13 and
//     newer: with an older version less is forbidden; versions differ in truncating,
//     in TCP ports and in devices);
//   - get EPERM for system calls that no mail program makes: tracing, mounting,
//     changing users, the clock, modules, keys, name spaces and so on; and, by
//     profile, for making sockets and starting programs (seccomp, on amd64 and
//     arm64).
//
// What is forbidden is a list, and all else is allowed, so that a new version of Go
// which makes new system calls goes on working. Descriptors that are open stay open.
// A rule about a folder is about that folder, not its name: one that is put in its
// place later is closed.
//
// A kernel that can do less leaves the program less confined and nothing else: mail
// does not depend on it.
//
// # File format
//
// The control file confine is a number on its first line: 0 confines nothing, 1, as
// without the file, confines as far as the kernel can, and 2 tells that on standard
// error too. For example
//
//	0
//
// Anything else counts as 1. The programs that are confined must not depend on
// package control, so that this one reads the file.
package confine

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Profile is what a process may do. Paths that do not exist are left out.
type Profile struct {
	// Read are the files that may be read and the folders below which all may.
	// Nil: what the user may read.
	Read []string
	// Write are files, or folders of files, that may be written and cut.
	Write []string
	// List are folders that may be listed and synced.
	List []string
	// Move are folders below and between which files may be moved and removed.
	Move []string
	// Change are folders below which files and folders may be made, written,
	// linked, renamed and removed.
	Change []string
	// Sockets are the families of which sockets may be made, AF_INET and so on.
	// Nil: none.
	Sockets []int
	// Start is whether other programs may be started.
	Start bool
}

// ErrUnsupported means that the kernel, or this build of the program, cannot
// confine.
var ErrUnsupported = errors.New("not supported here")

// settingSize is more than a control file with a number has.
const settingSize = 64

// Values of the control file confine.
const (
	off = iota
	on
	telling
)

// setting reads the control file in a home.
func setting(home string) int {
	f, err := os.Open(filepath.Join(home, "control/confine"))
	if err != nil {
		return on
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, settingSize))
	if err != nil {
		return on
	}
	return parse(string(text))
}

func parse(text string) int {
	line, _, _ := strings.Cut(text, "\n")
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || n < off || n > telling {
		return on
	}
	return n
}

// Enter confines this process unless the home's control file confine says not to.
// It cannot fail: a program whose confinement fails goes on without, since mail is
// not to wait for it, and log gets a line that begins with the program's name.
// A kernel that cannot do something is no failure. It reports whether anything was
// done: then no set-uid program can be started any more.
func (p Profile) Enter(home, program string, log io.Writer) bool {
	how := setting(home)
	if how == off {
		return false
	}
	done, err := p.apply()
	if err != nil {
		io.WriteString(log, program+": warning: not fully confined: "+err.Error()+"\n")
	}
	if how == telling {
		what := "nothing"
		if len(done) > 0 {
			what = strings.Join(done, ", ")
		}
		io.WriteString(log, program+": confined by "+what+"\n")
	}
	return len(done) > 0
}

// apply does what can be done, and tells what was; an error is that of one that
// failed, after which the others are tried all the same.
func (p Profile) apply() (done []string, err error) {
	for _, step := range []struct {
		name string
		do   func() (detail string, err error)
	}{
		{"no_new_privs", noNewPrivs},
		{"Landlock", p.landlock},
		{"seccomp", p.seccomp},
	} {
		detail, e := step.do()
		switch {
		case e == nil:
			done = append(done, step.name+detail)
		case errors.Is(e, ErrUnsupported):
			if step.name == "no_new_privs" {
				return done, err // without it there is nothing else
			}
		default:
			err = errors.Join(err, errors.New(step.name+": "+e.Error()))
		}
	}
	return done, err
}
