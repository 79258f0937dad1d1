package users

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"goqmail/internal/cdb"
	"goqmail/internal/durable"
	"goqmail/internal/fault"
	"goqmail/internal/syserr"
)

// CompileHosts adds a record with an empty value for each line of
// control/morercpthosts, or of another list, in lower case: lines that begin with # and empty ones
// left out, blanks, tabs and newlines at their ends cut off.
func CompileHosts(list io.Reader, to *cdb.Writer) error {
	in := bufio.NewReaderSize(list, maxLine)
	for {
		line, readErr := in.ReadSlice('\n')
		if readErr != nil && readErr != io.EOF {
			return fmt.Errorf("%w: %w", errRead, readErr)
		}
		host := bytes.TrimRight(line, " \t\n")
		if len(host) > 0 && host[0] != '#' {
			if err := to.Add([]byte(lower(string(host))), nil); err != nil {
				return err
			}
		}
		if readErr == io.EOF {
			return nil
		}
	}
}

// RebuildHosts compiles morercpthosts into morercpthosts.cdb in the folder control,
// which is what qmail-newmrh does.
func RebuildHosts(folder durable.FS) error { return RebuildList(folder, "morercpthosts") }

// RebuildList compiles a list into a cdb in the folder control, durably and all at
// once. An error is a [fault.Error] whose text is what qmail-newmrh says; the old file
// then stays.
func RebuildList(folder durable.FS, name string) error {
	tmp := name + ".tmp"
	list, err := folder.Open(name, os.O_RDONLY, 0)
	if err != nil {
		return fault.Soft("unable to read control/"+name+": "+syserr.Text(err), err)
	}
	defer list.Close()
	err = cdb.Replace(folder, tmp, name+".cdb", func(w *cdb.Writer) error { return CompileHosts(list, w) })
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errRead):
		return fault.Soft("unable to read control/"+name+": "+syserr.Text(err), err)
	case errors.Is(err, cdb.ErrRename):
		// Compat: there is no colon in between.
		return fault.Soft("unable to move control/"+tmp+" to control/"+name+".cdb"+syserr.Text(err), err)
	}
	return fault.Soft("unable to write to control/"+tmp+": "+syserr.Text(err), err)
}
