package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"goqmail/internal/testbin"
)

// TestMain is the program itself where that is what the environment says, as [measure]
// runs its own program anew.
func TestMain(m *testing.M) {
	if what := os.Getenv(apart); what != "" {
		os.Unsetenv(apart)
		exit(inside(what))
	}
	code := m.Run()
	testbin.Remove()
	os.Exit(code)
}

// TestSmoke gives our system a few messages of each kind, which all have to arrive.
func TestSmoke(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the whole system")
	}
	if os.Getuid() != 0 {
		t.Skip("only root can have a host of its own")
	}
	if out, err := exec.Command("unshare", "--mount", "--pid", "--net", "--uts", "--fork", "true").CombinedOutput(); err != nil {
		t.Skipf("no name spaces here: %v: %s", err, out)
	}
	group, err := controlGroups()
	if err == nil {
		err = os.Mkdir(filepath.Join(group, "bench-test"), 0o755)
		os.Remove(filepath.Join(group, "bench-test"))
	}
	if err != nil {
		t.Skip("no control group can be made: ", err)
	}
	bin, err := testbin.Dir()
	if err != nil {
		t.Fatal(err)
	}
	all := figures{}
	o := order{System: systems[0].name, Bin: bin, Peers: "/nowhere", Scratch: t.TempDir(), Messages: 10, Recipients: 20, AtOnce: 20}
	for _, w := range works {
		o.Works = append(o.Works, w.name)
	}
	if err := measure(t.Context(), o, all.add); err != nil {
		if errors.Is(err, errNoHost) {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	for _, w := range works {
		metric := "rate"
		if w.unit == "" {
			metric = "memory"
		}
		if s, ok := all.spread(o.System, w.name, metric); !ok || s.median <= 0 {
			t.Errorf("%s: %s is %v", w.name, metric, s)
		}
	}
}
