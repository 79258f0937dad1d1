package inject

import (
	"slices"
	"strings"
	"testing"
)

func TestScan(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []token
	}{
		{"punctuation", ",@.<>:;", []token{{kind: comma}, {kind: at}, {kind: dot}, {kind: left}, {kind: right}, {kind: colon}, {kind: semi}}},
		{"white space", " \t\r\na\r\n\tb ", []token{{atom, "a"}, {atom, "b"}}},
		{"quoted string", `"a\"b\\c d"`, []token{{quoted, `a"b\c d`}}},
		{"nothing in quotes", `""`, []token{{quoted, ""}}},
		{"comment loses inner brackets", "(a(b)c)", []token{{comment, "abc"}}},
		{"comment with escapes", `(a\)b)`, []token{{comment, "a)b"}}},
		{"literal", "[ 192.0.2.1 ]", []token{{literal, " 192.0.2.1 "}}},
		{"nothing in brackets", "[]", []token{{literal, ""}}},
		{"atoms end at marks", `a"b"(c)[d]`, []token{{atom, "a"}, {quoted, "b"}, {comment, "c"}, {literal, "d"}}},
		{"closing bracket in an atom", "a)b", []token{{quoted, "a)b"}}},
		{"eight bits", "b\xf6b", []token{{quoted, "b\xf6b"}}},
		{"control character", "a\x01", []token{{quoted, "a\x01"}}},
		{"needless escape", `a\b`, []token{{atom, "ab"}}},
		{"needful escape", `a\ b\@c`, []token{{quoted, "a b@c"}}},
		{"escape at the end of a line", "a\\\n b\\", []token{{atom, "a"}, {atom, "b"}}},
		{"nothing but an escape", "\\\n a", []token{{atom, "a"}}},
		{"folded quoted string", "\"a\r\n b\n\tc\\\n d\"", []token{{quoted, "a b\tc d"}}},
		{"folded comment", "(a\n b)", []token{{comment, "a b"}}},
		{"bare CR in quotes", "\"a\rb\\\rc\"", []token{{quoted, "a b c"}}},
	} {
		got, err := scan(nil, tt.text)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: scan(%q) = %q, %v, want %q", tt.name, tt.text, got, err, tt.want)
		}
	}
}

func TestScanUnbalanced(t *testing.T) {
	for _, text := range []string{"(", "(a", "(()", `(\)`, `"`, `"a\"`, `"\`, "[", `[a\]`, ")", "]", "a )", "a ]b"} {
		if got, err := scan(nil, text); err == nil {
			t.Errorf("scan(%q) = %q, want an error", text, got)
		}
	}
}

func TestAppendToken(t *testing.T) {
	for _, tt := range []struct {
		token token
		want  string
	}{
		{token{quoted, `a "b" (c) [d] \ e`}, `"a \"b\" \(c\) \[d\] \\ e"`},
		{token{comment, "a(b"}, `(a\(b)`},
		{token{literal, "1.2.3.4"}, "[1.2.3.4]"},
		{token{quoted, "a\nBcc: b\r"}, `"a Bcc: b "`},
		{token{atom, "a"}, "a"},
		{token{kind: right}, ">"},
	} {
		if got := string(tt.token.appendTo(nil)); got != tt.want {
			t.Errorf("%q is written as %s, want %s", tt.token, got, tt.want)
		}
	}
}

// FuzzScan writes the tokens and reads them again.
func FuzzScan(f *testing.F) {
	f.Add(`Bob B. <bob@far>, "x \"y\"" (z (w)) <@a,@b:c@[1.2.3.4]>, g: a\ b;`)
	f.Add("a\\\n b \"c\r\n d\" \xff\x00)")
	f.Fuzz(func(t *testing.T, text string) {
		toks, err := scan(nil, text)
		if err != nil {
			return
		}
		var out []byte
		for _, tok := range toks {
			if strings.ContainsAny(tok.text, "\r\n") {
				t.Errorf("scan(%q) has a line end in %q", text, tok.text)
			}
			out = append(tok.appendTo(out), ' ')
		}
		if again, err := scan(nil, string(out)); err != nil || !slices.Equal(again, toks) {
			t.Errorf("scan(%q) = %q; written as %q and read again: %q, %v", text, toks, out, again, err)
		}
	})
}
