// Package ids looks up accounts by name in /etc/passwd and /etc/group: the eight
// users of the system (see [Users]) and its groups, when a program starts.
//
// It reads the files themselves, since the programs that need it are to stay
// small. Accounts of mail users are another matter: those come from qmail-getpw,
// which can be replaced.
package ids

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Users are the accounts that the system's programs run as, in the order of
// qmail's conf-users: alias, daemon, log, owner, passwd, queue, remote, send.
var Users = [8]string{"alias", "qmaild", "qmaill", "root", "qmailp", "qmailq", "qmailr", "qmails"}

// ErrUnknown is wrapped by the error for a name that is not in the file.
var ErrUnknown = errors.New("no such account")

// Files are the account files to look in.
type Files struct{ Passwd, Group string }

// System is where the host keeps its accounts.
var System = Files{Passwd: "/etc/passwd", Group: "/etc/group"}

// UID returns the user id of the account called name.
func (f Files) UID(name string) (int, error) { return number(f.Passwd, name) }

// GID returns the group id of the group called name.
func (f Files) GID(name string) (int, error) { return number(f.Group, name) }

// Name returns which of the given accounts has that user id, or "".
func (f Files) Name(uid int, among ...string) (string, error) {
	data, err := os.ReadFile(f.Passwd)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(line, ":", 4)
		if len(fields) == 4 && fields[2] == strconv.Itoa(uid) && slices.Contains(among, fields[0]) {
			return fields[0], nil
		}
	}
	return "", nil
}

// Login returns the name of the first account whose user id is uid.
func (f Files) Login(uid int) (string, error) {
	data, err := os.ReadFile(f.Passwd)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(line, ":")
		if len(fields) > 2 && fields[0] != "" && fields[2] == strconv.Itoa(uid) {
			return fields[0], nil
		}
	}
	return "", fmt.Errorf("%s: user id %d: %w", f.Passwd, uid, ErrUnknown)
}

// GroupsOf returns the ids of the groups that list the user as a member, in the
// order of the file.
func (f Files) GroupsOf(user string) ([]int, error) {
	data, err := os.ReadFile(f.Group)
	if err != nil {
		return nil, err
	}
	var groups []int
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 4 || !slices.Contains(strings.Split(fields[3], ","), user) {
			continue
		}
		if id, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
			groups = append(groups, int(id))
		}
	}
	return groups, nil
}

// number finds the third field of the line that begins with name, a colon: uid
// in passwd(5), gid in group(5).
func number(file, name string) (int, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadString('\n')
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			if fields := strings.Split(strings.TrimSpace(rest), ":"); len(fields) >= 2 {
				if id, err := strconv.ParseUint(fields[1], 10, 32); err == nil {
					return int(id), nil
				}
			}
			return 0, fmt.Errorf("%s: bad line for %s", file, name)
		}
		if err == io.EOF {
			return 0, fmt.Errorf("%s: %s: %w", file, name, ErrUnknown)
		}
		if err != nil {
			return 0, err
		}
	}
}
