package control_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"goqmail/control"
)

const page = "../man/qmail-control.5"

// row is a line of the table in the page.
func row(f control.File) string {
	value := f.Default
	switch value {
	case control.DefaultMe:
		value = "me"
	case "":
		value = "none"
	}
	return strings.Join(append([]string{f.Name, string(f.Kind), value}, f.Readers...), " ")
}

// TestPage holds the table of control files and qmail-control(5) together: each
// file has its row there and its paragraph, in the order of the table.
func TestPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var rows, paragraphs []string
	for _, f := range control.Files {
		rows = append(rows, row(f))
		paragraphs = append(paragraphs, f.Name)
	}
	_, table, _ := strings.Cut(string(text), "\n    file ")
	table, rest, ok := strings.Cut(table, "\n.fi\n")
	if !ok {
		t.Fatalf("%s has no table", page)
	}
	table = table[strings.IndexByte(table, '\n')+1:]
	same(t, "table", tidy(table), rows)
	same(t, "paragraphs", named(rest), paragraphs)
}

// tidy returns lines with single blanks in them.
func tidy(table string) []string {
	var lines []string
	for line := range strings.Lines(table) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

// named returns the names that paragraphs begin with, up to the next heading.
func named(text string) []string {
	text, _, _ = strings.Cut(text, "\n.SH ")
	var names []string
	for _, paragraph := range strings.Split(text, "\n.TP\n.I ")[1:] {
		name, body, _ := strings.Cut(paragraph, "\n")
		if body != "" {
			names = append(names, name)
		}
	}
	return names
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("%s: the %s lack %q", page, what, line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("%s: %q in the %s is not in control.Files", page, line, what)
		}
	}
	if !t.Failed() && !slices.Equal(got, want) {
		t.Errorf("%s: the %s are in another order than control.Files", page, what)
	}
}
