package conformance

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var (
	bin    = flag.String("bin", "", "folder of the programs to judge (default: they are built)")
	atOnce = flag.Int("at-once", 4, "recorded cases to run at a time")
)

func TestMain(m *testing.M) {
	if code, is := StandIn(); is {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// TestRecordedCases replays every recorded case. Make leaves it out of its unit
// tests, and runs the command instead, which counts.
func TestRecordedCases(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute or two")
	}
	r := newTestRunner(t, programs(t))
	cases := recorded(t)
	var err error
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

// programs returns the folder of the programs to judge.
func programs(t *testing.T) string {
	t.Helper()
	if *bin != "" {
		return *bin
	}
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir+"/", "goqmail/cmd/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
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
