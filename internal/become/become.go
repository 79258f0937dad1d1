// Package become gives up root for good, once a program has what it needed root for.
package become

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"goqmail/internal/ids"
)

// User is an account to become.
type User struct {
	Name     string
	UID, GID int
	Groups   []int // those that list it as a member
}

// Find looks an account up.
func Find(files ids.Files, name string) (User, error) {
	u := User{Name: name}
	text, err := os.ReadFile(files.Passwd)
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 4 || fields[0] != name {
			continue
		}
		uid, err := strconv.ParseUint(fields[2], 10, 31)
		gid, err2 := strconv.ParseUint(fields[3], 10, 31)
		if err := errors.Join(err, err2); err != nil {
			return u, fmt.Errorf("%s: bad line for %s: %w", files.Passwd, name, err)
		}
		u.UID, u.GID = int(uid), int(gid)
		u.Groups, err = files.GroupsOf(name)
		return u, err
	}
	return u, fmt.Errorf("%s: %s: %w", files.Passwd, name, ids.ErrUnknown)
}

// Become makes the process, all its threads, that of the user, who must not be root.
// There is no way back: that is tried.
func (u User) Become() error {
	if u.UID == 0 || u.GID == 0 {
		return fmt.Errorf("become %s: that is root", u.Name)
	}
	for _, step := range []struct {
		name string
		err  func() error
	}{
		{"setgroups", func() error { return syscall.Setgroups(append([]int{u.GID}, u.Groups...)) }},
		{"setgid", func() error { return syscall.Setgid(u.GID) }},
		{"setuid", func() error { return syscall.Setuid(u.UID) }},
	} {
		if err := step.err(); err != nil {
			return fmt.Errorf("become %s: %s: %w", u.Name, step.name, err)
		}
	}
	if syscall.Setuid(0) == nil || syscall.Setgid(0) == nil || os.Getuid() != u.UID || os.Geteuid() != u.UID || os.Getegid() != u.GID {
		return fmt.Errorf("become %s: still root", u.Name)
	}
	return nil
}
