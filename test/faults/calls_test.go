//go:build linux && amd64

package faults

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// call is a system call as it is about to be done.
type call struct {
	number uint64
	args   [6]uint64
	tid    int
}

// kind is what can go wrong with a system call.
type kind struct {
	name   string
	path   int      // argument that is a path, or -1
	fd     int      // argument that is a descriptor, or -1
	length int      // argument that is the number of bytes to be written, or -1
	errors []string // by name of the error
	late   bool     // the call is done, and fails all the same
}

// kinds are the system calls that reach out of a process. What Go's runtime does for
// itself, with memory, threads that wait and signals, is not among them.
var kinds = map[uint64]kind{
	unix.SYS_OPENAT:          {"open", 1, -1, -1, []string{"EMFILE", "EIO", "ENOMEM", "EINTR"}, false},
	unix.SYS_READ:            {"read", -1, 0, -1, []string{"EIO", "EINTR"}, false},
	unix.SYS_PREAD64:         {"pread", -1, 0, -1, []string{"EIO", "EINTR"}, false},
	unix.SYS_WRITE:           {"write", -1, 0, 2, []string{"EIO", "EINTR"}, false},
	unix.SYS_PWRITE64:        {"pwrite", -1, 0, 2, []string{"EIO", "EINTR"}, false},
	unix.SYS_COPY_FILE_RANGE: {"copy_file_range", -1, 2, 4, []string{"EIO", "ENOSPC"}, false},
	unix.SYS_SENDFILE:        {"sendfile", -1, 0, 3, []string{"EIO", "EINTR"}, false},
	unix.SYS_SPLICE:          {"splice", -1, 2, 4, []string{"EIO", "ENOMEM"}, false},
	unix.SYS_CLOSE:           {"close", -1, 0, -1, []string{"EIO", "ENOSPC"}, true},
	unix.SYS_FSYNC:           {"fsync", -1, 0, -1, []string{"EIO", "ENOSPC", "EINTR"}, false},
	unix.SYS_FDATASYNC:       {"fdatasync", -1, 0, -1, []string{"EIO", "ENOSPC", "EINTR"}, false},
	unix.SYS_FTRUNCATE:       {"ftruncate", -1, 0, -1, []string{"EIO", "EINTR"}, false},
	unix.SYS_LSEEK:           {"lseek", -1, 0, -1, []string{"EIO"}, false},
	unix.SYS_FSTAT:           {"fstat", -1, 0, -1, []string{"EIO", "ENOMEM"}, false},
	unix.SYS_NEWFSTATAT:      {"stat", 1, -1, -1, []string{"EIO", "ENOMEM"}, false},
	unix.SYS_STATFS:          {"statfs", 0, -1, -1, []string{"EIO", "ENOMEM"}, false},
	unix.SYS_FSTATFS:         {"fstatfs", -1, 0, -1, []string{"EIO", "ENOMEM"}, false},
	unix.SYS_FACCESSAT:       {"access", 1, -1, -1, []string{"EIO", "ENOMEM"}, false},
	unix.SYS_FACCESSAT2:      {"access", 1, -1, -1, []string{"EIO", "ENOMEM"}, false},
	unix.SYS_READLINKAT:      {"readlink", 1, -1, -1, []string{"EIO", "ENOMEM"}, false},
	unix.SYS_GETDENTS64:      {"getdents", -1, 0, -1, []string{"EIO", "ENOMEM"}, false},
	unix.SYS_RENAMEAT:        {"rename", 3, -1, -1, []string{"ENOSPC", "EIO", "ENOMEM"}, false},
	unix.SYS_RENAMEAT2:       {"rename", 3, -1, -1, []string{"ENOSPC", "EIO", "ENOMEM"}, false},
	unix.SYS_LINKAT:          {"link", 3, -1, -1, []string{"ENOSPC", "EIO", "ENOMEM"}, false},
	unix.SYS_SYMLINKAT:       {"symlink", 2, -1, -1, []string{"ENOSPC", "EIO", "ENOMEM"}, false},
	unix.SYS_MKDIRAT:         {"mkdir", 1, -1, -1, []string{"ENOSPC", "EIO", "ENOMEM"}, false},
	unix.SYS_UNLINKAT:        {"unlink", 1, -1, -1, []string{"EIO", "ENOSPC", "ENOMEM"}, false},
	unix.SYS_UTIMENSAT:       {"utimes", 1, -1, -1, []string{"EIO", "ENOSPC"}, false},
	unix.SYS_FCHMOD:          {"fchmod", -1, 0, -1, []string{"EIO", "ENOSPC"}, false},
	unix.SYS_FCHMODAT:        {"chmod", 1, -1, -1, []string{"EIO", "ENOSPC"}, false},
	unix.SYS_CHDIR:           {"chdir", 0, -1, -1, []string{"EIO", "ENOMEM"}, false},
	unix.SYS_FLOCK:           {"flock", -1, 0, -1, []string{"ENOLCK", "EINTR"}, false},
	unix.SYS_FCNTL:           {"fcntl", -1, 0, -1, []string{"EMFILE"}, false},
	unix.SYS_PIPE2:           {"pipe", -1, -1, -1, []string{"EMFILE", "ENFILE"}, false},
	unix.SYS_DUP3:            {"dup", -1, 0, -1, []string{"EBUSY"}, false},
	unix.SYS_EPOLL_CREATE1:   {"epoll_create", -1, -1, -1, []string{"EMFILE", "ENOMEM"}, false},
	unix.SYS_EVENTFD2:        {"eventfd", -1, -1, -1, []string{"EMFILE", "ENOMEM"}, false},
	unix.SYS_SOCKET:          {"socket", -1, -1, -1, []string{"EMFILE", "ENOMEM"}, false},
	unix.SYS_SOCKETPAIR:      {"socketpair", -1, -1, -1, []string{"EMFILE", "ENOMEM"}, false},
	unix.SYS_BIND:            {"bind", -1, 0, -1, []string{"ENOMEM", "EIO"}, false},
	unix.SYS_LISTEN:          {"listen", -1, 0, -1, []string{"ENOMEM"}, false},
	unix.SYS_CONNECT:         {"connect", -1, 0, -1, []string{"ENOMEM", "EAGAIN"}, false},
	unix.SYS_ACCEPT4:         {"accept", -1, 0, -1, []string{"EMFILE", "EINTR", "ENOMEM"}, false},
	unix.SYS_SENDTO:          {"send", -1, 0, -1, []string{"ENOMEM"}, false},
	unix.SYS_SENDMSG:         {"sendmsg", -1, 0, -1, []string{"ENOMEM", "EINTR"}, false},
	unix.SYS_RECVFROM:        {"recv", -1, 0, -1, []string{"ENOMEM"}, false},
	unix.SYS_RECVMSG:         {"recvmsg", -1, 0, -1, []string{"ENOMEM", "EINTR"}, false},
	unix.SYS_CLONE:           {"clone", -1, -1, -1, []string{"ENOMEM", "EAGAIN"}, false},
	unix.SYS_CLONE3:          {"clone", -1, -1, -1, []string{"ENOMEM", "EAGAIN"}, false},
	unix.SYS_VFORK:           {"clone", -1, -1, -1, []string{"ENOMEM", "EAGAIN"}, false},
	unix.SYS_FORK:            {"clone", -1, -1, -1, []string{"ENOMEM", "EAGAIN"}, false},
	unix.SYS_EXECVE:          {"exec", 0, -1, -1, []string{"ENOMEM", "EIO", "EMFILE"}, false},
	unix.SYS_WAIT4:           {"wait", -1, -1, -1, []string{"EINTR"}, false},
	unix.SYS_WAITID:          {"wait", -1, -1, -1, []string{"EINTR"}, false},
	unix.SYS_PIDFD_OPEN:      {"pidfd_open", -1, -1, -1, []string{"EMFILE", "ENOMEM"}, false},
	unix.SYS_SETUID:          {"setuid", -1, -1, -1, []string{"EAGAIN", "EPERM"}, false},
	unix.SYS_SETGID:          {"setgid", -1, -1, -1, []string{"EPERM"}, false},
	unix.SYS_SETGROUPS:       {"setgroups", -1, -1, -1, []string{"EPERM", "ENOMEM"}, false},
}

