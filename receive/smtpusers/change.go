package smtpusers

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"goqmail/internal/scram"
)

// Line returns the line of a user with a password, which is kept as it is or as a
// verifier.
func Line(user, password string, asIs bool) (string, error) {
	if user == "" || user[0] == '#' || strings.ContainsAny(user, ":\x00\n\r") {
		return "", fmt.Errorf("a user has a name, without a colon, and not with # at its beginning")
	}
	if password == "" || strings.ContainsAny(password, "\x00\n\r") {
		return "", fmt.Errorf("a password is not empty, and one line")
	}
	kept := plain + ":" + password
	if !asIs {
		salt := make([]byte, saltSize)
		rand.Read(salt)
		v, err := scram.New(password, salt, iterations)
		if err != nil {
			return "", err
		}
		kept = v.String()
	}
	if line := user + ":" + kept + "\n"; len(line) < maxLine {
		return line, nil
	}
	return "", fmt.Errorf("that is too long")
}

// Replace puts a line in the place of a user's, or at the end of the file at path;
// an empty one removes it. A file that is not there is made, and belongs to owner
// if that is not negative. At any moment there is the old file or the new one.
func Replace(path, user, line string, owner int) error {
	lock, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return os.NewSyscallError("flock", err)
	}
	old, err := os.ReadFile(path)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing:
		old = []byte(":key:" + rand.Text() + "\n")
	case err != nil:
		return err
	}
	text, found := edit(old, user, line)
	if line == "" && !found {
		return fmt.Errorf("there is no user %q in %s", user, path)
	}
	if !missing {
		st, err := os.Stat(path)
		if err != nil {
			return err
		}
		owner = int(st.Sys().(*syscall.Stat_t).Uid)
	}
	if err := write(path+".tmp", text, owner); err != nil {
		os.Remove(path + ".tmp")
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	return lock.Sync()
}

// edit exchanges a user's line.
func edit(text []byte, user, line string) (edited []byte, found bool) {
	for old := range bytes.Lines(text) {
		if bytes.HasPrefix(old, []byte(user+":")) {
			if !found {
				edited = append(edited, line...)
			}
			found = true
			continue
		}
		edited = append(edited, bytes.TrimSuffix(old, []byte("\n"))...)
		edited = append(edited, '\n')
	}
	if !found {
		edited = append(edited, line...)
	}
	return edited, found
}

// write writes a file that its owner alone may read.
func write(path string, text []byte, owner int) error {
	os.Remove(path)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if owner >= 0 && owner != os.Geteuid() {
		if err := file.Chown(owner, -1); err != nil {
			return err
		}
	}
	if _, err := file.Write(text); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return file.Close()
}

// ReadPassword reads a password, the first line of r.
func ReadPassword(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxLine)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}
