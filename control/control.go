// Package control reads the files in the folder control of the home,
// qmail-control(5).
//
// # File format
//
// A file is a value. There are three kinds:
//
//   - [Line]: the first line;
//   - [Number]: the decimal digits that the first line begins with;
//   - [List]: every line, but for empty ones and those that begin with #.
//
// Blanks, tabs and newlines at the end of a line do not count; everything else
// does, leading blanks and carriage returns included. The last line needs no
// newline. A missing file stands for a default; a file that cannot be read is an
// error, and no program goes on after it. For instance control/locals:
//
//	# this host
//	mx.example.org
//	example.org
//
// All files with their defaults are in one table, [Files].
package control

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// Folder is a folder of control files.
type Folder struct {
	path  string
	me    string
	hasMe bool
	null  bool // see NullClient
}

// Open returns the control files in the folder called path. It reads me, which
// other files take their default from, and fails if that is there but cannot be
// read.
func Open(path string) (*Folder, error) {
	f := &Folder{path: path}
	var err error
	f.me, f.hasMe, err = f.first("me")
	return f, err
}

// Me returns the host's name from control/me; ok is false if there is no such file.
func (f *Folder) Me() (me string, ok bool) { return f.me, f.hasMe }

// NullClient lets a host that only hands its mail to another one do without me: if
// that is missing, and smtproutes has a route for all hosts, a line that begins with
// a colon, me is what host returns. Such a host has no locals, unless it has the
// file: all mail goes away.
func (f *Folder) NullClient(host func() string) error {
	if f.hasMe {
		return nil
	}
	routes, _, err := f.List("smtproutes")
	if route, _ := Pairs(routes).Get(""); err != nil || trim(route) == "" {
		return err
	}
	f.me, f.hasMe, f.null = host(), true, true
	return nil
}

// Line returns the first line of a file of kind [Line], or its default.
func (f *Folder) Line(name string) (string, error) {
	line, ok, err := f.Given(name)
	if err != nil || ok {
		return line, err
	}
	return f.Default(name)
}

// Default returns what is the line of a file of kind [Line] that is not there.
func (f *Folder) Default(name string) (string, error) {
	file, err := find(name, Line)
	switch {
	case err != nil:
		return "", err
	case file.Default == DefaultMe && f.hasMe:
		return f.me, nil
	case file.Default == DefaultMe:
		return name, nil // Compat: without me, a host is called after its file
	}
	return file.Default, nil
}

// Given returns the first line of a file of kind [Line]; ok is false if there is
// no such file, whatever its default.
func (f *Folder) Given(name string) (line string, ok bool, err error) {
	if _, err := find(name, Line); err != nil {
		return "", false, err
	}
	return f.first(name)
}

// Number returns the number in a file of kind [Number], or its default, which may
// be another file's number, if there is no such file or it does not begin with a
// digit. What is more than an int holds is the largest int32.
func (f *Folder) Number(name string) (int, error) {
	file, err := find(name, Number)
	if err != nil {
		return 0, err
	}
	n, ok, err := f.GivenNumber(name)
	if err != nil || ok {
		return n, err
	}
	if n, ok := leadingNumber(file.Default); ok || file.Default == "" {
		return n, nil
	}
	return f.Number(file.Default)
}

// GivenNumber returns the number in a file of kind [Number]; ok is false if there is
// no such file or it does not begin with a digit, whatever its default.
func (f *Folder) GivenNumber(name string) (n int, ok bool, err error) {
	if _, err := find(name, Number); err != nil {
		return 0, false, err
	}
	line, _, err := f.first(name)
	if err != nil {
		return 0, false, err
	}
	n, ok = leadingNumber(line)
	return n, ok, nil
}

// List returns the lines of a file of kind [List]. Ok is false if there is no
// such file and no default.
func (f *Folder) List(name string) (lines []string, ok bool, err error) {
	file, err := find(name, List)
	if err != nil {
		return nil, false, err
	}
	data, err := os.ReadFile(filepath.Join(f.path, name))
	if errors.Is(err, fs.ErrNotExist) {
		switch {
		case file.Default == DefaultMe && f.null:
			return nil, true, nil
		case file.Default == DefaultMe && f.hasMe:
			return []string{f.me}, true, nil
		}
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return ParseList(string(data)), true, nil
}

// ParseList returns the lines of a file of kind [List].
func ParseList(text string) []string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		line = trim(line)
		if line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

// first returns the first line of a file.
func (f *Folder) first(name string) (line string, ok bool, err error) {
	data, err := os.ReadFile(filepath.Join(f.path, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	line, _, _ = strings.Cut(string(data), "\n")
	return trim(line), true, nil
}

func trim(line string) string { return strings.TrimRight(line, " \t\n") }

func leadingNumber(s string) (int, bool) {
	n, digits := 0, 0
	for ; digits < len(s) && s[digits] >= '0' && s[digits] <= '9'; digits++ {
		n = min(n*10+int(s[digits]-'0'), math.MaxInt32)
	}
	return n, digits > 0
}

func find(name string, kind Kind) (File, error) {
	for _, file := range Files {
		if file.Name == name && file.Kind == kind {
			return file, nil
		}
	}
	return File{}, fmt.Errorf("control/%s: not in the table of control files", name)
}
