package dotqmail

import (
	"reflect"
	"strings"
	"testing"

	"goqmail/internal/fault"
)

// example is the file of the package comment.
const example = `# keep a copy
./Maildir/
|bouncesaying "too much of it" grep -q lottery
&kim@test.example
`

func TestParse(t *testing.T) {
	tests := []struct {
		name, text  string
		forwardOnly bool
		want        []Instruction
	}{
		{"example", example, false, []Instruction{
			{Maildir, "./Maildir/", 2, false},
			{Program, `bouncesaying "too much of it" grep -q lottery`, 3, false},
			{Forward, "kim@test.example", 4, false},
		}},
		{"last line without newline", "./a\n./b", false, []Instruction{{Mbox, "./a", 1, false}, {Mbox, "./b", 2, false}}},
		{"absolute names", "/var/mail/kim\n/home/kim/Maildir/\n", false, []Instruction{
			{Mbox, "/var/mail/kim", 1, false}, {Maildir, "/home/kim/Maildir/", 2, false}}},
		{"hidden file", ".box\n", false, []Instruction{{Mbox, ".box", 1, false}}},
		{"blanks at the end", "./a \t\n|b \n&c\t\nd \n", false, []Instruction{
			{Mbox, "./a", 1, false}, {Program, "b", 2, false}, {Forward, "c", 3, false}, {Forward, "d", 4, false}}},
		{"blanks inside", "./a b\n|  c  d\n& e\n f\n", false, []Instruction{
			{Mbox, "./a b", 1, false}, {Program, "  c  d", 2, false}, {Forward, " e", 3, false}, {Forward, " f", 4, false}}},
		{"carriage return", "./a\r\n", false, []Instruction{{Mbox, "./a\r", 1, false}}},
		{"blank lines later", "#\n\n \t\n./a\n\n", false, []Instruction{{Mbox, "./a", 4, false}}},
		{"comments only", "# a\n#", false, []Instruction{}},
		{"bare words", "Mailbox\nMaildir/\n", false, []Instruction{{Forward, "Mailbox", 1, false}, {Forward, "Maildir/", 2, false}}},
		{"no command", "|\n", false, []Instruction{{Program, "", 1, false}}},
		{"nul", "&a@b\x00 c\n\x00d\n|e \x00\n", false, []Instruction{{Forward, "a@b", 1, false}, {Program, "e", 3, false}}},
		{"list", "./a\n+list\n./b\n|c\n&d\n", false, []Instruction{
			{Mbox, "./a", 1, false}, {Mbox, "./b", 3, true}, {Program, "c", 4, true}, {Forward, "d", 5, false}}},
		{"other plus lines", "+lists\n+list x\n+\n./a\n", false, []Instruction{{Mbox, "./a", 4, false}}},
		{"execute bit", "&a\n./b/\n", true, []Instruction{{Forward, "a", 1, false}, {Maildir, "./b/", 2, true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.text, tt.forwardOnly)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Parse(%q) = %v, %v, want %v", tt.text, got, err, tt.want)
			}
		})
	}
}

func TestParseInvalid(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "", "Uh-oh: first line of .qmail file is blank. (#4.2.1)"},
		{"empty first line", "\n./a\n", "Uh-oh: first line of .qmail file is blank. (#4.2.1)"},
		{"blank first line", " \t\n./a\n", "Uh-oh: first line of .qmail file is blank. (#4.2.1)"},
		{"nul first", "\x00./a\n", "Uh-oh: first line of .qmail file is blank. (#4.2.1)"},
		{"lone ampersand", "./a\n& \n", "Uh-oh: .qmail has a forward line without an address. (#4.2.1)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.text, false)
			if errText(err) != tt.want || fault.IsPermanent(err) {
				t.Errorf("Parse(%q) = %v, %v, want a temporary %q", tt.text, got, err, tt.want)
			}
		})
	}
}

// What was read, written out again, reads the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{example, "", "\n", "& a\x00b\n+list\n./x\n", "|\n..\n/\n", "a\r\n\r\n", "&&\n"} {
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, forwardOnly bool) {
		list, err := Parse(text, forwardOnly)
		if err != nil {
			if fault.IsPermanent(err) {
				t.Errorf("Parse(%q) fails for good: %v", text, err)
			}
			return
		}
		again := "#\n"
		for _, i := range list {
			if strings.ContainsAny(i.Text, "\x00\n") || strings.TrimRight(i.Text, " \t") != i.Text {
				t.Errorf("Parse(%q) has %q", text, i.Text)
			}
			if i.Text == "" && i.Kind != Program {
				t.Errorf("Parse(%q): %s to nowhere", text, i.Kind)
			}
			if forwardOnly && i.Kind != Forward && !i.Forbidden {
				t.Errorf("Parse(%q, true) allows %v", text, i)
			}
			again += i.String() + "\n"
		}
		second, err := Parse(again, false)
		if err != nil || len(second) != len(list) {
			t.Fatalf("Parse(%q) = %v, %v; first it was %v", again, second, err, list)
		}
		for n := range list {
			if second[n].Kind != list[n].Kind || second[n].Text != list[n].Text {
				t.Errorf("%v became %v", list[n], second[n])
			}
		}
	})
}
