// Package testbin finds the programs for tests that run them.
package testbin

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// built is the folder that the programs were built in, if they were.
var built string

// Dir returns the absolute path of the folder of the programs: the one that
// $Q_BIN names, or a new one in which they are built, once. A test's TestMain is
// to call [Remove] in the end.
var Dir = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("Q_BIN"); bin != "" {
		bin, err := filepath.Abs(bin)
		if err != nil {
			return "", err
		}
		return bin, note(bin, "")
	}
	var err error
	if built, err = os.MkdirTemp("", "programs"); err != nil {
		return "", err
	}
	if err := os.Chmod(built, 0o755); err != nil { // for tests that become other users
		return "", err
	}
	return built, Build(built, nil, "...")
})

// Build builds programs, by their folders in cmd, into a folder, with flags for go
// build.
func Build(dir string, flags []string, programs ...string) error {
	root, err := module()
	if err != nil {
		return err
	}
	if err := note(root, ".go"); err != nil {
		return err
	}
	args := append([]string{"build", "-o", dir + "/"}, flags...)
	for _, program := range programs {
		args = append(args, "goqmail/cmd/"+program)
	}
	build := exec.Command("go", args...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// Remove takes away what [Dir] has built.
func Remove() {
	if built != "" {
		os.RemoveAll(built)
	}
}

// module is the folder of go.mod.
func module() (string, error) {
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	return filepath.Dir(strings.TrimSpace(string(mod))), err
}

// note looks at every file below a folder whose name ends so. Go test uses an old
// result again unless something that the test itself has looked at has changed;
// what the build looks at, and what the programs are, does not count.
func note(root, suffix string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, suffix) {
			_, err = os.Stat(path)
		}
		return err
	})
}
