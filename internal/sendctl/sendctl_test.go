package sendctl

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseRequest(t *testing.T) {
	for line, want := range map[string]Request{
		"active":               {Verb: Active},
		"hold 1311041 1311057": {Hold, []uint64{1311041, 1311057}, nil},
		"hold 1311041 1311057@1795240847000000000": {Hold, []uint64{1311041, 1311057}, []int64{0, 1795240847000000000}},
	} {
		got, err := ParseRequest(line)
		if err != nil || got.Verb != want.Verb || !slices.Equal(got.Numbers, want.Numbers) || got.ChangedAt(1) != want.ChangedAt(1) || got.String() != line {
			t.Errorf("ParseRequest(%q) = %v, %v, want %v", line, got, err, want)
		}
	}
	for _, line := range []string{"", " 1", "hold ", "hold x", "hold 01", "hold +1", "hold 1  2", "hold 99999999999999999999", "hold 1@", "hold 1@0", "hold 1@-1", "hold 1@x", "hold @1",
		"hold" + strings.Repeat(" 1", MaxNumbers+1)} {
		if got, err := ParseRequest(line); err == nil {
			t.Errorf("ParseRequest(%q) = %v", line, got)
		}
	}
}

func TestParseAnswer(t *testing.T) {
	for line, want := range map[string]Answer{
		"1311057 gone":      {1311057, Gone},
		"1311041 remote 17": {1311041, "remote 17"},
		"3 !no space":       {3, Refused("no space")},
	} {
		if got, err := ParseAnswer(line); err != nil || got != want || got.String() != line {
			t.Errorf("ParseAnswer(%q) = %v, %v, want %v", line, got, err, want)
		}
	}
	for _, line := range []string{"", "1", "1 ", "x ok", ". ok"} {
		if got, err := ParseAnswer(line); err == nil {
			t.Errorf("ParseAnswer(%q) = %v", line, got)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add("hold 1311041 1311057")
	f.Add("active")
	f.Fuzz(func(t *testing.T, line string) {
		if r, err := ParseRequest(line); err == nil && r.String() != line {
			t.Errorf("%q is read as %q", line, r)
		}
		if a, err := ParseAnswer(line); err == nil && clean(line) == line && a.String() != line {
			t.Errorf("%q is read as %q", line, a)
		}
	})
}

// The example of the package documentation, over sockets with a short and a long path.
func TestTalk(t *testing.T) {
	short, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(short)
	long := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	if err := os.MkdirAll(long, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(short, "command"), filepath.Join(long, "command")} {
		if _, err := Dial(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("without a socket: %v", err)
		}
		l, err := Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		go answer(l)
		c, err := Dial(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Greet(); err != nil {
			t.Fatal(err)
		}
		var got []Answer
		if err := c.Ask(Request{Verb: Hold, Numbers: []uint64{1311041, 1311057}}, func(a Answer) { got = append(got, a) }); err != nil {
			t.Fatal(err)
		}
		if want := []Answer{{1311057, Gone}, {1311041, OK}}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		var refused *RefusedError
		if err := c.Ask(Request{Verb: Active}, nil); !errors.As(err, &refused) || refused.Reason != Busy {
			t.Errorf("got %v", err)
		}
		c.Close()
		l.Close()
	}
}

func answer(l *Listener) {
	c, err := l.Accept()
	if err != nil {
		return
	}
	c.WriteLines(Greeting)
	c.ReadLine()
	c.WriteLines("1311057 gone", "1311041 ok", ".")
	c.ReadLine()
	c.WriteLines("! " + Busy)
}

// A socket that a qmail-send left when it was killed is in nobody's way.
func TestLeftSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "command")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	l.f.Close()
	if _, err := Dial(path); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
	if l, err = Listen(path); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := l.Accept(); err == nil {
		t.Error("a closed listener takes connections")
	}
}

func TestBadLines(t *testing.T) {
	for _, input := range []string{"\x01\n", "\xff\n", strings.Repeat("1", MaxLine+2) + "\n", "no newline"} {
		c := NewConn(&fake{Reader: strings.NewReader(input)})
		if line, err := c.ReadLine(); err == nil {
			t.Errorf("%.20q is read as %.20q", input, line)
		}
	}
}

type fake struct{ *strings.Reader }

func (*fake) Write(p []byte) (int, error) { return len(p), nil }
func (*fake) Close() error                { return nil }
