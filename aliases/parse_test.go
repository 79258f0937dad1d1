package aliases

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// example is the one in the package documentation.
const example = `# people
postmaster: root
root:       kim, "|logger -t root", /var/log/rootmail
staff:      :include:/etc/staff,
            "ann lee"@example.org (Ann)
owner-staff: kim
`

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       []Entry
	}{
		{"example", example, []Entry{
			{"postmaster", []Target{{Address, "root"}}, 2},
			{"root", []Target{{Address, "kim"}, {Program, "logger -t root"}, {File, "/var/log/rootmail"}}, 3},
			{"staff", []Target{{Include, "/etc/staff"}, {Address, "ann lee@example.org"}}, 4},
			{"owner-staff", []Target{{Address, "kim"}}, 6},
		}},
		{"nothing", "", nil},
		{"comments", "# a\n  # b\n\t\n\na: b # c, d\n# in between\n , e\n", []Entry{{"a", []Target{{Address, "b"}, {Address, "e"}}, 5}}},
		{"case", "POSTMASTER : Root", []Entry{{"postmaster", []Target{{Address, "Root"}}, 1}}},
		{"quoted name", `"a: b, \"c\"" : d`, []Entry{{`a: b, "c"`, []Target{{Address, "d"}}, 1}}},
		{"hosts in names", "@example.org: a\nb@example.org: c", []Entry{{"@example.org", []Target{{Address, "a"}}, 1}, {"b@example.org", []Target{{Address, "c"}}, 2}}},
		{"first one counts", "a: b\nA: c\n", []Entry{{"a", []Target{{Address, "b"}}, 1}}},
		{"programs", `a: "|b \"c, d\"", |"e, f", |g "h, i" j` + "\n", []Entry{{"a", []Target{{Program, `b "c, d"`}, {Program, "e, f"}, {Program, `g "h, i" j`}}, 1}}},
		{"files", "a: /b, /c/, \"/d e\"", []Entry{{"a", []Target{{File, "/b"}, {File, "/c/"}, {File, "/d e"}}, 1}}},
		{"includes", "a: :include:/b, \":include:/c d\", :include:\"/e f\"", []Entry{{"a", []Target{{Include, "/b"}, {Include, "/c d"}, {Include, "/e f"}}, 1}}},
		{"final", `a: \a, \b@c`, []Entry{{"a", []Target{{Final, "a"}, {Final, "b@c"}}, 1}}},
		{"words", `a: Kim Lee <kim@b>, "Lee, K." <lee@b> (x, y), <z>`, []Entry{{"a", []Target{{Address, "kim@b"}, {Address, "lee@b"}, {Address, "z"}}, 1}}},
		{"as in Exim", "a: :blackhole:\nb: c, :fail: gone, \"ask\" (Bob)\nd: :defer:\n", []Entry{
			{"a", []Target{{File, "/dev/null"}}, 1},
			{"b", []Target{{Address, "c"}, {Fail, `gone, "ask" (Bob)`}}, 2},
			{"d", []Target{{Defer, "Mail for this address has to wait."}}, 3}}},
		{"empty members", "a: ,, b , (nobody),", []Entry{{"a", []Target{{Address, "b"}}, 1}}},
		{"sign in an address", "a: b#c, d\n", []Entry{{"a", []Target{{Address, "b#c"}, {Address, "d"}}, 1}}},
		{"CR LF", "a: b\r\nc: d\r\n", []Entry{{"a", []Target{{Address, "b"}}, 1}, {"c", []Target{{Address, "d"}}, 2}}},
	}
	for _, tt := range tests {
		got, _, err := Parse(tt.text)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v, want %+v", tt.name, got, err, tt.want)
		}
	}
	if _, twice, err := Parse("a: b\nc: d\na: e\nC: f\n"); err != nil || !slices.Equal(twice, []int{3, 4}) {
		t.Errorf("lines %v come too late, %v, want 3 and 4", twice, err)
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a: b\nkim\n":      "line 2: bad format: no colon after a name",
		" a: b\n":          "line 1: bad format: continues nothing",
		": b\n":            "line 1: bad format: no name before the colon",
		"a b: c\n":         "line 1: bad format: no name before the colon",
		"a:\n":             "line 1: bad format: a name without targets",
		"a: (only this)\n": "line 1: bad format: a name without targets",
		"a: b c\n":         "line 1: bad format: not an address",
		"a: @b\n":          "line 1: bad format: not an address",
		"a: :unknown:\n":   "line 1: bad format: not an address",
		"a: b;\n":          "line 1: bad format: not an address",
		"a: <>\n":          "line 1: bad format: not an address",
		"a: <b\n":          "line 1: bad format: no > after <",
		"a: \"b\n":         "line 1: bad format: a quote or bracket that is not closed",
		"a: (b\n":          "line 1: bad format: a quote or bracket that is not closed",
		"a: b)\n":          "line 1: bad format: a ) without its (",
		"a: |\n":           "line 1: bad format: no command after |",
		"a: \"|\"\n":       "line 1: bad format: no command after |",
		"a: :include:b\n":  "line 1: bad format: the name of an included file must begin with a slash",
		"a: b\x00c\n":      "line 1: bad format: a control character",
		"a: " + strings.Repeat("b,\n ", MaxLine/2): "line 1: bad format: too long",
	} {
		_, _, err := Parse(text)
		if !errors.Is(err, ErrFormat) || err.Error() != want {
			t.Errorf("%.20q: %v, want %s", text, err, want)
		}
	}
}

