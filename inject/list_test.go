package inject

import (
	"slices"
	"strings"
	"testing"

	"goqmail/internal/address"
)

// testDefaults qualify with box, dom.example and plus.example.
func testDefaults(t testing.TB) *defaults {
	t.Helper()
	d := &defaults{}
	for text, tokens := range map[string]*[]token{"@box": &d.host, ".dom.example": &d.domain, ".plus.example": &d.plus} {
		var err error
		if *tokens, err = scan(nil, text); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// parseList reads the value of a To field.
func parseList(d *defaults, value string) (l list, found []string, err error) {
	l = list{defaults: d, found: func(a string) error {
		found = append(found, a)
		return nil
	}}
	err = l.parse(value)
	return l, found, err
}

// TestExample is the example of the package documentation.
func TestExample(t *testing.T) {
	l, found, err := parseList(testDefaults(t), ` Bob <bob>, circle: cy@far, dee@cs+;, "eli e"@far.example (Eli)`+"\n")
	want := "To: Bob <bob@box.dom.example>, circle: cy@far.dom.example,\n" +
		"  dee@cs.plus.example;, \"eli e\"@far.example (Eli)\n"
	if got := string(l.appendField(nil, "To")); got != want || err != nil || l.bad || l.open {
		t.Errorf("the example becomes\n%s(%v), want\n%s", got, err, want)
	}
	wantFound := []string{"eli e@far.example", "dee@cs.plus.example", "cy@far.dom.example", "bob@box.dom.example"}
	if !slices.Equal(found, wantFound) {
		t.Errorf("the example has the recipients %q, want %q", found, wantFound)
	}
}

func TestList(t *testing.T) {
	for _, tt := range []struct {
		name, value, want string
		found             []string
	}{
		{"nothing", "\n", "To:", nil},
		{"empty members", ",a@b.c,,\n", "To: , a@b.c, ,", []string{"a@b.c"}},
		{"phrase with dots", "J. R. Hartley <a@b.c>", "To: J.R.Hartley <a@b.c>", []string{"a@b.c"}},
		{"phrase with a literal", "[x] Bob [y] <a@b.c>", "To: [x] Bob [y] <a@b.c>", []string{"a@b.c"}},
		{"literal before an angle", "a@[1.2.3.4] <b@c.d>", "To: a@[1.2.3.4] <b@c.d>", []string{"b@c.d", "a@[1.2.3.4]"}},
		{"angles without a comma", "<a@b.c><d@e.f> g", "To: <a@b.c> <d@e.f>, g@box.dom.example", []string{"g@box.dom.example", "d@e.f", "a@b.c"}},
		{"comment within angles", "<a@b.c (d)>", "To: <a@b.c (d)>", []string{"a@b.c"}},
		{"comment within angles, incomplete", "<a@b+ (c)>", "To: <a@b (c).plus.example>", []string{"a@b.plus.example"}},
		{"groups", "a: b, c;, d: ;, e", "To: a: b@box.dom.example, c@box.dom.example;, d: ;, e@box.dom.example", []string{"e@box.dom.example", "c@box.dom.example", "b@box.dom.example"}},
		{"group without a comma behind", "a: b@c.d; e@f.g", "To: a: b@c.d;, e@f.g", []string{"e@f.g", "b@c.d"}},
		{"semicolon for a comma", "a@b.c; d@e.f", "To: a@b.c;, d@e.f", []string{"d@e.f", "a@b.c"}},
		{"null address", "Nobody <>", "To: Nobody <>", []string{""}},
		{"comments in angles only", "<(a)>", "To: <(a)>", []string{""}},
		{"only a route", "@a, <@b:>, b@c.d", "To: @a, <@b: >, b@c.d", []string{"b@c.d", "", ""}},
		{"only marks", "., @, <.>", "To: ., @, <.>", []string{"", "", ""}},
		{"route behind a route", "<@a:@b,@c:d@e.f>", "To: <d@e.f>", []string{"d@e.f"}},
		{"comma within angles", "<a,b>", "To: <a, b@box.dom.example>", []string{"a,b@box.dom.example"}},
		{"backslash in an atom", `a\ b@c.d, e\f@g.h`, `To: "a b"@c.d, ef@g.h`, []string{"ef@g.h", "a b@c.d"}},
		{"folded quotes", "\"a\n b\" <c@d.e>", `To: "a b" <c@d.e>`, []string{"c@d.e"}},
	} {
		l, found, err := parseList(testDefaults(t), tt.value)
		if got := string(l.appendField(nil, "To")); got != tt.want+"\n" || err != nil || l.bad || l.open {
			t.Errorf("%s: %q becomes %q, %v, want %q", tt.name, tt.value, got, err, tt.want)
		}
		if !slices.Equal(found, tt.found) {
			t.Errorf("%s: %q has %q, want %q", tt.name, tt.value, found, tt.found)
		}
	}
}

// TestPage has the examples of addresses(5).
func TestPage(t *testing.T) {
	for value, want := range map[string]string{
		"kim.smith@test.example":                               "kim.smith@test.example",
		`"kim".smith@test.example`:                             "kim.smith@test.example",
		"kim . smith (her (not his) address) @ test. example":  "kim.smith@test.example",
		"Kim Smith <kim.smith@test.example>":                   "kim.smith@test.example",
		"<@hub.example,@relay.example:kim.smith@test.example>": "kim.smith@test.example",
		`"kim smith"@test.example`:                             "kim smith@test.example",
		`"k\"s"@test.example`:                                  `k"s@test.example`,
		`"kim..s"@test.example`:                                "kim..s@test.example",
	} {
		if _, found, err := parseList(testDefaults(t), value); err != nil || !slices.Equal(found, []string{want}) {
			t.Errorf("%s has %q, %v, want %q", value, found, err, want)
		}
	}
}

// TestBrokenList has lists that are not rewritten, but lose nobody.
func TestBrokenList(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		found       []string
	}{
		{"three semicolons", "a@x.y; b@x.y; c@x.y", []string{"c@x.y", "b@x.y", "a@x.y"}},
		{"colon without semicolon", "a@x.y, mailto:b@x.y", []string{"b@x.y", "a@x.y"}},
		{"group in a group", "a: b: c@x.y;;, d@x.y", []string{"d@x.y", "c@x.y"}},
		{"closing angle alone", "a@x.y, b@x.y>, c@x.y", []string{"c@x.y", "b@x.y", "a@x.y"}},
		{"closing angle twice", "<a@x.y> b@x.y>", []string{"b@x.y", "a@x.y"}},
		{"opening angle alone", "a@x.y, Bob <b@x.y, c@x.y", []string{"c@x.y", "b@x.y", "a@x.y"}},
		{"opening angle twice", "<a@x.y, <b@x.y>, c@x.y", []string{"c@x.y", "b@x.y", "a@x.y"}},
	} {
		l, found, err := parseList(testDefaults(t), tt.value)
		if err != nil || !l.bad && !l.open {
			t.Errorf("%s: %q is a good list (%v)", tt.name, tt.value, err)
		}
		if !slices.Equal(found, tt.found) {
			t.Errorf("%s: %q has %q, want %q", tt.name, tt.value, found, tt.found)
		}
	}
}

func TestFolding(t *testing.T) {
	fits := strings.Repeat("x", 67-len("@c.d")) + "@c.d" // up to column 78
	for _, tt := range []struct{ name, value, want string }{
		{"fits", "a@b.c, " + fits, "To: a@b.c, " + fits},
		{"does not", "a@b.c, x" + fits, "To: a@b.c,\n  x" + fits},
		{"comma does not", "a@b.c, " + fits + ", d@e.f", "To: a@b.c,\n  " + fits + ", d@e.f"},
		{"long first", fits + fits + ", a@b.c, d@e.f", "To: " + fits + fits + ",\n  a@b.c, d@e.f"},
		{"long last", "a@b.c, " + fits + fits + ",", "To: a@b.c,\n  " + fits + fits + ","},
		{"no blank line", fits + fits + ",\n ", "To: " + fits + fits + ","},
	} {
		l, _, err := parseList(testDefaults(t), tt.value)
		if got := string(l.appendField(nil, "To")); got != tt.want+"\n" || err != nil {
			t.Errorf("%s: %q becomes\n%s(%v) want\n%s", tt.name, tt.value, got, err, tt.want)
		}
	}
}

func TestTooManyTokens(t *testing.T) {
	most := strings.Repeat("a ", maxPart-1)
	for value, want := range map[string]error{most: nil, most + "," + most + ",": nil, most + "a a": errHeaderTooLong} {
		if _, err := parts(value); err != want {
			t.Errorf("%d tokens: %v, want %v", len(value)/2, err, want)
		}
	}
}

// FuzzList reads what it wrote: the list must be the same and name the same
// people.
func FuzzList(f *testing.F) {
	for _, seed := range []string{
		`Bob <bob>, circle: cy@far, dee@cs+;, "eli e"@far.example (Eli)`,
		"a; b, <@x,@y:c@d> (e) f g.h@i. . , @ <@a:> <>",
		"a@.@, b@+, c@[], <(x)>, [y] <z>, <a> b <c>, d\\\n e",
		"<a, b <c> d> e: f",
	} {
		f.Add(seed)
	}
	d := testDefaults(f)
	f.Fuzz(func(t *testing.T, value string) {
		l, found, err := parseList(d, value)
		if err != nil {
			return
		}
		field := string(l.appendField(nil, "To"))
		if strings.ContainsAny(strings.ReplaceAll(strings.TrimSuffix(field, "\n"), "\n  ", ""), "\r\n") {
			t.Fatalf("%q becomes %q, which is no field", value, field)
		}
		if l.bad || l.open {
			return
		}
		l2, found2, err := parseList(d, strings.TrimPrefix(field, "To:"))
		if again := string(l2.appendField(nil, "To")); again != field || err != nil {
			t.Fatalf("%q becomes %q, and that %q, %v", value, field, again, err)
		}
		if !slices.Equal(found2, found) {
			t.Fatalf("%q has %q; written as %q it has %q", value, found, field, found2)
		}
	})
}

// FuzzNobodyLost makes a list of addresses in many forms, and wants them all
// back.
func FuzzNobodyLost(f *testing.F) {
	f.Add("bob\ncy@d\n\"e\" f\n", []byte{0, 1, 2, 3, 4, 5})
	f.Add("a\n\n.b\n\xff(\n\\", []byte{5, 5, 4, 9})
	d := testDefaults(f)
	f.Fuzz(func(t *testing.T, boxes string, forms []byte) {
		var value strings.Builder
		var want []string
		for i, box := range strings.Split(strings.ReplaceAll(boxes, "\r", ""), "\n") {
			form := byte(i)
			if i < len(forms) {
				form = forms[i]
			}
			if form%8 == 5 { // a comma is missing
				want = append(want, "also@far.example")
			}
			want = append(want, box+"@far.example")
			value.WriteString(dress(address.Quote(box+"@far.example"), form))
		}
		slices.Reverse(want)
		if l, found, err := parseList(d, value.String()); err != nil || l.bad || l.open || !slices.Equal(found, want) {
			t.Errorf("%q has %q, %v, want %q", value.String(), found, err, want)
		}
	})
}

// dress writes an address as a member of a list.
func dress(a string, form byte) string {
	switch form % 8 {
	case 1:
		return "A Person <" + a + ">,\n\t"
	case 2:
		return "(before) " + a + " (after (all)),"
	case 3:
		return "group: " + a + ";, "
	case 4:
		return `"q, \"p" <@hub.example,@relay.example:` + a + ">,\r\n "
	case 5:
		return "also@far.example " + a + ","
	case 6:
		return "<" + a + ">\t,"
	case 7:
		return "a: ; " + a + ", , "
	}
	return a + ", "
}
