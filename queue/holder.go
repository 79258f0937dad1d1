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
	return holder(locks, fmt.Sprintf("%02x:%02x:%d", unix.Major(uint64(sys.Dev)), unix.Minor(uint64(sys.Dev)), sys.Ino))
}

// holder looks for a file in the lines of /proc/locks, proc_locks(5):
//
//	1: FLOCK  ADVISORY  WRITE 4711 08:01:123 0 EOF
func holder(locks io.Reader, file string) (int, error) {
	lines := bufio.NewScanner(locks)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 || fields[1] == "->" || fields[5] != file {
			continue
		}
		if pid, err := strconv.Atoi(fields[4]); err == nil && pid > 1 {
			return pid, nil
		}
	}
	return 0, errors.Join(ErrNobody, lines.Err())
}