var numbers = map[string]unix.Errno{
	"EMFILE": unix.EMFILE, "ENFILE": unix.ENFILE, "EIO": unix.EIO, "ENOMEM": unix.ENOMEM, "EINTR": unix.EINTR,
	"ENOSPC": unix.ENOSPC, "ENOLCK": unix.ENOLCK, "EAGAIN": unix.EAGAIN, "EBUSY": unix.EBUSY, "EPERM": unix.EPERM,
}

// What else may be done at a call.
const (
	learn = ""      // nothing: the calls are listed
	kill  = "kill"  // the process dies
	short = "short" // fewer bytes are written than asked for
	// An error with a plus has all later calls fail, too, that can fail so.
	forGood = "+"
)

// see says what a call is about to do and with which errors it can fail; it is false
// for one that does not count.
func (c call) see() (signature string, k kind, ok bool) {
	if k, ok = kinds[c.number]; !ok {
		return "", k, false
	}
	on := ""
	switch {
	case k.path >= 0:
		path, err := readString(c.tid, c.args[k.path])
		if err != nil {
			return "", k, false
		}
		on = general(path)
	case k.fd >= 0:
		on = describe(c.tid, int32(c.args[k.fd]))
	}
	k.errors = append([]string(nil), k.errors...)
	switch c.number {
	case unix.SYS_OPENAT:
		if c.args[2]&unix.O_CREAT != 0 {
			k.name = "create"
			k.errors = append(k.errors, "ENOSPC")
		}
	case unix.SYS_READ:
		if on == "pipe" { // which has no disk that could fail, and is the way of children to say that they run
			k.errors = []string{"EINTR"}
		}
	case unix.SYS_WRITE, unix.SYS_PWRITE64:
		if strings.HasPrefix(on, "anon_inode") { // the runtime wakes itself
			k.errors, k.length = []string{"EINTR"}, -1
		}
		if isFile(on) {
			k.errors = append(k.errors, "ENOSPC")
		}
	case unix.SYS_FCNTL:
		switch c.args[1] {
		case unix.F_DUPFD, unix.F_DUPFD_CLOEXEC:
			k.name = "dup"
		case unix.F_SETLK, unix.F_SETLKW, unix.F_OFD_SETLK, unix.F_OFD_SETLKW:
			k.name, k.errors = "lock", []string{"ENOLCK", "EINTR"}
		default:
			return "", k, false
		}
	case unix.SYS_CLONE:
		if c.args[0]&unix.CLONE_THREAD != 0 {
			k.name, k.errors = "thread", []string{"EAGAIN"}
		}
	case unix.SYS_CONNECT:
		if family, err := readString(c.tid, c.args[1]); err == nil && family != string(rune(unix.AF_UNIX)) {
			// One that is interrupted goes on.
			k.name, k.late, k.errors = "connect to a host", true, []string{"ENOMEM", "EINTR"}
		}
	}
	if k.length >= 0 && int64(c.args[k.length]) > 1 {
		k.errors = append(k.errors, short)
	}
	return k.name + "(" + on + ")", k, true
}

