package child

import (
	"errors"
	"strings"
	"syscall"
)

const (
	usualPath = "/bin:/usr/bin" // where there is no $PATH
	shell     = "/bin/sh"
	execute   = 1 // X_OK of access(2)
)

// search calls run with the file that argv names: that file if there is a slash in
// its name, otherwise one of that name in each folder of PATH until one can be run.
// An empty folder is the working folder.
func search(argv, env []string, run func(file string, argv []string) error) error {
	if len(argv) == 0 || argv[0] == "" {
		return syscall.ENOENT
	}
	name := argv[0]
	if strings.Contains(name, "/") {
		return runFile(name, argv, run)
	}
	err := error(syscall.ENOENT)
	for _, folder := range strings.Split(pathOf(env), ":") {
		if folder == "" {
			folder = "."
		}
		file := folder + "/" + name
		if missing(syscall.Access(file, execute)) {
			continue // without the cost of a process
		}
		switch e := runFile(file, argv, run); {
		case e == nil:
			return nil
		case errors.Is(e, syscall.EACCES):
			err = e // unless there is another one
		case !missing(e):
			return e
		}
	}
	return err
}

// runFile runs a file, through the shell if it is a script that does not say what
// runs it.
func runFile(file string, argv []string, run func(file string, argv []string) error) error {
	err := run(file, argv)
	if errors.Is(err, syscall.ENOEXEC) {
		return run(shell, append([]string{shell, file}, argv[1:]...))
	}
	return err
}

// missing reports whether an error says that the file is not there.
func missing(err error) bool {
	for _, e := range []error{syscall.ENOENT, syscall.ENOTDIR, syscall.ESTALE, syscall.ENODEV, syscall.ETIMEDOUT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// pathOf is $PATH, of which the first counts.
func pathOf(env []string) string {
	for _, v := range env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			return path
		}
	}
	return usualPath
}
