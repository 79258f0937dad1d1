// Qmail-explain tells step by step what becomes of mail for an address. See
// qmail-explain(8).
package main

import (
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"goqmail/control"
	"goqmail/dot-qmail"
	"goqmail/explain"
	"goqmail/internal/durable"
	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/getopt"
	"goqmail/internal/home"
	"goqmail/internal/spawn"
	"goqmail/internal/version"
	"goqmail/users"
)

const usage = "qmail-explain: usage: qmail-explain [ -json ] [ -d defaultdelivery ] [ -s sender ] address\n"

func main() { exitcode.Main(run) }

func run() int {
	if version.Answer(os.Args[1:], "qmail-explain", usage, os.Stdout) {
		return exitcode.OK
	}
	s := explain.Sources{Sender: "sender@host", Home: func(name string) dotqmail.Folder { return folder{durable.NewDir(name)} }}
	isJSON := func(arg string) bool { return arg == "-json" || arg == "--json" }
	args := slices.Clone(os.Args[1:])
	asJSON := slices.ContainsFunc(args, isJSON)
	options := getopt.New(slices.DeleteFunc(args, isJSON), "d:s:")
	for letter := options.Next(); letter != 0; letter = options.Next() {
		switch letter {
		case 'd':
			s.ByDefault, s.KnowsDefault = options.Arg, true
		case 's':
			s.Sender = options.Arg
		default:
			return fail(usage)
		}
	}
	if len(options.Rest()) != 1 {
		return fail(usage)
	}
	dir, err := filepath.Abs(home.Dir())
	if err == nil {
		err = os.Chdir(dir)
	}
	if err != nil {
		return fault.Fatal(os.Stderr, "qmail-explain", err)
	}
	s.Control = "control"
	s.Find = find
	if !s.KnowsDefault {
		if s.ByDefault, s.KnowsDefault, err = defaultDelivery("control"); err != nil {
			return fault.Fatal(os.Stderr, "qmail-explain", err)
		}
	}
	return write(s.Address(options.Rest()[0]), asJSON)
}

func fail(text string) int {
	io.WriteString(os.Stderr, text)
	return exitcode.Hard
}

// defaultDelivery reads the instructions that qmail-start is given, if the host keeps
// them where they are kept.
func defaultDelivery(folder string) (text string, ok bool, err error) {
	files, err := control.Open(folder)
	if err != nil {
		return "", false, err
	}
	lines, ok, err := files.List("defaultdelivery")
	return strings.Join(lines, "\n"), ok, err
}

// find finds a user as qmail-lspawn does, but runs qmail-getpw as the caller.
func find(local string) (u users.User, source string, err error) {
	source = "users/cdb"
	getpw := spawn.Getpw{Path: "bin/qmail-getpw", Env: os.Environ(), Limit: 2 * time.Minute}
	finder := users.Finder{Table: "users/cdb", Getpw: func(local string) ([]byte, error) {
		source = "bin/qmail-getpw"
		return getpw.Run(local)
	}}
	u, err = finder.Find(local)
	return u, source, err
}

func write(r *explain.Report, asJSON bool) int {
	var err error
	if asJSON {
		out := json.NewEncoder(os.Stdout)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		err = out.Encode(r)
	} else {
		err = r.WriteText(os.Stdout)
	}
	if err != nil || r.Outcome == explain.Unknown {
		return exitcode.Soft
	}
	return exitcode.OK
}

// folder shows a home to dotqmail.
type folder struct{ durable.FS }

func (f folder) Open(name string) (fs.File, error) {
	file, err := f.FS.Open(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	return file, nil
}
