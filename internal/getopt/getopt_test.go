package getopt

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestNext(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want []string // letter and argument of each option
		rest []string
	}{
		{"none", []string{"a", "-n"}, nil, []string{"a", "-n"}},
		{"bundled", []string{"-nN", "a"}, []string{"n", "N"}, []string{"a"}},
		{"attached", []string{"-nfx@y", "a"}, []string{"n", "fx@y"}, []string{"a"}},
		{"apart", []string{"-f", "x", "-n"}, []string{"fx", "n"}, []string{}},
		{"empty argument", []string{"-f", "", "a"}, []string{"f"}, []string{"a"}},
		{"end", []string{"-n", "--", "-N"}, []string{"n"}, []string{"-N"}},
		{"single dash is an argument", []string{"-", "-n"}, nil, []string{"-", "-n"}},
		{"unknown", []string{"-z"}, []string{"?z"}, []string{}},
		{"colon is no option", []string{"-:"}, []string{"?:"}, []string{}},
		{"argument missing", []string{"-f"}, []string{"?f"}, []string{}},
	}
	for _, tt := range tests {
		p := New(tt.args, "nNf:")
		var got []string
		for letter := p.Next(); letter != 0; letter = p.Next() {
			got = append(got, string(letter)+p.Arg)
		}
		if !reflect.DeepEqual(got, tt.want) || !reflect.DeepEqual(append([]string{}, p.Rest()...), tt.rest) {
			t.Errorf("%s: %q gives %q and %q, want %q and %q", tt.name, tt.args, got, p.Rest(), tt.want, tt.rest)
		}
	}
}

// Whatever the arguments are, there is an end to the options, each is one of the spec or
// said to be none, and what is left is the end of the arguments.
func FuzzNext(f *testing.F) {
	f.Add("-nfx@y\x00-f\x00--\x00-N\x00a")
	f.Add("-z\x00-\x00")
	f.Fuzz(func(t *testing.T, text string) {
		args := strings.Split(text, "\x00")
		p := New(args, "nNf:")
		for n := 0; ; n++ {
			letter := p.Next()
			if letter == 0 {
				break
			}
			if !strings.ContainsRune("nNf?", rune(letter)) || n > len(text) {
				t.Fatalf("option %d of %q is %q", n, args, letter)
			}
		}
		if rest := p.Rest(); !slices.Equal(rest, args[len(args)-len(rest):]) {
			t.Errorf("of %q %q is left", args, rest)
		}
	})
}
