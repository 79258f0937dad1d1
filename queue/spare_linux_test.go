package queue

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSparesHeld has somebody keep a message in ways in which it is not open: by a
// descriptor that only stands for it, or with its text in a pipe.
func TestSparesHeld(t *testing.T) {
	for name, hold := range map[string]func(t *testing.T, f *os.File) (read func() string){
		"O_PATH": func(t *testing.T, f *os.File) func() string {
			fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(int(f.Fd())), unix.O_PATH|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Close(fd) })
			return func() string {
				var st unix.Stat_t
				if err := unix.Fstat(fd, &st); err != nil || st.Mode&0o007 != 0 {
					return "others may read the second: mode " + strconv.FormatUint(uint64(st.Mode), 8)
				}
				return ""
			}
		},
		"splice": func(t *testing.T, f *os.File) func() string {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { r.Close(); w.Close() })
			for { // up to the end of the message: the pipe has room for it
				n, err := unix.Splice(int(f.Fd()), nil, int(w.Fd()), nil, maxSpareSize, 0)
				if err != nil {
					t.Fatal(err)
				}
				if n == 0 {
					break
				}
			}
			return func() string {
				w.Close()
				text, _ := io.ReadAll(r)
				return string(text)
			}
		},
	} {
		for _, lines := range [][2]int{{1, 1}, {1, 500}, {500, 1}, {600, 500}, {1000, 5000}, {5000, 5000}} {
			t.Run(fmt.Sprint(name, lines), func(t *testing.T) {
				q, dir := newQueue(t, 1)
				s := NewSpares(q)
				first := s.submit(t, strings.Repeat("the first\n", lines[0]))
				f, err := os.Open(filepath.Join(dir, q.Name(Mess, first)))
				if err != nil {
					t.Fatal(err)
				}
				read := hold(t, f)
				f.Close()
				end(t, q, first)
				if second := s.submit(t, strings.Repeat("the second\n", lines[1])); second != first {
					t.Skip("the file is not used again")
				}
				if got := read(); strings.Contains(got, "second") {
					t.Errorf("he reads %.100q", got)
				}
			})
		}
	}
}
