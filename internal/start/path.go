package start

import (
	"fmt"
	"path/filepath"
	"strings"
)

// find looks for a program as execvp(3) does, in the folders of PATH unless its
// name has a slash, and then in one folder more.
func find(program string, env []string, more string) (string, error) {
	if strings.Contains(program, "/") {
		return program, executable(program)
	}
	path := ""
	for _, v := range env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			path = p
		}
	}
	for _, folder := range append(filepath.SplitList(path), more) {
		// Not filepath.Join: an empty entry means the working folder.
		file := folder + "/" + program
		if folder == "" {
			file = "./" + program
		}
		if executable(file) == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("there is no program %s in PATH or in %s", program, more)
}
