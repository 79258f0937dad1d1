package control

import (
	"strings"
	"testing"
)

func TestShown(t *testing.T) {
	tests := []struct{ file, line, want string }{
		{"smtproutes", "a:b:587", "a:b:587"},
		{"smtproutes", "a:b:587|user|secret", "a:b:587|user|..."},
		{"smtproutes", "a:b;587|us er|sec|ret", "a:b;587|us er|..."},
		{"smtproutes", "a:b:587 user secret", "a:b:587 user ..."},
		{"smtproutes", "a:b:587||", "a:b:587||"},
		{"qmtproutes", "a:b|user|secret", "a:b|user|..."},
		{"authsenders", "@a:b|user|secret", "@a:b|user|..."},
		{"domaincerts", "a:cert file|key|secret", "a:cert file|key|..."},
		{"domaincerts", "a:cert|key", "a:cert|key"},
		{"smtpusers", "user:plain:secret", "user:..."},
		{"smtpusers", "user", "user"},
		{"locals", "a|b|c d", "a|b|c d"},
	}
	for _, tt := range tests {
		got, ok := Shown(tt.file, tt.line)
		if got != tt.want || ok != (tt.want == tt.line) {
			t.Errorf("Shown(%s, %q) = %q, %v, want %q", tt.file, tt.line, got, ok, tt.want)
		}
	}
}

// FuzzShown: what is shown is the beginning of the line, and the rest of a route
// with a password does not show.
func FuzzShown(f *testing.F) {
	f.Add("a:b:587|user|", "secret")
	f.Add("a:b:587 user ", "se cr|et")
	f.Fuzz(func(t *testing.T, before, secret string) {
		for _, file := range []string{"smtproutes", "authsenders", "domaincerts", "smtpusers", "locals"} {
			text, ok := Shown(file, before+secret)
			if !ok && !strings.HasPrefix(before+secret, strings.TrimSuffix(text, hidden)) || ok && text != before+secret {
				t.Errorf("%s: %q is shown as %q, %v", file, before+secret, text, ok)
			}
		}
	})
}
