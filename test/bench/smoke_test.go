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

// hosts returns the folder of the programs, if a system can have a host of its own here.
func hosts(t *testing.T) (bin string) {
	t.Helper()
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
	if bin, err = testbin.Dir(); err != nil {
		t.Fatal(err)
	}
	return bin
}

// TestSmoke gives our system a few messages of each kind, which all have to arrive.
func TestSmoke(t *testing.T) {
	bin := hosts(t)
	all := figures{}
	o := order{System: systems[0].name, Bin: bin, Peers: "/nowhere", Scratch: t.TempDir(), Messages: 10, ToDomains: 10, Recipients: 20, AtOnce: 20}
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

// TestFullQueue has a queue of a few hundred messages in place of a million.
func TestFullQueue(t *testing.T) {
	c := config{bin: hosts(t), peers: "/nowhere", scratch: t.TempDir(), inQueue: 300, split: 7, messages: 20}
	all := figures{}
	err := c.full(t.Context(), all.add)
	if errors.Is(err, errNoHost) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for row, metric := range map[string]string{
		rowNone: "rate", rowFew: "ended", rowReading: "rate", rowCold: "first", rowWarm: "first",
		rowLater: "rate", rowDueCold: "ended", rowDueWarm: "ended",
	} {
		if s, ok := all.spread(systems[0].name, row, metric); !ok || s.median <= 0 {
			t.Errorf("%s: %s is %v", row, metric, s)
		}
	}
	if left, _ := os.ReadDir(c.scratch); len(left) > 0 {
		t.Errorf("%s is left", left[0].Name())
	}
}
