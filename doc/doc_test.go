// Package doc_test holds the pages in this folder together with what they are about.
package doc_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"goqmail/control"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDifferences compares the table of recorded cases in compat.md with the file
// that the runner of the cases reads.
func TestDifferences(t *testing.T) {
	t.Parallel()
	var want []string
	for line := range strings.Lines(read(t, "../test/conformance-differences.txt")) {
		if name, _, ok := strings.Cut(line, " "); ok && !strings.HasPrefix(line, "#") {
			want = append(want, name)
		}
	}
	_, table, _ := strings.Cut(read(t, "compat.md"), "\n## Recorded cases\n")
	var got []string
	for _, row := range regexp.MustCompile(`(?m)^\| ([a-z0-9-]+/\S+) \|`).FindAllStringSubmatch(table, -1) {
		got = append(got, row[1])
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("compat.md lacks %s", name)
		}
	}
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("compat.md has %s, which is not in conformance-differences.txt", name)
		}
	}
}

// TestDependencies looks for each module of go.mod in dependencies.md.
func TestDependencies(t *testing.T) {
	t.Parallel()
	page := read(t, "dependencies.md")
	modules := regexp.MustCompile(`(?m)^(?:require)?\s+([a-z0-9.-]+\.[a-z]+/\S+) v`).FindAllStringSubmatch(read(t, "../go.mod"), -1)
	if len(modules) == 0 {
		t.Fatal("go.mod has no modules")
	}
	for _, m := range modules {
		if !strings.Contains(page, "\n| "+m[1]+" ") {
			t.Errorf("dependencies.md has no line for %s", m[1])
		}
	}
}

// TestLinks looks for what the pages link to.
func TestLinks(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	link := regexp.MustCompile(`\]\(([^)]+)\)`)
	for _, page := range append(pages, "../README.md") {
		text := read(t, page)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			switch {
			case strings.Contains(target, "://"):
			case target == "":
				if !slices.Contains(anchors(text), anchor) {
					t.Errorf("%s has no heading #%s", page, anchor)
				}
			default:
				file := filepath.Join(filepath.Dir(page), target)
				if _, err := os.Stat(file); err != nil {
					t.Errorf("%s links to %s: %v", page, target, err)
				} else if anchor != "" && !slices.Contains(anchors(read(t, file)), anchor) {
					t.Errorf("%s links to %s, which has no heading #%s", page, target, anchor)
				}
			}
		}
	}
}

// anchors are the names of a page's headings in links.
func anchors(text string) []string {
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// TestOverview looks for each man page in qmail(7).
func TestOverview(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../man/*.[1-8]")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	overview := strings.ReplaceAll(read(t, "../man/qmail.7"), `"`, "")
	for _, page := range pages {
		base := filepath.Base(page)
		section := filepath.Ext(base)[1:]
		name := strings.TrimSuffix(base, "."+section)
		if base != "qmail.7" && !strings.Contains(overview, " "+name+" ("+section+")") {
			t.Errorf("qmail(7) does not name %s(%s)", name, section)
		}
	}
}

// TestIndex looks for each page in README.md of the sources.
func TestIndex(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	index := read(t, "../README.md")
	for _, page := range pages {
		if !strings.Contains(index, "](doc/"+page+")") {
			t.Errorf("README.md does not lead to doc/%s", page)
		}
	}
}

// These find what a page names as a program of ours, or as a control file, within
// its code.
var (
	code     = regexp.MustCompile("(?s)```.*?```|`[^`\n]+`")
	programs = regexp.MustCompile(`(?:^|[^A-Za-z0-9_./*-])(?:/var/qmail/)?(?:bin/)?(qmail-[a-z0-9]+|qmailctl)\b`)
	controls = regexp.MustCompile(`control/([a-z]+)\b(\.go)?`)
)

// TestNames looks for each program and each control file that the pages name, so that
// nobody is told to use what is not there.
func TestNames(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	found := 0
	for _, page := range append(pages, "../README.md") {
		if page == "compat.md" { // it has what others have, too
			continue
		}
		for _, text := range code.FindAllString(read(t, page), -1) {
			for _, m := range programs.FindAllStringSubmatch(text, -1) {
				found++
				if !isProgram(m[1]) {
					t.Errorf("%s names a program %s: %s", page, m[1], text)
				}
			}
			for _, m := range controls.FindAllStringSubmatch(text, -1) {
				found++
				if m[2] != ".go" && !isControl(m[1]) {
					t.Errorf("%s names a control file %s: %s", page, m[1], text)
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d names were found", found)
	}
}

// isProgram reports whether there is such a program, a page about it, or, as for the
// servers that run scripts start, a service.
func isProgram(name string) bool {
	for _, pattern := range []string{"../cmd/" + name, "../man/" + name + ".[1-8]", "../packaging/systemd/go" + name + ".*"} {
		if files, err := filepath.Glob(pattern); err == nil && len(files) > 0 {
			return true
		}
	}
	return false
}

// isControl reports whether there is such a control file. Those that are no lists,
// lines or numbers are not in the table.
func isControl(name string) bool {
	return slices.ContainsFunc(control.Files, func(f control.File) bool { return f.Name == name }) ||
		slices.Contains([]string{"servercert", "servercerts", "clientcert", "clientca", "clientcrl", "tlshosts", "notlshosts"}, name)
}
