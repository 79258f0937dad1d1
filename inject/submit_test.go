package inject

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"goqmail/control"
)

// submitter returns an injector that is Exact, and the setup's control files with
// those of pairs NAME=line.
func submitter(t testing.TB, env ...string) *Injector {
	t.Helper()
	s := setup(t, env...)
	s.Policy = Policy{Exact: true, RefuseNobody: true}
	in, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	in.Recipients = Both
	return in
}

func TestExactFields(t *testing.T) {
	for _, tt := range []struct{ name, in, want, envelope string }{
		{"complete addresses", "To:  A. B. C <a@b.c>,\n\td@e.f (x\\)y) , ,\n", "", "d@e.f a@b.c"},
		{"no host", "To: Bob <bob>,cy\n", "To: Bob <bob@box.dom.example>,cy@box.dom.example\n", "cy@box.dom.example bob@box.dom.example"},
		{"short host", "Cc: a. b. c  <bob@far> (x) , \"q q\" <cy@near.example>\n", "Cc: a. b. c  <bob@far.dom.example> (x) , \"q q\" <cy@near.example>\n", "cy@near.example bob@far.dom.example"},
		{"plus host", "To: bob@a+\n", "To: bob@a.plus.example\n", "bob@a.plus.example"},
		{"comment behind", "To: bob (Bob)\n", "To: bob@box.dom.example (Bob)\n", "bob@box.dom.example"},
		{"dot behind", "To: bob@far.example. (x)\n", "To: bob@far.example (x)\n", "bob@far.example"},
		{"route", "To: <@a.example,@b:bob@far.example>, <@a:cy>\n", "To: <@a.example,@b:bob@far.example>, <@a:cy@box.dom.example>\n", "cy@box.dom.example bob@far.example"},
		{"group", "To: circle : bob@b.c, cy; , dee@e.f\n", "To: circle : bob@b.c, cy@box.dom.example; , dee@e.f\n", "dee@e.f cy@box.dom.example bob@b.c"},
		{"missing commas", "To: a@b.c d@e.f <g@h.i> <j@k.l> m@n.o\n", "To: a@b.c d@e.f <g@h.i>, <j@k.l>, m@n.o\n", "m@n.o j@k.l g@h.i"},
		{"missing comma between mailboxes", "To: a@b.c\n d@e.f\n", "To: a@b.c,\n d@e.f\n", "d@e.f a@b.c"},
		{"letters beyond ASCII", "To: J\xc3\xb6rg <j\xc3\xb6rg@b\xc3\xbc.example>, j\xc3\xb6\n", "To: J\xc3\xb6rg <j\xc3\xb6rg@b\xc3\xbc.example>, j\xc3\xb6@box.dom.example\n", "j\xc3\xb6@box.dom.example j\xc3\xb6rg@b\xc3\xbc.example"},
		{"address as a phrase", "To: bob@b.c <bob@b.c>\n", "", "bob@b.c"},
		{"quoted", "To: \"a b\"@c.d, \"e,f\"\n", "To: \"a b\"@c.d, \"e,f\"@box.dom.example\n", "e,f@box.dom.example a b@c.d"},
		{"literal", "To: bob@[192.0.2.1]\n", "", "bob@[192.0.2.1]"},
		{"odd dots", "To: a..b.@c.d, .e@f.g\n", "", ".e@f.g a..b.@c.d"},
		{"the example of the package", "To: Bob <bob>, circle: cy@far, dee@cs+;, \"eli e\"@far.example (Eli)\n", "To: Bob <bob@box.dom.example>, circle: cy@far.dom.example, dee@cs.plus.example;, \"eli e\"@far.example (Eli)\n",
			"eli e@far.example dee@cs.plus.example cy@far.dom.example bob@box.dom.example"},
		{"twice", "To: a@b.c, A@b.c, a@B.C\nCc: a@b.c\n", "", "a@B.C A@b.c"},
		{"resent", "To: (\nCc: a@b.c\nResent-To: a@b.c\n", "", "a@b.c"},
		{"sender fields that are wrong", "From: a (b\nSender: <\nTo: a@b.c\nReply-To: ;\n", "", "a@b.c"},
		{"sender field", "From: a <b>\nTo: a@b.c\n", "From: a <b@box.dom.example>\nTo: a@b.c\n", "a@b.c"},
		{"Return-Path says nothing", "Return-Path: <x@y.z>\nTo: a@b.c\n", "To: a@b.c\n", "a@b.c"},
		{"Bcc goes", "Bcc: a@b.c,\n d\nX: y\n", "X: y\n", "d@box.dom.example a@b.c"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := &fakeQueue{}
			if err := submitter(t).Queue(strings.NewReader(tt.in), func() (Queue, error) { return q, nil }); err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if want == "" {
				want = tt.in
			}
			if got := q.String(); !strings.HasSuffix(got, "\n"+want) || strings.Contains(got, "not shown") {
				t.Errorf("%q becomes\n%s\nwant\n%s", tt.in, got, want)
			}
			if got, want := strings.ReplaceAll(strings.TrimPrefix(q.envelope, "Fann@box.dom.example T"), " T", " "), tt.envelope; got != want {
				t.Errorf("%q goes to %q, want %q", tt.in, got, want)
			}
		})
	}
}

