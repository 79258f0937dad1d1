package local

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"goqmail/dot-qmail"
)

func TestAddLines(t *testing.T) {
	now := time.Date(2026, 2, 1, 9, 8, 7, 0, time.FixedZone("", 3600))
	tests := []struct {
		name, local, sender string
		want                addedLines
	}{
		{"plain", "kim", "sue@remote.example", addedLines{
			"From sue@remote.example Sun Feb 01 08:08:07 2026\n", "Return-Path: <sue@remote.example>\n", "Delivered-To: kim@test.example\n"}},
		{"bounce", "kim", "", addedLines{
			"From MAILER-DAEMON Sun Feb 01 08:08:07 2026\n", "Return-Path: <>\n", "Delivered-To: kim@test.example\n"}},
		{"blanks", "k m", "a b\tc@x", addedLines{
			"From a-b-c@x Sun Feb 01 08:08:07 2026\n", "Return-Path: <\"a b\tc\"@x>\n", "Delivered-To: k m@test.example\n"}},
		{"newlines", "k\nX: m", "a\nb@x\ny", addedLines{
			"From a-b@x-y Sun Feb 01 08:08:07 2026\n", "Return-Path: <\"a\\_b\"@x_y>\n", "Delivered-To: k_X: m@test.example\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := addLines(dotqmail.Recipient{Local: tt.local, Host: "test.example"}, tt.sender, now); got != tt.want {
				t.Errorf("addLines gives %q, want %q", got, tt.want)
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	d := &Delivery{
		User: "kim", Home: "/home/kim", Sender: "sue@remote.example",
		To: dotqmail.Recipient{Local: "kim-a-b-c-d", Dash: "-", Ext: "a-b-c-d", Host: "x.test.example"},
	}
	caller := []string{"PATH=/bin", "DEFAULT=theirs", "EXT2=theirs", "USERS=all", "USER=root", "USER=other", "odd"}
	plan := &dotqmail.Plan{File: dotqmail.Candidate{Name: ".qmail-a-default", Default: "b-c-d", IsDefault: true}}
	env := environment(caller, d, plan, "new@x", addedLines{"uf\n", "rp\n", "dt\n"})
	want := []string{
		"PATH=/bin", "USERS=all", "odd",
		"USER=kim", "HOME=/home/kim", "LOCAL=kim-a-b-c-d", "HOST=x.test.example", "RECIPIENT=kim-a-b-c-d@x.test.example",
		"SENDER=sue@remote.example", "NEWSENDER=new@x", "DTLINE=dt\n", "RPLINE=rp\n", "UFLINE=uf\n",
		"EXT=a-b-c-d", "EXT2=b-c-d", "EXT3=c-d", "EXT4=d",
		"HOST2=x.test", "HOST3=x", "HOST4=x", "DEFAULT=b-c-d",
	}
	slices.Sort(env)
	slices.Sort(want)
	if !slices.Equal(env, want) {
		t.Errorf("environment is %q, want %q", env, want)
	}
	if env := environment(caller, d, &dotqmail.Plan{}, "", addedLines{}); slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "DEFAULT=") }) {
		t.Errorf("DEFAULT is set: %q", env)
	}
}

func TestLoop(t *testing.T) {
	const line = "Delivered-To: kim@test.example\n"
	tests := []struct {
		name, message string
		want          bool
	}{
		{"empty", "", false},
		{"first", line + "Subject: x\n", true},
		{"later", "Subject: x\n" + line + "\n", true},
		{"after what is no field", "x\n \n" + line, true},
		{"after a CRLF blank line", "x\n\r\n" + line, true},
		{"in the body", "Subject: x\n\n" + line, false},
		{"after an empty first line", "\n" + line, false},
		{"without newline", strings.TrimSuffix(line, "\n"), false},
		{"with CRLF", "Delivered-To: kim@test.example\r\n\n", false},
		{"longer", "Delivered-To: kim@test.example.\n", false},
		{"shorter", "Delivered-To: kim@test.exampl\n", false},
		{"inside a line", "X: " + line, false},
		{"other case", strings.ToLower(line), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for size := 1; size < 40; size++ {
				if got := headerHas(line, tt.message, size); got != tt.want {
					t.Errorf("in pieces of %d: %v, want %v", size, got, tt.want)
				}
			}
		})
	}
}

// headerHas searches a message given in pieces.
func headerHas(line, message string, size int) bool {
	s := headerSearch{line: []byte(line), same: true}
	for len(message) > 0 {
		n := min(size, len(message))
		if s.read([]byte(message[:n])) {
			break
		}
		message = message[n:]
	}
	return s.found
}

