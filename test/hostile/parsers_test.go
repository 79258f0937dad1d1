package hostile

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// parses are the names of functions that take apart what somebody else has made.
var parses = regexp.MustCompile(`^(?i:parse|decode|unpack|scan|unquote|cutpath)|^read(Command|Record|Reply|Envelope|Request|Answer|Address)`)

// notFuzzed are packages with such functions and no fuzz target, and why.
var notFuzzed = map[string]string{
	"internal/maildirs": "lists names, and reads none of them",
}

// TestParsersAreFuzzed looks for packages that parse and have no fuzz target.
func TestParsersAreFuzzed(t *testing.T) {
	functions, targets := map[string][]string{}, map[string]int{}
	top := "../.."
	if _, err := os.Stat(top + "/go.mod"); err != nil {
		t.Skip("the sources are not here: ", err)
	}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		folder, _ := filepath.Rel(top, filepath.Dir(path))
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "test" || strings.HasPrefix(d.Name(), ".") && path != top):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			switch {
			case !ok:
			case strings.HasSuffix(path, "_test.go") && strings.HasPrefix(f.Name.Name, "Fuzz"):
				targets[folder]++
			case !strings.HasSuffix(path, "_test.go") && parses.MatchString(f.Name.Name):
				functions[folder] = append(functions[folder], f.Name.Name)
			}
		}
		return nil
	})
	must(t, err)
	for folder, names := range functions {
		if why := notFuzzed[folder]; targets[folder] == 0 && why == "" {
			t.Errorf("%s has %q and no fuzz target", folder, names)
		}
	}
	for folder := range notFuzzed {
		if targets[folder] > 0 || functions[folder] == nil {
			t.Errorf("%s need not be in the list", folder)
		}
	}
	t.Logf("%d packages parse; %d have fuzz targets", len(functions), len(targets))
}