func TestExactRefusals(t *testing.T) {
	for _, field := range []string{
		"To: b (unclosed", "Cc: <b", "To: b>", "To: \"b", "To: [b", "To: bad@@addr", "To: a@b@c", "To: @b.c", "To: a@", "To: <>", "To: .",
		"To: Bob Smith bob@b.c", "To: bob cy", "To: a@b.c; d@e.f", "To: g: a@b.c", "To: g: h: a@b.c;;", "To: mailto:a@b.c", "To: a@b..c",
		"To: <a b@c.d>", "To: <a@b.c> carl", "Bcc: <a@b.c", "Apparently-To: <", "Resent-To: <", "To: a@b.c\nResent-Cc: <", "To: a\x00b@c.d",
		"To: <@a>", "To: [x]@y.z", "To: : ;", "To: a@\"b.c\"", "To: <a@b.c>>",
	} {
		q := &fakeQueue{}
		err := submitter(t).Queue(strings.NewReader("X: y\n"+field+"\n\nbody\n"), func() (Queue, error) { return q, nil })
		last := field[strings.LastIndexByte(field, '\n')+1:]
		if text, code := Report(err); !errors.Is(err, ErrLine) || code != 100 || !strings.Contains(text, "\n"+last+"\n") {
			t.Errorf("%q: %v, %d, %q", field, err, code, text)
		}
		if q.Len() != 0 || q.envelope != "" {
			t.Errorf("%q: something is queued", field)
		}
	}
	for _, header := range []string{"", "To: ;\n", "To: (\nResent-From: a@b.c\n", "To: undisclosed-recipients:;\n", "To:\n", "To: , ,\n"} {
		err := submitter(t).Queue(strings.NewReader(header), func() (Queue, error) { return nil, io.EOF })
		if header == "To: ;\n" {
			if !errors.Is(err, ErrLine) {
				t.Errorf("%q: %v", header, err)
			}
		} else if !errors.Is(err, ErrNobody) {
			t.Errorf("%q: %v, want nobody", header, err)
		}
	}
}

// TestExactWithoutHeader has recipients as arguments only: what the header says
// need not even be a list.
func TestExactWithoutHeader(t *testing.T) {
	in := submitter(t)
	in.Recipients = Arguments
	if err := in.AddRecipients([]string{"a@b.c, d", "\"x y\"@far (z)", "A@b.c", "a@B.c", "joe@home@far.example", " "}); err != nil {
		t.Fatal(err)
	}
	q := &fakeQueue{}
	if err := in.Queue(strings.NewReader("To: b (\n"), func() (Queue, error) { return q, nil }); err != nil {
		t.Fatal(err)
	}
	if want := "Fann@box.dom.example Ta@b.c Td@box.dom.example Tx y@far.dom.example TA@b.c Tjoe@home@far.example"; q.envelope != want {
		t.Errorf("got %q, want %q", q.envelope, want)
	}
	if !strings.HasSuffix(q.String(), "\nTo: b (\n") {
		t.Errorf("got %q", q.String())
	}
	for _, arg := range []string{"<>", "bad@@addr", "a@", "(", "a@b.@d", "a b", "a b@c@d", "@a@b", "a;b"} {
		if err := in.AddRecipients([]string{arg}); !errors.Is(err, ErrAddress) {
			t.Errorf("recipient %q: %v", arg, err)
		}
	}
}

