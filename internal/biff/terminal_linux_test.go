package biff

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal makes a terminal and returns its master's file, its name, and the
// user that owns it.
func openTerminal(t *testing.T) (master *os.File, terminal string, uid int) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals: ", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	terminal = "/dev/pts/" + strconv.Itoa(number)
	var st syscall.Stat_t
	if err == nil {
		err = syscall.Stat(terminal, &st)
	}
	if err != nil {
		t.Skip("no terminals: ", err)
	}
	return master, terminal, int(st.Uid)
}

func TestWrite(t *testing.T) {
	master, terminal, uid := openTerminal(t)
	if err := Write(terminal, uid, "x"); err != errNotWanted {
		t.Errorf("without biff y: %v", err)
	}
	if err := os.Chmod(terminal, 0o720); err != nil {
		t.Skip(err)
	}
	if err := Write(terminal, uid+1, "x"); err != errNotOurs {
		t.Errorf("for another user: %v", err)
	}
	if err := Write(terminal, uid, "*** TO <kim>\n"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, err := master.Read(buf)
	if got := string(buf[:n]); err != nil || !strings.HasPrefix(got, "*** TO <kim>") {
		t.Errorf("the terminal shows %q, %v", got, err)
	}
	file := t.TempDir() + "/file"
	os.WriteFile(file, nil, 0o700)
	if err := Write(file, os.Getuid(), "x"); err != errNoTerminal {
		t.Errorf("to a file: %v", err)
	}
	if err := Write(file+"/none", os.Getuid(), "x"); err == nil {
		t.Error("to nothing")
	}
}

// A terminal that is stopped is not waited for.
func TestWriteNeverWaits(t *testing.T) {
	_, terminal, uid := openTerminal(t)
	if err := os.Chmod(terminal, 0o700); err != nil {
		t.Skip(err)
	}
	for range 1000 { // nobody reads it
		Write(terminal, uid, strings.Repeat("x", 1000))
	}
}
