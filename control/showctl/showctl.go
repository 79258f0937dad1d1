// Package showctl shows the settings of a system: what every control file says,
// what counts if it says nothing, and what is wrong with it. It is qmail-showctl(8).
//
// Scripts read what qmail's has always printed, so [Report.Write] keeps to that:
// the files that qmail knows, in its order and its words. Problems come before
// them, and control files that qmail does not know after them.
package showctl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"goqmail/control"
	"goqmail/control/lint"
	"goqmail/internal/ids"
	"goqmail/queue"
)

// Report is what there is to show.
type Report struct {
	Home     string
	Accounts ids.Files
	Split    int // of the queue; 0: that of a new one
}

// What keeps a report from being made.
var (
	ErrHome    = errors.New("home cannot be entered")
	ErrControl = errors.New("control cannot be entered")
	ErrMe      = errors.New("control/me cannot be read")
)

// oops tells of one of these errors in qmail's words.
func (r Report) oops(err error) string {
	switch err {
	case ErrHome:
		return "Oops! Unable to chdir to " + r.Home + ".\n"
	case ErrControl:
		return "Oops! Unable to chdir to control.\n"
	}
	return "Oops! Trouble reading control/me."
}

// Write writes the settings in qmail's words. An error that it returns has been
// written too.
func (r Report) Write(to io.Writer) error {
	w := bufio.NewWriter(to)
	err := r.write(w)
	return errors.Join(err, w.Flush())
}

func (r Report) write(w *bufio.Writer) error {
	r.head(w)
	problems, _ := lint.Problems(r.folder()) // what cannot be read is told below
	for _, p := range problems {
		fmt.Fprintf(w, "problem: control/%s\n", safe(p.String()))
	}
	r.ids(w)
	files, err := r.open()
	if err != nil {
		w.WriteString(r.oops(err))
		return err
	}
	s := shower{w: w, files: files, folder: r.folder()}
	for _, e := range entries {
		s.entry(e)
	}
	return s.others()
}

func (r Report) folder() string { return filepath.Join(r.Home, "control") }

func (r Report) open() (*control.Folder, error) {
	if !isFolder(r.Home) {
		return nil, ErrHome
	}
	if !isFolder(r.folder()) {
		return nil, ErrControl
	}
	files, err := control.Open(r.folder())
	if err != nil {
		return nil, ErrMe
	}
	return files, nil
}

func isFolder(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// head shows what is compiled into qmail and cannot be set.
func (r Report) head(w *bufio.Writer) {
	split := r.Split
	if split == 0 {
		split = queue.DefaultSplit
	}
	fmt.Fprintf(w, "qmail home directory: %s.\nuser-ext delimiter: -.\npaternalism (in decimal): 2.\n"+
		"silent concurrency limit: 120.\nsubdirectory split: %d.\n", r.Home, split)
}

// ids shows the numbers of users and groups in qmail's order.
func (r Report) ids(w *bufio.Writer) {
	users, groups := []string{}, []string{}
	for _, name := range ids.Users {
		users = append(users, number(r.Accounts.UID(name)))
	}
	for _, name := range []string{"nofiles", "qmail"} {
		groups = append(groups, number(r.Accounts.GID(name)))
	}
	fmt.Fprintf(w, "user ids: %s.\ngroup ids: %s.\n", strings.Join(users, ", "), strings.Join(groups, ", "))
}

func number(id int, err error) string {
	if err != nil {
		return "none"
	}
	return fmt.Sprint(id)
}

// shower shows control files one by one.
type shower struct {
	w         *bufio.Writer
	files     *control.Folder
	folder    string
	rcpthosts bool // rcpthosts is there, perhaps unreadable
}

const (
	trouble    = "Oops! Trouble reading this file.\n"
	byDefault  = "(Default.) "
	unknownDoc = "I have no idea what this file does."
)

func (s *shower) entry(e entry) {
	fmt.Fprintf(s.w, "\n%s: ", e.name)
	switch {
	case e.name == cdb:
		s.w.WriteString(s.compiled())
	case e.name == "morercpthosts" && !s.rcpthosts:
		s.list(irrelevant)
	case e.kind == control.List:
		there := s.list(e)
		s.rcpthosts = there && e.name == "rcpthosts" || s.rcpthosts
	case e.kind == control.Number:
		s.number(e)
	default:
		s.line(e)
	}
}

func (s *shower) line(e entry) {
	line, there, err := s.files.Given(e.name)
	if err == nil && !there {
		s.w.WriteString(byDefault)
		if line = e.none; line == "" {
			line, err = s.files.Line(e.name)
		}
	}
	if err != nil {
		s.w.WriteString(trouble)
		return
	}
	fmt.Fprintf(s.w, "%s%s%s.\n", e.before, safe(line), e.after)
}

func (s *shower) number(e entry) {
	_, there, err := s.files.GivenNumber(e.name)
	n, err2 := s.files.Number(e.name)
	if err != nil || err2 != nil {
		s.w.WriteString(trouble)
		return
	}
	if !there {
		s.w.WriteString(byDefault)
	}
	fmt.Fprintf(s.w, "%s%d%s.\n", e.before, n, e.after)
}

// list reports whether there is such a file.
func (s *shower) list(e entry) bool {
	lines, err := given(s.files, s.folder, e.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.w.WriteString(byDefault + e.none + "\n")
		return false
	case err != nil:
		s.w.WriteString(trouble)
		return true
	}
	s.w.WriteString("\n")
	for _, line := range lines {
		line, _ = control.Shown(e.name, line)
		s.w.WriteString(e.before + safe(line) + e.after + "\n")
	}
	return true
}

// given is the lines of a list, without regard to its default.
func given(files *control.Folder, folder, name string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
		return nil, err
	}
	lines, _, err := files.List(name)
	return lines, err
}

// compiled says whether the table that qmail-newmrh makes is up to date.
func (s *shower) compiled() string {
	text, err1 := os.Stat(filepath.Join(s.folder, "morercpthosts"))
	table, err2 := os.Stat(filepath.Join(s.folder, cdb))
	switch {
	case err1 != nil && err2 != nil:
		return byDefault + "No effect.\n"
	case err1 != nil:
		return "Oops! morercpthosts.cdb exists but morercpthosts doesn't.\n"
	case err2 != nil:
		return "Oops! morercpthosts exists but morercpthosts.cdb doesn't.\n"
	case text.ModTime().Unix() > table.ModTime().Unix():
		return "Oops! morercpthosts.cdb is older than morercpthosts.\n"
	}
	return "Modified recently enough; hopefully up to date.\n"
}

// others shows the files that qmail does not know, if they are there.
func (s *shower) others() error {
	names, err := os.ReadDir(s.folder)
	if err != nil {
		return err
	}
	for _, f := range names {
		name := f.Name()
		if slices.ContainsFunc(entries, func(e entry) bool { return e.name == name }) {
			continue
		}
		i := slices.IndexFunc(control.Files, func(f control.File) bool { return f.Name == name })
		switch {
		case i >= 0:
			file := control.Files[i]
			s.entry(entry{name: name, kind: file.Kind, after: after(file)})
		case lint.More[name] != "":
			fmt.Fprintf(s.w, "\n%s: %s.\n", name, lint.More[name])
		default:
			fmt.Fprintf(s.w, "\n%s: %s\n", safe(name), unknownDoc)
		}
	}
	return nil
}

// after tells what a value means.
func after(f control.File) string {
	if f.Kind == control.List {
		return ""
	}
	return " (" + f.Doc + ")"
}

// safe keeps what is in files from being obeyed by a terminal.
func safe(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}