func TestExactSender(t *testing.T) {
	names := []string{"QMAILNAME=Ann Q", "QMAILHOST=q.example"}
	for _, tt := range []struct{ arg, sender, from string }{
		{"eli@far.example", "eli@far.example", "eli@far.example"},
		{"<eli@far.example>", "eli@far.example", "eli@far.example"},
		{"Eli E <eli@far> (x)", "eli@far.dom.example", "eli@far.dom.example"},
		{"eli@far.example (c)", "eli@far.example", "eli@far.example"},
		{"eli", "eli@box.dom.example", "eli@box.dom.example"},
		{"eli@a+", "eli@a.plus.example", "eli@a.plus.example"},
		{"eli@home@far.example", "eli@home@far.example", "\"eli@home\"@far.example"},
		{"<>", "", "\"Ann Q\" <ann@q.example>"},
		{"", "", "\"Ann Q\" <ann@q.example>"},
	} {
		in := submitter(t, names...)
		if err := in.SetSender(tt.arg); err != nil {
			t.Fatal(err)
		}
		q := &fakeQueue{}
		if err := in.Queue(strings.NewReader("To: a@b.c\n"), func() (Queue, error) { return q, nil }); err != nil {
			t.Fatal(err)
		}
		if got := q.envelope; got != "F"+tt.sender+" Ta@b.c" {
			t.Errorf("sender %q: %q", tt.arg, got)
		}
		if !strings.Contains(q.String(), "\nFrom: "+tt.from+"\n") {
			t.Errorf("sender %q: want from %s:\n%s", tt.arg, tt.from, q.String())
		}
	}
	for _, arg := range []string{"a@b.c, d@e.f", "eli@far.example(", "a@@b", "a@"} {
		if err := submitter(t).SetSender(arg); !errors.Is(err, ErrAddress) {
			t.Errorf("sender %q: %v", arg, err)
		}
	}
}

func TestEncodedNames(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"Ann \"A\" Elk", `"Ann \"A\" Elk"`},
		{"J\xc3\xb6rg", "=?utf-8?q?J=C3=B6rg?="},
		{"J\xf6rg", "=?unknown-8bit?q?J=F6rg?="},
		{"\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6x\xc3\xb6 z", "=?utf-8?q?=C3=B6=C3=B6=C3=B6=C3=B6=C3=B6=C3=B6=C3=B6=C3=B6x?= =?utf-8?q?=C3=B6_z?="},
	} {
		q := &fakeQueue{}
		if err := submitter(t, "NAME="+tt.name).Queue(strings.NewReader("To: a@b.c\n"), func() (Queue, error) { return q, nil }); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(q.String(), "\nFrom: "+tt.want+" <ann@box.dom.example>\n") {
			t.Errorf("%q: want %s:\n%s", tt.name, tt.want, q.String())
		}
	}
}

