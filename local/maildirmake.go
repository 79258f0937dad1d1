package local

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"goqmail/internal/durable"
	"goqmail/internal/fault"
	"goqmail/internal/syserr"
)

// MakeMaildir makes an empty maildir of that name, for its owner alone, where
// there is nothing yet. When it returns nil the folders survive a crash, so that
// deliveries need to sync what is in new and no more. If it fails, what it made is
// gone again. Errors are of type [fault.Error].
func MakeMaildir(name string) error {
	var made []string
	fail := func(what string, err error) error {
		for i := len(made) - 1; i >= 0; i-- {
			os.Remove(made[i])
		}
		return fault.Soft("unable to "+what+": "+syserr.Text(err), err)
	}
	for _, folder := range []string{name, name + "/tmp", name + "/new", name + "/cur"} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			return fail("mkdir "+folder, err)
		}
		made = append(made, folder)
	}
	parent := filepath.Dir(filepath.Clean(name))
	for _, folder := range []string{name, parent} {
		err := durable.NewDir(folder).SyncDir(".")
		if err != nil && (folder == name || !errors.Is(err, fs.ErrPermission)) {
			return fail("sync "+folder, err)
		}
	}
	return nil
}
