package aliases

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"goqmail/internal/cdb"
	"goqmail/internal/durable"
)

// Suffix is what the name of the compiled table has behind that of the table.
const Suffix = ".cdb"

// ErrWritable is wrapped by the error for a file that everybody may write.
var ErrWritable = errors.New("everybody may write to it")

// Rebuild compiles the table of that name, /etc/aliases as a rule, into the file
// beside it that ends in [Suffix], durably and all at once. It returns the numbers
// of lines that do not count, since an earlier one has the same name. If anything
// fails the old compiled table stays. This is newaliases(1).
func Rebuild(name string) (twice []int, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// Two at a time would make the same temporary file.
	for syscall.Flock(int(file.Fd()), syscall.LOCK_EX) == syscall.EINTR {
	}
	text, err := readFile(file, MaxFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	entries, twice, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	folder, base := durable.NewDir(filepath.Dir(name)), filepath.Base(name)+Suffix
	err = cdb.Replace(folder, base+".tmp", base, func(w *cdb.Writer) error { return Compile(entries, w) })
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name+Suffix, err)
	}
	return twice, nil
}

// Compile adds the records of the compiled table.
func Compile(entries []Entry, to *cdb.Writer) error {
	for _, e := range entries {
		if err := to.Add(key(e.Name), pack(e.Targets)); err != nil {
			return err
		}
	}
	return nil
}

// readFile reads a regular file that only its owner and group may write.
func readFile(file fs.File, limit int64) (string, error) {
	st, err := file.Stat()
	if err != nil {
		return "", err
	}
	if !st.Mode().IsRegular() {
		return "", fs.ErrInvalid
	}
	if st.Mode()&0o002 != 0 {
		return "", ErrWritable
	}
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%w: too long", ErrFormat)
	}
	return string(text), err
}
