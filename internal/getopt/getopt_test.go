package getopt

import (
	"reflect"
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
