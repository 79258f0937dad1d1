package users

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"goqmail/internal/spawn"
)

// Passwd is the [Source] that reads a password file, passwd(5). Of several lines
// for a name the first counts; those without a home or an id do not, nor those of
// more than 64 KB.
func Passwd(path string) Source {
	return func(names []string) (map[string]Account, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readPasswd(f, names)
	}
}

func readPasswd(r io.Reader, names []string) (map[string]Account, error) {
	found := map[string]Account{}
	in := bufio.NewReaderSize(r, maxLine)
	for skip := false; ; {
		line, long, err := in.ReadLine()
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		if a, ok := parsePasswd(line, names); ok && !skip && !long {
			if _, ok := found[a.Name]; !ok {
				found[a.Name] = a
			}
		}
		skip = long // what follows is no line of its own
	}
}

// parsePasswd reads name:password:uid:gid:gecos:home:shell if name is one of names.
func parsePasswd(line []byte, names []string) (a Account, ok bool) {
	name, _, ok := bytes.Cut(line, []byte(":"))
	if !ok || !slices.Contains(names, string(name)) {
		return a, false
	}
	f := strings.Split(string(line), ":")
	if len(f) < 6 || f[2] == "" || f[3] == "" {
		return a, false
	}
	uid, err := leadingID(f[2])
	if err != nil {
		return a, false
	}
	gid, err := leadingID(f[3])
	return Account{Name: f[0], UID: uid, GID: gid, Home: f[5]}, err == nil
}

// Getent is the [Source] of accounts that only the name service switch of the
// C library knows, nsswitch.conf(5): LDAP, sssd, systemd and the like. It asks
// the program getent(1).
type Getent struct {
	Program string        // path of getent; a host that has none has no such accounts
	Switch  string        // path of nsswitch.conf; if that names files alone, getent is not run
	Limit   time.Duration // for the program to answer
	Env     []string
}

const (
	getentSome   = 2 // exit code: some name was not found
	getentOutput = 1 << 20
)

// Accounts is the [Source].
func (g Getent) Accounts(names []string) (map[string]Account, error) {
	if !usesSwitch(g.Switch) {
		return nil, nil
	}
	// Without -- a name that begins with a dash would be an option.
	args := append([]string{"getent", "passwd", "--"}, names...)
	output, status, err := spawn.Child{Path: g.Program, Args: args, Env: g.Env, Limit: g.Limit}.Output(getentOutput)
	switch {
	case errors.Is(err, syscall.ENOENT):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("run getent: %w", err)
	case !status.Exited() || status.ExitStatus() != 0 && status.ExitStatus() != getentSome:
		return nil, fmt.Errorf("getent failed: status %#x", int(status))
	}
	// getent takes a number for a uid and answers with its account, so that
	// what it says counts only under the name that was asked for.
	return readPasswd(bytes.NewReader(output), names)
}

// usesSwitch reports whether a switch file names anything but the password file
// as a source of accounts. One that is missing does not.
func usesSwitch(path string) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if sources, ok := strings.CutPrefix(strings.TrimSpace(line), "passwd:"); ok {
			return slices.ContainsFunc(strings.Fields(sources), func(s string) bool { return s != "files" })
		}
	}
	return false
}
