// Package privileges tests that each program has the rights that the table of
// privileges gives it, in doc/security.md, and no others.
package privileges

import (
	"os"
	"testing"

	"goqmail/internal/testbin"
)

// remove are folders to be removed in the end.
var remove []string

func TestMain(m *testing.M) {
	if words, ok := os.LookupEnv(launched); ok {
		os.Exit(launch(words))
	}
	if numbers, ok := os.LookupEnv(bounded); ok {
		os.Exit(runBounded(numbers))
	}
	code := m.Run()
	for _, dir := range remove {
		os.RemoveAll(dir)
	}
	testbin.Remove()
	os.Exit(code)
}
