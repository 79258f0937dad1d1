package start

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"goqmail/internal/ids"
)

// Users are the accounts that the programs run as. For a nil *Users all of them
// run as the caller.
type Users struct {
	qmaill, qmailq, qmailr, qmails uint32
	qmail, nofiles                 uint32
	remoteGroups                   []uint32 // of qmailr, beside its own
}

// LookUp finds the accounts, by name.
func LookUp(files ids.Files) (*Users, error) {
	u := &Users{}
	for _, a := range []struct {
		id   *uint32
		find func(string) (int, error)
		what string
		name string
		file string
	}{
		{&u.qmaill, files.UID, "user", "qmaill", files.Passwd},
		{&u.qmailq, files.UID, "user", "qmailq", files.Passwd},
		{&u.qmailr, files.UID, "user", "qmailr", files.Passwd},
		{&u.qmails, files.UID, "user", "qmails", files.Passwd},
		{&u.qmail, files.GID, "group", "qmail", files.Group},
		{&u.nofiles, files.GID, "group", "nofiles", files.Group},
	} {
		id, err := a.find(a.name)
		if errors.Is(err, ids.ErrUnknown) {
			return nil, fmt.Errorf("there is no %s %s in %s", a.what, a.name, a.file)
		}
		if err != nil {
			return nil, err
		}
		*a.id = uint32(id)
	}
	groups, err := files.GroupsOf("qmailr")
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		u.remoteGroups = append(u.remoteGroups, uint32(g))
	}
	return u, nil
}

func credential(uid, gid uint32, groups ...uint32) *syscall.Credential {
	return &syscall.Credential{Uid: uid, Gid: gid, Groups: append([]uint32{gid}, groups...)}
}

func (u *Users) logger() *syscall.Credential {
	if u == nil {
		return nil
	}
	return credential(u.qmaill, u.nofiles)
}

// local is root, who alone can become the users that mail is for.
func (u *Users) local() *syscall.Credential {
	if u == nil {
		return nil
	}
	return credential(0, u.qmail)
}

// remote has the other groups of qmailr too, that of private keys for instance.
func (u *Users) remote() *syscall.Credential {
	if u == nil {
		return nil
	}
	return credential(u.qmailr, u.qmail, u.remoteGroups...)
}

// queue is who owns the queue.
func (u *Users) queue() *syscall.Credential {
	if u == nil {
		return nil
	}
	return credential(u.qmailq, u.qmail)
}

// becomeSend gives up root for good, in all threads.
func (u *Users) becomeSend() error {
	if u == nil {
		return nil
	}
	for _, step := range []struct {
		name string
		err  func() error
	}{
		{"setgroups", func() error { return syscall.Setgroups([]int{int(u.qmail)}) }},
		{"setgid", func() error { return syscall.Setgid(int(u.qmail)) }},
		{"setuid", func() error { return syscall.Setuid(int(u.qmails)) }},
	} {
		if err := step.err(); err != nil {
			return fmt.Errorf("become qmails: %s: %w", step.name, err)
		}
	}
	if u.qmails != 0 && slices.Contains([]int{syscall.Getuid(), syscall.Geteuid()}, 0) {
		return errors.New("become qmails: still root")
	}
	return nil
}
