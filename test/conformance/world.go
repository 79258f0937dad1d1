package conformance

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// world is the set of folders that one case runs in.
type world struct {
	runner *Runner
	c      *Case

	top      string // everything below is removed after the case
	home     string // the qmail home
	dir      string // the working folder
	captured string // what the stand-in for qmail-queue was given
	port     string // of the scripted server
	messages messageNames
}

// nobody is the ordinary user that root runs some cases as.
const nobody = 65534

// newWorld makes the folders and plants the files of a case. The folder is to
// be removed even after an error.
func newWorld(r *Runner, c *Case) (*world, error) {
	top, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return nil, err
	}
	w := &world{
		runner: r, c: c, top: top, port: "1",
		home:     filepath.Join(top, "home"),
		dir:      filepath.Join(top, "dir"),
		captured: filepath.Join(top, "captured"),
		messages: newMessageNames(),
	}
	return w, w.makeFolders()
}

func (w *world) makeFolders() error {
	for _, d := range []string{w.home, w.dir, w.captured, w.home + "/control", w.home + "/users", w.home + "/alias"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(w.top, 0o755); err != nil { // for the ordinary user
		return err
	}
	if err := os.Symlink(w.runner.Bin, filepath.Join(w.home, "bin")); err != nil {
		return err
	}
	if w.runner.Link == "" {
		return nil
	}
	os.Remove(w.runner.Link)
	return os.Symlink(w.home, w.runner.Link)
}

// remove takes everything away, whatever modes the case gave it.
func (w *world) remove() {
	filepath.WalkDir(w.top, func(name string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			os.Chmod(name, 0o700)
		}
		return nil
	})
	os.RemoveAll(w.top)
}

// fill puts the names of this world in the place of {dir}, {home} and {port}.
func (w *world) fill(b Bytes) string {
	return strings.NewReplacer("{dir}", w.dir, "{home}", w.home, "{port}", w.port).Replace(string(b))
}

// plant makes the files of the case and gives them their modes.
func (w *world) plant() error {
	if err := w.plantBelow(w.home, w.c.Home); err != nil {
		return err
	}
	if err := w.plantBelow(w.dir, w.c.Files); err != nil {
		return err
	}
	for name, mode := range w.c.Modes {
		bits, err := strconv.ParseUint(mode, 8, 32)
		if err != nil {
			return err
		}
		// Not os.Chmod, which has its own idea of the upper bits.
		if err := syscall.Chmod(filepath.Join(w.dir, name), uint32(bits)); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) plantBelow(root string, files map[string]Bytes) error {
	for name, content := range files {
		path := filepath.Join(root, name)
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := writeFile(path, []byte(w.fill(content)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// age sets back the times of files of the working folder.
func (w *world) age() error {
	for name, seconds := range w.c.Ages {
		then := time.Now().Add(-time.Duration(seconds) * time.Second)
		if err := os.Chtimes(filepath.Join(w.dir, name), then, then); err != nil {
			return err
		}
	}
	return nil
}

// snapshot returns the files below a folder with their contents. The name of a
// folder ends in a slash; symbolic links are left out.
func snapshot(root string) map[string]Bytes {
	found := map[string]Bytes{}
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 || path == root {
			return nil
		}
		name := strings.TrimPrefix(path, root+"/")
		switch {
		case d.IsDir():
			found[name+"/"] = ""
		case !d.Type().IsRegular():
			found[name] = Bytes(d.Type().String())
		default:
			if data, err := os.ReadFile(path); err == nil {
				found[name] = Bytes(data)
			}
		}
		return nil
	})
	return found
}
