package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recorder keeps what is logged, a line for each piece.
type recorder struct{ lines []string }

func (r *recorder) send(priority int, text string) {
	r.lines = append(r.lines, fmt.Sprintf("%d %s", priority, text))
}

// clock returns times that are a second apart, from 1000.000001 on.
func clock() func() time.Time {
	t := time.Unix(999, 1500)
	return func() time.Time {
		t = t.Add(time.Second)
		return t
	}
}

func logged(t *testing.T, in string) []string {
	t.Helper()
	var r recorder
	if err := copyLines(strings.NewReader(in), &r, clock()); err != nil {
		t.Errorf("copyLines fails with %v", err)
	}
	return r.lines
}

func TestCopyLines(t *testing.T) {
	long := strings.Repeat("x", pieceSize)
	for _, test := range []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"lines", "new msg 1\nend msg 1\n", []string{"6 1000.000001 new msg 1", "6 1001.000001 end msg 1"}},
		{"blank lines", "\n\na\n\n", []string{"6 1000.000001 a"}},
		{"priorities", "alert: a\nwarning: b\nalert b\n alert:\n",
			[]string{"1 1000.000001 alert: a", "4 1001.000001 warning: b", "6 1002.000001 alert b", "6 1003.000001  alert:"}},
		{"unprintable", "a\tb\x00c\x7f\xc3\xa4 ~\r\n", []string{"6 1000.000001 a?b?c??? ~?"}},
		{"no newline at the end", "a\nb", []string{"6 1000.000001 a", "6 1001.000001 b"}},
		{"just fits", long + "\nb\n", []string{"6 1000.000001 " + long, "6 1001.000001 b"}},
		{"folded", "warning:" + long + long + "\nb\n", []string{
			"4 1000.000001 warning:" + long[8:], "4 1000.000001+" + long, "4 1000.000001+" + long[:8], "6 1001.000001 b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := logged(t, test.in); strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("logged %q, want %q", got, test.want)
			}
		})
	}
}

// FuzzCopyLines checks that no printable byte of a line is lost, that nothing
// unprintable gets out, and that no piece is too long.
func FuzzCopyLines(f *testing.F) {
	f.Add("alert: a\n\nb\x80" + strings.Repeat("c", 2000))
	f.Fuzz(func(t *testing.T, in string) {
		var back strings.Builder
		for _, piece := range logged(t, in) {
			_, piece, _ = strings.Cut(piece, " ")
			end := strings.IndexAny(piece, " +") // of the stamp
			text := piece[end+1:]
			if piece[end] == ' ' {
				back.WriteByte('\n')
			}
			if len(text) == 0 || len(text) > pieceSize || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("logged %q", piece)
			}
			back.WriteString(text)
		}
		want := strings.Builder{}
		for line := range strings.SplitSeq(in, "\n") {
			if line != "" {
				want.WriteString("\n" + printable(line))
			}
		}
		if back.String() != want.String() {
			t.Errorf("%q is logged as %q", in, back.String())
		}
	})
}

func printable(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

func TestSyslog(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	var instead bytes.Buffer
	now := func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	s := &syslog{path: socket, tag: "qmail", facility: mailFacility, instead: &instead, now: now}
	defer s.close()

	s.send(info, "before")
	if got := instead.String(); got != "qmail: before\n" {
		t.Errorf("without a log: %q", got)
	}
	for _, text := range []string{"first", "after a restart of the log"} {
		log, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		s.send(alert, text)
		b := make([]byte, 100)
		n, err := log.Read(b)
		if got, want := string(b[:n]), "<17>Jan  2 03:04:05 qmail: "+text; got != want || err != nil {
			t.Errorf("sent %q, %v, want %q", got, err, want)
		}
		log.Close()
		os.Remove(socket)
	}
	if got := instead.String(); got != "qmail: before\n" {
		t.Errorf("with a log: %q", got)
	}
}