func FuzzLoop(f *testing.F) {
	f.Add("ab\n", "x\nab\n\nab\n", 2)
	f.Add("a\n", "aa\na", 1)
	f.Fuzz(func(t *testing.T, line, message string, size int) {
		if line = oneLine(line); line == "\n" {
			return // that ends a header, and no delivery adds it
		}
		want := false
		for l := range strings.SplitAfterSeq(message, "\n") {
			if want = l == line; want || l == "\n" {
				break
			}
		}
		if got := headerHas(line, message, max(size, 1)); got != want {
			t.Errorf("%q in %q: %v, want %v", line, message, got, want)
		}
	})
}

func TestQuote(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", "\n"},
		{"plain", "a\nb\n", "a\nb\n\n"},
		{"no newline", "a", "a\n\n"},
		{"from", "From a\n\nFrom b\n", ">From a\n\n>From b\n\n"},
		{"quoted already", ">From a\n>>>From b\n", ">>From a\n>>>>From b\n\n"},
		{"not at the start", " From a\n> From b\nxFrom c\n", " From a\n> From b\nxFrom c\n\n"},
		{"not it", "From\nFrom:\nFromage\nfrom a\nFrom\ta\nFr>From \n", "From\nFrom:\nFromage\nfrom a\nFrom\ta\nFr>From \n\n"},
		{"cut off", "x\nFrom", "x\nFrom\n\n"},
		{"cut off behind the mark", "From ", ">From \n\n"},
		{"only marks", ">>>", ">>>\n\n"},
		{"after CR", "\rFrom a\n\r\nFrom b\r\n", "\rFrom a\n\r\n>From b\r\n\n"},
		{"nul", "\x00From a\n\x00\nFrom \x00", "\x00From a\n\x00\n>From \x00\n\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for size := 1; size < 12; size++ {
				if got := quote(t, tt.in, size); got != tt.want {
					t.Errorf("in pieces of %d: %q, want %q", size, got, tt.want)
				}
			}
		})
	}
}

func quote(t *testing.T, s string, size int) string {
	var b bytes.Buffer
	q := fromQuoter{w: &b}
	for len(s) > 0 {
		n := min(size, len(s))
		if m, err := q.Write([]byte(s[:n])); m != n || err != nil {
			t.Fatal(m, err)
		}
		s = s[n:]
	}
	if err := q.finish(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// readMbox reads an mbox strictly: every message begins with a From_ line and ends
// with a blank line, and a line with > before From_ loses one. It returns the
// messages without the From_ lines.
func readMbox(mbox string) ([]string, error) {
	var messages []string
	rest := mbox
	for rest != "" {
		line, after, ended := strings.Cut(rest, "\n")
		if !strings.HasPrefix(line, "From ") || !ended {
			return nil, fmt.Errorf("message %d begins with %.40q", len(messages), line)
		}
		rest = after
		var lines []string
		for rest != "" && !strings.HasPrefix(rest, "From ") {
			line, after, ended := strings.Cut(rest, "\n")
			if !ended {
				return nil, fmt.Errorf("message %d ends with %.40q", len(messages), line)
			}
			if strings.HasPrefix(strings.TrimLeft(line, ">"), "From ") {
				line = line[1:]
			}
			lines = append(lines, line+"\n")
			rest = after
		}
		if len(lines) == 0 || lines[len(lines)-1] != "\n" {
			return nil, fmt.Errorf("message %d has no blank line at its end", len(messages))
		}
		messages = append(messages, strings.Join(lines[:len(lines)-1], ""))
	}
	return messages, nil
}

func FuzzQuote(f *testing.F) {
	f.Add("From a\n>From b", "\n\nFrom \n", 3)
	f.Add("", ">>>>", 1)
	f.Add(">>From x\n>Fro", "F\n", 4)
	f.Fuzz(func(t *testing.T, a, b string, size int) {
		size = max(size, 1)
		mbox := "From x\n" + quote(t, a, size) + "From y\n" + quote(t, b, size)
		got, err := readMbox(mbox)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{wholeLines(a), wholeLines(b)}
		if !slices.Equal(got, want) {
			t.Errorf("%q reads as %q, want %q", mbox, got, want)
		}
	})
}

// wholeLines adds the newline that a message in an mbox cannot lack.
func wholeLines(s string) string {
	if s == "" || strings.HasSuffix(s, "\n") {
		return s
	}
	return s + "\n"
}
