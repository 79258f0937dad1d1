package confine

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const afNetlink = syscall.AF_NETLINK

// everywhere makes a system call in all threads. A program that is linked with C
// cannot.
func everywhere(call, a1, a2, a3 uintptr) error {
	_, _, errno := syscall.AllThreadsSyscall6(call, a1, a2, a3, 0, 0, 0)
	switch errno {
	case 0:
		return nil
	case syscall.ENOTSUP, syscall.ENOSYS:
		return ErrUnsupported
	}
	return errno
}

// noNewPrivs is not needed twice: to stop all threads takes time, and qmail-remote
// has it from qmail-rspawn.
func noNewPrivs() (string, error) {
	if set, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err == nil && set == 1 {
		return "", nil
	}
	return "", everywhere(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0)
}

// Rights of Landlock, landlock(7).
const (
	llReading = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	llWriting = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	// On a kernel that cannot move files from folder to folder they are removed.
	llMoving = unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_REFER
	llChanging = llWriting | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_REFER
	llNever = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	llFile = unix.LANDLOCK_ACCESS_FS_READ_FILE | llWriting // of these, those that a file can have
)

// Versions of Landlock from which on it knows something.
const (
	llLinks     = 2 // REFER; before, files cannot be linked from folder to folder at all
	llTruncates = 3
	llTCP       = 4
	llDevices   = 5
	llScopes    = 6
)

// llSignals is the bit of the erratum by which threads of a process could not
// signal each other once each had confined itself.
const llSignals = 1 << 1

// landlock confines files, TCP ports and signals.
func (p Profile) landlock() (string, error) {
	version, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 || version < 1 || (version < llLinks && len(p.Change) > 0) {
		return "", ErrUnsupported
	}
	attr := p.ruleset(int(version))
	ruleset, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return "", errno
	}
	defer syscall.Close(int(ruleset))
	if err := p.addRules(ruleset, attr); err != nil {
		return "", err
	}
	return " " + strconv.Itoa(int(version)), everywhere(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0)
}

// ruleset is all that is forbidden unless a rule allows it.
func (p Profile) ruleset(version int) unix.LandlockRulesetAttr {
	attr := unix.LandlockRulesetAttr{Handled_access_fs: llChanging | llNever}
	if p.Read != nil {
		attr.Handled_access_fs |= llReading
	}
	if !p.Start {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_EXECUTE
	}
	if version < llLinks {
		attr.Handled_access_fs &^= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version < llTruncates {
		attr.Handled_access_fs &^= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version < llDevices {
		attr.Handled_access_fs &^= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if version >= llTCP {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP
		if !p.reachesNetwork() {
			attr.Handled_access_net |= unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		}
	}
	if version >= llScopes {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
		// Each thread confines itself, so that children are not all in the
		// confinement of the thread that would signal them.
		if !p.Start && errata()&llSignals != 0 {
			attr.Scoped |= unix.LANDLOCK_SCOPE_SIGNAL
		}
	}
	return attr
}

// errata are the mistakes of Landlock that this kernel has mended.
func errata() uintptr {
	mended, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_ERRATA)
	if errno != 0 {
		return 0
	}
	return mended
}

func (p Profile) reachesNetwork() bool {
	for _, family := range p.Sockets {
		if family == syscall.AF_INET || family == syscall.AF_INET6 {
			return true
		}
	}
	return false
}

func (p Profile) addRules(ruleset uintptr, attr unix.LandlockRulesetAttr) error {
	for _, rule := range []struct {
		rights uint64
		paths  []string
	}{
		{llReading, p.Read}, {llWriting, p.Write}, {unix.LANDLOCK_ACCESS_FS_READ_DIR, p.List}, {llMoving, p.Move}, {llChanging, p.Change},
	} {
		for _, path := range rule.paths {
			if err := allowPath(ruleset, path, rule.rights&attr.Handled_access_fs); err != nil {
				return err
			}
		}
	}
	if attr.Handled_access_net != 0 && p.reachesNetwork() {
		return allowAnyPort(ruleset)
	}
	return nil
}

// allowPath adds a rule about a file, or a folder and all below it.
func allowPath(ruleset uintptr, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	for err == unix.EINTR {
		fd, err = unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil // what cannot be reached needs no permission
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	attr := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	err = addRule(ruleset, unix.LANDLOCK_RULE_PATH_BENEATH, unsafe.Pointer(&attr))
	if err == syscall.EINVAL { // it is a file, and some of the rights are about folders
		attr.Allowed_access &= llFile
		err = addRule(ruleset, unix.LANDLOCK_RULE_PATH_BENEATH, unsafe.Pointer(&attr))
	}
	if err != nil {
		return fmt.Errorf("rule for %s: %w", path, err)
	}
	return nil
}

// netPort is struct landlock_net_port_attr.
type netPort struct{ access, port uint64 }

const ruleNetPort = 2 // LANDLOCK_RULE_NET_PORT

// allowAnyPort lets a socket be bound to an address without asking for a port, as
// before a connection from an address of one's choice.
func allowAnyPort(ruleset uintptr) error {
	attr := netPort{access: unix.LANDLOCK_ACCESS_NET_BIND_TCP}
	if err := addRule(ruleset, ruleNetPort, unsafe.Pointer(&attr)); err != nil {
		return fmt.Errorf("rule for port 0: %w", err)
	}
	return nil
}

func addRule(ruleset uintptr, kind uintptr, attr unsafe.Pointer) error {
	_, _, errno := syscall.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, ruleset, kind, uintptr(attr), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