// forGood are the errors of a call that are likely to last: a disk stays full, or broken,
// a process is out of descriptors or memory.
func (k kind) forGood(signature string) (some []string) {
	_, on, _ := strings.Cut(strings.TrimSuffix(signature, ")"), "(")
	for _, e := range k.errors {
		switch {
		case k.late:
		case e == "EMFILE", e == "ENOMEM", (e == "ENOSPC" || e == "EIO") && isFile(on):
			some = append(some, e)
		}
	}
	return some
}

// describe says what a descriptor of a process is.
func describe(tid int, fd int32) string {
	if fd < 0 {
		return "nothing"
	}
	to, err := os.Readlink("/proc/" + strconv.Itoa(tid) + "/fd/" + strconv.Itoa(int(fd)))
	if err != nil {
		return "nothing"
	}
	to = strings.TrimSuffix(to, " (deleted)")
	what, _, isOther := strings.Cut(to, ":[")
	if !isOther {
		if what, isOther = strings.CutPrefix(to, "anon_inode:"); !isOther {
			return general(to)
		}
	}
	if fd < 8 {
		return fmt.Sprintf("%s %d", what, fd)
	}
	return what
}

// isFile reports whether what [describe] describes is on a disk.
func isFile(on string) bool { return strings.Contains(on, "/") }

var (
	unique = regexp.MustCompile(`[^/.]*[0-9]{4}[^/]*$`)
	digits = regexp.MustCompile(`[0-9]+`)
)

// general makes one name of those that differ from run to run.
func general(path string) string {
	path = strings.TrimPrefix(path, home+"/")
	path = strings.TrimPrefix(path, "queue/")
	return digits.ReplaceAllString(unique.ReplaceAllString(path, "N"), "N")
}

// readString reads a string that ends in a NUL from the memory of a process.
func readString(tid int, address uint64) (string, error) {
	memory, err := os.Open("/proc/" + strconv.Itoa(tid) + "/mem")
	if err != nil {
		return "", err
	}
	defer memory.Close()
	var buf [512]byte
	n, err := memory.ReadAt(buf[:], int64(address))
	if n == 0 {
		return "", err
	}
	text, _, _ := strings.Cut(string(buf[:n]), "\x00")
	return text, nil
}
