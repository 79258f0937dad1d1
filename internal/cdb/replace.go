package cdb

import (
	"errors"
	"fmt"
	"io/fs"

	"goqmail/internal/durable"
)

// Errors of [Replace] that say at which step it failed; a failure to write has
// neither.
var (
	ErrCreate = errors.New("cannot make the temporary file")
	ErrRename = errors.New("cannot move the temporary file")
)

// Replace writes a new database durably in place of the file called name: to the
// file called tmp beside it, which is synced, renamed, and its folder synced.
// Readers see the old file or the new one. If anything fails, an error of fill
// included, the old file stays and tmp is removed. A tmp that a crash left
// behind is overwritten, so two calls for the same file must not overlap.
func Replace(folder durable.FS, tmp, name string, fill func(*Writer) error) error {
	if err := folder.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrCreate, err)
	}
	file, err := folder.Create(tmp, 0o644)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCreate, err)
	}
	if err := write(file, fill); err != nil {
		folder.Remove(tmp)
		return err
	}
	if err := folder.Rename(tmp, name); err != nil {
		folder.Remove(tmp)
		return fmt.Errorf("%w: %w", ErrRename, err)
	}
	return folder.SyncDir("")
}

func write(file durable.File, fill func(*Writer) error) error {
	w := NewWriter(file)
	err := fill(w)
	if err == nil {
		err = w.Finish()
	}
	if err == nil {
		err = file.Sync()
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	return err
}