func TestParseList(t *testing.T) {
	got, err := ParseList("# mine\n\\kim, ann@example.org\n\n\"|vacation kim\"\n  bob # friend\n")
	want := []Target{{Final, "kim"}, {Address, "ann@example.org"}, {Program, "vacation kim"}, {Address, "bob"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if _, err := ParseList("a\nb c\n"); err == nil || err.Error() != "line 2: bad format: not an address" {
		t.Error(err)
	}
	if _, err := ParseList(strings.Repeat("a,b\n", MaxTargets)); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

// quoted writes a target so that it is read back as it is.
func quoted(t Target) string {
	q := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	switch t.Kind {
	case Program:
		return `"|` + q.Replace(t.Text) + `"`
	case Include:
		return `":include:` + q.Replace(t.Text) + `"`
	}
	return `"` + q.Replace(t.Text) + `"`
}

// What is read and written again is read as the same; nothing that comes out could
// end a record of the compiled table or add a line anywhere.
func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("a: |\"b\", \\c, <d>,\n (e) f\n")
	f.Add("\"\\a\": \"\\\\b\", \"/c\"")
	f.Fuzz(func(t *testing.T, text string) {
		entries, _, err := Parse(text)
		if err != nil {
			return
		}
		for _, e := range entries {
			var list []string
			for _, target := range e.Targets {
				if target.Text == "" || strings.ContainsAny(target.Text, "\x00\n") {
					t.Fatalf("%q has target %q", text, target)
				}
				if target.Kind == Final || target.Kind == Fail || target.Kind == Defer || target.Text[0] == '|' || target.Text[0] == '/' && target.Kind != File || strings.HasPrefix(target.Text, ":include:") || target.Text[0] == '\\' {
					continue // looks like another kind once it is quoted
				}
				list = append(list, quoted(target))
			}
			if len(list) == 0 || len(e.Name) == 0 || strings.Contains(e.Name, "\t") {
				continue
			}
			line := quoted(Target{Address, e.Name}) + ": " + strings.Join(list, ", ")
			again, _, err := Parse(line)
			if err != nil || len(again) != 1 || again[0].Name != e.Name || len(again[0].Targets) != len(list) {
				t.Fatalf("%q written as %q is read as %+v, %v", text, line, again, err)
			}
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add(pack([]Target{{Address, "a"}, {Include, "/b"}}))
	f.Fuzz(func(t *testing.T, value []byte) {
		list, err := unpack(value)
		if err == nil && string(pack(list)) != string(value) {
			t.Errorf("%q is packed as %q", value, pack(list))
		}
	})
}
