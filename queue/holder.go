package queue

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrNobody means that no qmail-send has the queue.
var ErrNobody = errors.New("qmail-send is not running")

// Holder returns the process id of the qmail-send that has the queue in a folder,
// as far as the kernel tells.
func Holder(folder string) (int, error) {
	st, err := os.Stat(filepath.Join(folder, "lock/sendmutex"))
	if err != nil {
		return 0, err
	}
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return 0, err
	}
	defer locks.Close()
	sys := st.Sys().(*syscall.Stat_t)
	device := fmt.Sprintf("%02x:%02x", unix.Major(uint64(sys.Dev)), unix.Minor(uint64(sys.Dev)))
	return holder(locks, device, strconv.FormatUint(sys.Ino, 10), isSend)
}

// isSend reports whether a process is a qmail-send.
func isSend(pid int) bool {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return err == nil && strings.TrimSpace(string(name)) == "qmail-send"
}

// holder looks for a file in the lines of /proc/locks, proc_locks(5):
//
//	1: FLOCK  ADVISORY  WRITE 4711 08:01:123 0 EOF
//
// Some file systems have devices here that stat(2) does not know; then the process
// has to look right.
func holder(locks io.Reader, device, inode string, looksRight func(pid int) bool) (int, error) {
	lines := bufio.NewScanner(locks)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 || fields[1] == "->" || !strings.HasSuffix(fields[5], ":"+inode) {
			continue
		}
		pid, err := strconv.Atoi(fields[4])
		if err == nil && pid > 0 && (fields[5] == device+":"+inode || looksRight(pid)) {
			return pid, nil
		}
	}
	return 0, errors.Join(ErrNobody, lines.Err())
}
