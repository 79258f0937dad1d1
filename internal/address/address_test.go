package address

import (
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	for _, tt := range []struct{ addr, want string }{
		{"", ""},
		{"joe@host", "joe@host"},
		{"joe", "joe"},
		{"a.b@host", "a.b@host"},
		{"a..b@host", `"a..b"@host`},
		{".a@host", `".a"@host`},
		{"a.@host", `"a."@host`},
		{"@host", `""@host`},
		{"a b@host", `"a b"@host`},
		{`a"b\@host`, `"a\"b\\"@host`},
		{"a@b@host", `"a@b"@host`},
		{"a\nb@host", "\"a\\\nb\"@host"},
		{"\xe9@host", "\"\xe9\"@host"},
		{"a!#$%&'*+-/=?^_`{|}~9Z@host", "a!#$%&'*+-/=?^_`{|}~9Z@host"},
		{"a;b@host", `"a;b"@host`},
		{"joe@[127.0.0.1]", "joe@[127.0.0.1]"},
	} {
		if got := Quote(tt.addr); got != tt.want {
			t.Errorf("Quote(%q) = %q, want %q", tt.addr, got, tt.want)
		}
	}
}

// FuzzQuoteLocal takes the quoting away again.
func FuzzQuoteLocal(f *testing.F) {
	f.Add("joe")
	f.Add(`a "b" \c`)
	f.Fuzz(func(t *testing.T, local string) {
		quoted := QuoteLocal(local)
		if inner, ok := strings.CutPrefix(quoted, `"`); ok {
			inner = strings.TrimSuffix(inner, `"`)
			var plain strings.Builder
			for i := 0; i < len(inner); i++ {
				if inner[i] == '\\' {
					i++
				}
				plain.WriteByte(inner[i])
			}
			quoted = plain.String()
		}
		if quoted != local {
			t.Errorf("QuoteLocal(%q) stands for %q", local, quoted)
		}
	})
}
