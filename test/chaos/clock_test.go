package chaos

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"goqmail/internal/testbin"
	"goqmail/internal/testhost"
)

// programs are those that take part.
var programs = []string{
	"qmail-start", "qmail-send", "qmail-lspawn", "qmail-local", "qmail-rspawn", "qmail-remote", "qmail-clean", "qmail-getpw",
	"qmail-queue", "qmail-smtpd", "qmail-qmtpd", "qmail-inject", "sendmail",
}

// clockFile has, in 8 bytes, by how many seconds the clock of all programs is ahead of
// the kernel's.
const clockFile = "/var/clock"

// clockSource goes into package time of the programs.
const clockSource = `package time

import (
	"syscall"
	"unsafe"
)

var ahead = mapAhead()

func mapAhead() *int64 {
	fd, err := syscall.Open("` + clockFile + `", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	defer syscall.Close(fd)
	page, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return (*int64)(unsafe.Pointer(unsafe.SliceData(page)))
}
`

// buildPrograms builds the programs with a clock that can be set: [time.Now] adds what
// clockFile says to the time of day, but not to the monotonic time, as when a clock is
// set. That is an overlay over the standard library for this build. The sources of
// the programs are not touched, nor are those that are shipped.
func buildPrograms(t *testing.T, bin string) {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	testhost.Must(t, err)
	library := filepath.Join(strings.TrimSpace(string(root)), "src/time")
	source, err := os.ReadFile(filepath.Join(library, "time.go"))
	testhost.Must(t, err)
	const read = "\tsec, nsec, mono := runtimeNow()\n"
	changed := strings.Replace(string(source), read, read+"\tif ahead != nil { // not before it is set\n\t\tsec += *ahead\n\t}\n", 1)
	if changed == string(source) || !strings.Contains(changed, "func Now() Time {\n"+read+"\tif ahead") {
		t.Skip("time.Now is not what it was: the clock cannot be set")
	}
	dir := t.TempDir()
	replace := map[string]string{}
	for name, text := range map[string]string{"time.go": changed, "ahead.go": clockSource} {
		replace[filepath.Join(library, name)] = filepath.Join(dir, name)
		testhost.Must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	testhost.Must(t, err)
	testhost.Must(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o644))
	testhost.Must(t, testbin.Build(bin, []string{"-trimpath", "-overlay", filepath.Join(dir, "overlay.json")}, programs...))
}

// clock is the clock of the host.
type clock struct{ ahead *int64 }

// newClock makes the file. It is not where a file system is full.
func newClock(t *testing.T) clock {
	t.Helper()
	f, err := os.OpenFile(clockFile, os.O_RDWR|os.O_CREATE, 0o644)
	testhost.Must(t, err)
	defer f.Close()
	testhost.Must(t, f.Chmod(0o644))
	testhost.Must(t, f.Truncate(8))
	page, err := syscall.Mmap(int(f.Fd()), 0, 8, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	testhost.Must(t, err)
	return clock{(*int64)(unsafe.Pointer(unsafe.SliceData(page)))}
}

// set says how far ahead of the kernel's it is.
func (c clock) set(ahead time.Duration) { atomic.StoreInt64(c.ahead, int64(ahead/time.Second)) }
