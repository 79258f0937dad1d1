package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// example is the one in the package documentation.
const example = `[{"name": "no-arguments", "prog": "condredirect", "want": {"exit": 100,
  "stderr": "condredirect: usage: condredirect newaddress program arg ...\n"}}]`

func TestParse(t *testing.T) {
	cases, err := parse([]byte(example), "tools-other")
	if err != nil || len(cases) != 1 {
		t.Fatalf("parse(example) = %d cases, %v", len(cases), err)
	}
	c := cases[0]
	if c.ID() != "tools-other/no-arguments" || c.Prog != "condredirect" || c.Want.Exit != 100 {
		t.Errorf("parse(example) = %+v", c)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ name, json, want string }{
		{"no array", `{}`, "cannot unmarshal"},
		{"null", `[null]`, "no name"},
		{"no name", `[{"prog": "x", "want": {}}]`, "no name"},
		{"no recording", `[{"name": "a", "prog": "x"}]`, "nothing is recorded"},
		{"nothing to run", `[{"name": "a", "want": {}}]`, "either a program or steps"},
		{"two things to run", `[{"name": "a", "prog": "x", "steps": [], "want": {}}]`, "either a program or steps"},
		{"unknown field", `[{"name": "a", "prog": "x", "wants": {}}]`, "unknown field"},
		{"wide character", `[{"name": "a", "prog": "x", "stdin": "\u0100", "want": {}}]`, "stands for no byte"},
		{"same name", `[{"name": "a", "prog": "x", "want": {}}, {"name": "a", "prog": "x", "want": {}}]`, "two cases"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := parse([]byte(test.json), "area"); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("parse(%s) fails with %v, want %q", test.json, err, test.want)
			}
		})
	}
}

func TestReadDifferences(t *testing.T) {
	file := filepath.Join(t.TempDir(), "differences")
	os.WriteFile(file, []byte("# comment\n\na/b  because it is better \n"), 0o644)
	got, err := ReadDifferences(file)
	if err != nil || len(got) != 1 || got["a/b"] != "because it is better" {
		t.Errorf("ReadDifferences = %q, %v", got, err)
	}
	os.WriteFile(file, []byte("a/b\n"), 0o644)
	if _, err := ReadDifferences(file); err == nil {
		t.Error("ReadDifferences takes a case without a reason")
	}
}

func FuzzBytes(f *testing.F) {
	f.Add([]byte("\x00\xff\n<&>\"\\"))
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := json.Marshal(Bytes(data))
		if err != nil {
			t.Fatal(err)
		}
		var back Bytes
		if err := json.Unmarshal(text, &back); err != nil || string(back) != string(data) {
			t.Errorf("%q comes back from %s as %q, %v", data, text, back, err)
		}
	})
}

func TestProgramsOfCase(t *testing.T) {
	for _, test := range []struct {
		name string
		c    Case
		want string
	}{
		{"program", Case{Prog: "qmail-local"}, "qmail-local"},
		{"shell line", Case{Prog: "sh", Args: []Bytes{"-c", "echo a | qmail-inject b; (forward x);ls qmail-x"}}, "forward qmail-inject"},
		{"program line", Case{Prog: "qmail-local", Files: map[string]Bytes{".qmail": "|preline cat\n./forward\n"}}, "preline qmail-local"},
		{"steps", Case{Steps: []Step{{Queue: &QueueStep{}}, {Sh: "qmail-qread"}}}, "qmail-qread qmail-queue"},
		{"run", Case{Steps: []Step{{Run: &RunStep{Then: []Step{{Sh: "qmail-qstat"}}}}}}, "qmail-clean qmail-qstat qmail-send"},
		{"run without qmail-clean", Case{Steps: []Step{{Run: &RunStep{Clean: "exit 1"}}}}, "qmail-send"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := strings.Join(test.c.programs(), " "); got != test.want {
				t.Errorf("programs = %q, want %q", got, test.want)
			}
		})
	}
}
