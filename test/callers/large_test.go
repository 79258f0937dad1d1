package callers

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestLarge sends what is large, and looks at how much memory sendmail and
// qmail-queue take for it.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 100 MB")
	}
	t.Parallel()
	line := strings.Repeat("x", 63) + "\n"
	var known, unknown strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&known, "Person %d <person%d@host%d.far.example>,\n ", i, i, i%100)
		fmt.Fprintf(&unknown, "person%d, ", i)
	}
	for _, tt := range []struct {
		name       string
		message    io.Reader
		recipients int
		size       int64
		megabytes  int64 // at most
	}{
		{"body of 100 MB", io.MultiReader(strings.NewReader("To: bob@far.example\n\n"), &repeat{line, 100 << 20 / len(line)}), 1, 100 << 20, 64},
		{"100,000 recipients", strings.NewReader("To: " + known.String() + "bob@far.example\n\nx\n"), 100_001, 3 << 20, 160},
		{"100,000 addresses to complete, in one line", strings.NewReader("To: " + unknown.String() + "bob@far.example\n\nx\n"), 100_001, 2 << 20, 160},
	} {
		h := newHost(t)
		cmd := exec.Command(h.sendmail, "-t", "-i")
		cmd.Env = append(os.Environ(), "USER=ann")
		cmd.Stdin = tt.message
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", tt.name, err, out)
			continue
		}
		// Maxrss, in KB, is that of the largest process, this one when it forks included.
		if got := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss / 1024; got > tt.megabytes {
			t.Errorf("%s: %d MB of memory, want no more than %d", tt.name, got, tt.megabytes)
		}
		h.checkLarge(tt.name, tt.recipients, tt.size)
	}
}

// checkLarge looks at the files of the only message in the queue.
func (h *host) checkLarge(name string, recipients int, size int64) {
	h.t.Helper()
	for pattern, check := range map[string]func(path string) bool{
		"queue/todo/*": func(path string) bool {
			data, err := os.ReadFile(path)
			return err == nil && strings.Count(string(data), "\x00T") == recipients
		},
		"queue/mess/0/*": func(path string) bool {
			st, err := os.Stat(path)
			return err == nil && st.Size() > size
		},
	} {
		found, _ := filepath.Glob(filepath.Join(h.home, pattern))
		if len(found) != 1 || !check(found[0]) {
			h.t.Errorf("%s: %s is %q, and not as it should be", name, pattern, found)
		}
	}
}

// repeat is a text so many times.
type repeat struct {
	text  string
	times int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := 0
	for ; r.times > 0 && n+len(r.text) <= len(p); r.times-- {
		n += copy(p[n:], r.text)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
