//go:build linux && (amd64 || arm64)

package confine

import (
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// never are the system calls that no program of a mail system makes, nor one that
// qmail-rspawn starts.
var never = []uint32{
	// other processes
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_KCMP,
	unix.SYS_PIDFD_GETFD, unix.SYS_PERF_EVENT_OPEN, unix.SYS_MOVE_PAGES, unix.SYS_MIGRATE_PAGES,
	// mounts, roots and name spaces
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT,
	unix.SYS_FSPICK, unix.SYS_OPEN_TREE, unix.SYS_MOUNT_SETATTR, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_UNSHARE, unix.SYS_SETNS,
	unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_NFSSERVCTL, unix.SYS_FANOTIFY_INIT,
	// the kernel and the host
	unix.SYS_REBOOT, unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
	unix.SYS_BPF, unix.SYS_ACCT, unix.SYS_SYSLOG, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_VHANGUP, unix.SYS_PERSONALITY,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX,
	// keys, and parts of the kernel in which many mistakes were found
	unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, unix.SYS_USERFAULTFD,
	// files that have no name here, and devices
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_MKNODAT,
	// other users
	unix.SYS_SETUID, unix.SYS_SETGID, unix.SYS_SETREUID, unix.SYS_SETREGID, unix.SYS_SETRESUID, unix.SYS_SETRESGID,
	unix.SYS_SETGROUPS, unix.SYS_SETFSUID, unix.SYS_SETFSGID, unix.SYS_CAPSET,
}

// starting are those by which a program becomes another one.
var starting = []uint32{unix.SYS_EXECVE, unix.SYS_EXECVEAT}

// newNamespaces are the flags of clone(2) that make a name space.
const newNamespaces = syscall.CLONE_NEWNS | syscall.CLONE_NEWCGROUP | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC |
	syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET

// verdict is what is done about a system call.
type verdict byte

const (
	allowed verdict = iota
	refused
	missing  // as in an old kernel
	cloning  // threads are allowed, and processes if programs may be started
	typing   // all but putting characters into a terminal's input; and see filtered
	families // sockets of the families of the profile
)

// rule is about the system calls from a number up to that of the next rule.
type rule struct {
	first   uint32
	verdict verdict
}

// rules are in order and begin with 0.
func (p Profile) rules() []rule {
	calls := make([]rule, 0, 128)
	add := func(v verdict, numbers ...uint32) {
		for _, n := range numbers {
			calls = append(calls, rule{n, v})
		}
	}
	add(refused, never...)
	add(refused, neverHere...)
	if !p.Start {
		add(refused, starting...)
		add(refused, startingHere...)
	}
	if len(p.Sockets) == 0 {
		add(refused, unix.SYS_SOCKETPAIR)
	}
	add(missing, unix.SYS_CLONE3) // its flags are in memory, where no filter looks; callers go on with clone
	add(cloning, unix.SYS_CLONE)
	add(typing, unix.SYS_IOCTL)
	add(families, unix.SYS_SOCKET)
	slices.SortFunc(calls, func(a, b rule) int { return int(a.first) - int(b.first) })
	return join(calls)
}

// join turns rules about one number each into rules about ranges.
func join(calls []rule) []rule {
	all := make([]rule, 1, 2*len(calls)+1)
	next := uint32(0)
	for _, c := range calls {
		if c.first > next {
			all = extend(all, rule{next, allowed})
		}
		all = extend(all, c)
		next = c.first + 1
	}
	return extend(all, rule{next, allowed})
}

func extend(all []rule, r rule) []rule {
	switch last := &all[len(all)-1]; {
	case last.verdict == r.verdict:
		return all
	case last.first == r.first:
		last.verdict = r.verdict
		return all
	}
	return append(all, r)
}

// decide adds the code for a verdict.
func (p Profile) decide(code []unix.SockFilter, v verdict) []unix.SockFilter {
	switch v {
	case refused:
		return append(code, answer(refuse))
	case missing:
		return append(code, answer(absent))
	case cloning:
		code = append(code, load(argument(0)))
		if !p.Start {
			code = append(code, jump(unix.BPF_JSET, syscall.CLONE_THREAD, 1, 0), answer(refuse))
		}
		return append(code, jump(unix.BPF_JSET, newNamespaces, 0, 1), answer(refuse), answer(allow))
	case typing:
		return append(code, load(argument(1)), jump(unix.BPF_JEQ, question, 0, 1), answer(recognized),
			jump(unix.BPF_JEQ, unix.TIOCSTI, 1, 0), jump(unix.BPF_JEQ, unix.TIOCLINUX, 0, 1), answer(refuse), answer(allow))
	case families:
		code = append(code, load(argument(0)))
		for _, family := range p.Sockets {
			code = append(code, jump(unix.BPF_JEQ, uint32(family), 0, 1), answer(allow))
		}
		return append(code, answer(refuse))
	}
	return append(code, answer(allow))
}
