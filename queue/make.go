package queue

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// tcptoSize is the size of qmail-remote's table in lock/tcpto.
const tcptoSize = 1024

// Make makes an empty queue in a folder, split into so many folders. What is
// there already stays as it is. Modes are qmail's, but that all users may get at the
// socket of the qmail-queue that stays; owners are the caller's.
func Make(folder string, split int) error {
	for _, d := range []struct {
		name string
		mode fs.FileMode
	}{
		{"", 0o751}, {"bounce", 0o700}, {"intd", 0o700}, {"pid", 0o700}, {"todo", 0o750}, {"lock", 0o750},
		{"mess", 0o750}, {"info", 0o700}, {"local", 0o700}, {"remote", 0o700},
	} {
		if err := mkdir(filepath.Join(folder, d.name), d.mode); err != nil {
			return err
		}
		switch Kind(d.name) {
		case Mess, Info, Local, Remote:
			for i := range split {
				if err := mkdir(filepath.Join(folder, d.name, strconv.Itoa(i)), d.mode); err != nil {
					return err
				}
			}
		}
	}
	return makeLocks(folder)
}

// mkdir makes a folder with exactly that mode, whatever the umask.
func mkdir(name string, mode fs.FileMode) error {
	err := os.Mkdir(name, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Chmod(name, mode)
}

func makeLocks(folder string) error {
	trigger := filepath.Join(folder, triggerFile)
	switch err := unix.Mkfifo(trigger, 0o622); {
	case err == nil:
		if err := os.Chmod(trigger, 0o622); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrExist):
		return &fs.PathError{Op: "mkfifo", Path: trigger, Err: err}
	}
	for name, f := range map[string]struct {
		mode fs.FileMode
		size int
	}{mutexFile: {0o600, 0}, "lock/tcpto": {0o644, tcptoSize}} {
		err := writeNew(filepath.Join(folder, name), f.mode, f.size)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return MakeSendFolder(folder)
}

func writeNew(name string, mode fs.FileMode, size int) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, size))
	return errors.Join(err, f.Chmod(mode), f.Close())
}