func TestMasquerade(t *testing.T) {
	names := control.Pairs([]string{"ann@in.example:ann.elk@out.example", "in.example:out.example", ".deep.example:shallow.example", "left.alone:", ":rest.example"})
	for _, tt := range []struct{ sender, want string }{
		{"Ann@IN.example", "ann.elk@out.example"}, {"bob@in.example", "bob@out.example"}, {"bob@a.b.deep.example", "bob@shallow.example"},
		{"bob@deep.example", "bob@rest.example"}, {"bob@left.alone", "bob@left.alone"}, {"", ""}, {"bob", "bob"}, {"list-@[]", "list-@[]"}, {"bob@x", "bob@rest.example"},
	} {
		if got := Masquerade(names, tt.sender); got != tt.want {
			t.Errorf("%q becomes %q, want %q", tt.sender, got, tt.want)
		}
	}
	if got := Masquerade(nil, "a@b.c"); got != "a@b.c" {
		t.Errorf("without a map: %q", got)
	}
	s := setup(t)
	s.Policy = Policy{Exact: true}
	if err := os.WriteFile(filepath.Join(s.Home, "control/masquerade"), []byte("dom.example:no\nbox.dom.example:out.example\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if q, told := queue(t, s, "To: a\n"); told != "" || q.envelope != "Fann@out.example Ta@box.dom.example" || !strings.Contains(q.String(), "From: ann@out.example\n") {
		t.Errorf("%s %s %s", told, q.envelope, q.String())
	}
	s.Policy = Policy{}
	if q, _ := queue(t, s, "To: a\n"); q.envelope != "Fann@box.dom.example Ta@box.dom.example" {
		t.Errorf("qmail-inject obeys control/masquerade: %s", q.envelope)
	}
}

func TestWithoutMe(t *testing.T) {
	for _, tt := range []struct{ host, want string }{
		{"mx.test.example", "Fann@mx.test.example Tcy@far.test.example Tbob@mx.test.example"},
		{"mx", "Fann@mx Tcy@far Tbob@mx"},
	} {
		s := setup(t)
		s.Policy, s.Host = Policy{Exact: true}, func() string { return tt.host }
		if err := os.RemoveAll(filepath.Join(s.Home, "control")); err != nil {
			t.Fatal(err)
		}
		q, told := queue(t, s, "To: bob, cy@far\n")
		if told != "" || q.envelope != tt.want || !strings.Contains(q.String(), ".qmail@"+tt.host+">\n") {
			t.Errorf("%s %s %s", told, q.envelope, q.String())
		}
	}
}

func TestVERP(t *testing.T) {
	in := submitter(t)
	if err := in.SetSender("list@b.c"); err != nil {
		t.Fatal(err)
	}
	in.VERP("+")
	q := &fakeQueue{}
	if err := in.Queue(strings.NewReader("To: a@b.c\n"), func() (Queue, error) { return q, nil }); err != nil || q.envelope != "Flist+@b.c-@[] Ta@b.c" {
		t.Errorf("%v %q", err, q.envelope)
	}
}

// BenchmarkExact is the header of 100,000 recipients that all have to change.
func BenchmarkExact(b *testing.B) {
	var text strings.Builder
	text.WriteString("To: ")
	for i := range 100_000 {
		fmt.Fprintf(&text, "Person %d <person%d>,\n ", i, i)
	}
	in := submitter(b)
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		err := in.Queue(strings.NewReader(text.String()+"\n"), func() (Queue, error) { return discard{io.Discard}, nil })
		if err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzExact checks that what is found in a list is found again in what the list
// becomes, that nothing then changes any more, and that only additions are made.
func FuzzExact(f *testing.F) {
	for _, seed := range []string{"a", "a@b", "A <b@c.d>, e (f)", "g: a, b;, c", "<@a:b@c>", "a@b+ c@d", "\"x\"@y.", "a@[1]", "j\xc3\xb6", "a@b.c\r\n\td@e.f", "\\a@b", "<a@b> <c@d>", "a.@b"} {
		f.Add(seed)
	}
	d := defaults{host: []token{{kind: at}, {atom, "box"}}, domain: []token{{kind: dot}, {atom, "dom"}, {kind: dot}, {atom, "example"}}, plus: []token{{kind: dot}, {atom, "plus"}}}
	parse := func(value string) (string, []string, bool) {
		var found []string
		x := exact{defaults: &d, found: func(a string) error { found = append(found, a); return nil }}
		if x.parse(value) != nil {
			return "", nil, false
		}
		return string(x.appendTo(nil)), found, true
	}
	f.Fuzz(func(t *testing.T, value string) {
		out, found, ok := parse(value)
		if !ok {
			return
		}
		again, foundAgain, ok := parse(out)
		if !ok || again != out || !slices.Equal(found, foundAgain) {
			t.Errorf("%q becomes %q (%q), and that %q (%q), %v", value, out, found, again, foundAgain, ok)
		}
		if strings.ContainsAny(value, "+.") {
			return // may lose them
		}
		rest := out
		for i := range len(value) {
			j := strings.IndexByte(rest, value[i])
			if j < 0 {
				t.Fatalf("%q becomes %q and loses %q", value, out, value[i:])
			}
			rest = rest[j+1:]
		}
	})
}

func FuzzEncode(f *testing.F) {
	f.Add("J\xc3\xb6rg \xf0\x9f\x98\x80 Elk")
	f.Add("J\xf6rg")
	f.Fuzz(func(t *testing.T, name string) {
		for _, word := range encodeWords(name) {
			if len(word) > 75 || !isAtom(strings.NewReplacer(".", "").Replace(word)) || !utf8.ValidString(word) {
				t.Errorf("%q: %q", name, word)
			}
		}
	})
}
