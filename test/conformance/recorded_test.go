package conformance

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"goqmail/internal/testbin"
)

var atOnce = flag.Int("at-once", 4, "recorded cases to run at a time")

func TestMain(m *testing.M) {
	if code, is := StandIn(); is {
		os.Exit(code)
	}
	code := m.Run()
	testbin.Remove()
	os.Exit(code)
}

// TestRecordedCases replays every recorded case, on the programs in $Q_BIN or else
// on what it builds. Make runs the command instead, which counts.
func TestRecordedCases(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute or two")
	}
	bin, err := testbin.Dir()
	if err != nil {
		t.Fatal(err)
	}
	r := newTestRunner(t, bin)
	cases := recorded(t)
	if r.Different, err = ReadDifferences("../conformance-differences.txt"); err != nil {
		t.Fatal(err)
	}
	for _, name := range r.Unknown(cases) {
		t.Errorf("conformance-differences.txt: no case is called %s", name)
	}
	for _, result := range r.Start(cases, *atOnce) {
		t.Run(result.Case.ID(), func(t *testing.T) {
			switch result.Wait(); result.Verdict {
			case Failed:
				t.Error(result.Detail)
			case Skipped:
				t.Skip(result.Detail)
			}
		})
	}
}

func recorded(t *testing.T) []*Case {
	t.Helper()
	files, err := filepath.Glob("cases/*.json")
	if err != nil {
		t.Fatal(err)
	}
	cases, err := Load(files...)
	if err != nil || len(cases) == 0 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	return cases
}

func newTestRunner(t *testing.T, bin string) *Runner {
	t.Helper()
	r, err := NewRunner(bin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}
