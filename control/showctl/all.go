package showctl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"goqmail/control"
	"goqmail/control/lint"
)

// WriteAll writes every control file that there could be: its value, whether that
// is the default, what it is, who reads it, and what is wrong with it. An error
// that it returns has been written too, if it is one of this package.
func (r Report) WriteAll(to io.Writer) error {
	w := bufio.NewWriter(to)
	files, err := r.open()
	if err != nil {
		fmt.Fprintln(w, strings.TrimSpace(r.oops(err)))
		return errors.Join(err, w.Flush())
	}
	problems, err := lint.Problems(r.folder())
	if err != nil {
		return err
	}
	for _, f := range control.Files {
		fmt.Fprintf(w, "%s:%s\n\t%s (%s)\n", f.Name, r.value(files, f), f.Doc, strings.Join(f.Readers, ", "))
		problems = tell(w, problems, f.Name)
	}
	for _, p := range problems { // of files that are in no table
		fmt.Fprintf(w, "%s:\n\tproblem: %s\n", safe(p.File), safe(p.Text))
	}
	return w.Flush()
}

// tell writes the problems of a file and returns those of the others.
func tell(w *bufio.Writer, problems []lint.Problem, file string) []lint.Problem {
	var rest []lint.Problem
	for _, p := range problems {
		if p.File != file {
			rest = append(rest, p)
			continue
		}
		fmt.Fprintf(w, "\tproblem: %s\n", safe(p.Text))
	}
	return rest
}

// value is what counts, on the line of the name or, for a list, on lines of its own.
func (r Report) value(files *control.Folder, f control.File) string {
	var value string
	var err error
	switch f.Kind {
	case control.Number:
		var n int
		n, err = files.Number(f.Name)
		value = fmt.Sprint(" ", n)
	case control.Line:
		value, err = files.Line(f.Name)
		value = " " + safe(value)
	default:
		var lines []string
		lines, _, err = files.List(f.Name)
		for _, line := range lines {
			line, _ = control.Shown(f.Name, line)
			value += "\n    " + safe(line)
		}
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return " (only others may read it)"
	case err != nil:
		return " ?" // the problem tells
	}
	if _, err := os.Lstat(filepath.Join(r.folder(), f.Name)); errors.Is(err, fs.ErrNotExist) {
		if first, rest, _ := strings.Cut(value, "\n"); rest == "" {
			return first + " (default)"
		}
		return " (default)" + value
	}
	return value
}
