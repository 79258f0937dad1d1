//go:build linux && (amd64 || arm64)

package confine

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// seccomp installs the filter in all threads. A process that has a filter of this
// package from its parent, as qmail-remote has that of qmail-rspawn, goes without
// another one, which takes the kernel longer to compile than all the rest: what the
// parent may and it may not, starting programs, is up to Landlock then.
func (p Profile) seccomp() (string, error) {
	if filtered() {
		return " of the parent", nil
	}
	code := p.filter()
	program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	r, _, errno := syscall.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(code)
	switch {
	case errno == syscall.ENOSYS, errno == syscall.EINVAL: // a kernel without it
		return "", ErrUnsupported
	case errno != 0:
		return "", errno
	case r != 0: // the thread that has another filter
		return "", syscall.ESRCH
	}
	return "", nil
}

// A filter of this package answers a request to ioctl(2) that nobody knows with an
// error that nobody else gives: other filters, such as systemd's, are not like it.
const (
	question   = 0x6d676f71
	ourError   = syscall.Errno(2791)
	recognized = unix.SECCOMP_RET_ERRNO | uint32(ourError)
)

// filtered reports whether there is such a filter already.
func filtered() bool {
	_, _, errno := syscall.RawSyscall(unix.SYS_IOCTL, ^uintptr(0), question, 0)
	return errno == ourError
}

// Where a filter finds what it decides about: struct seccomp_data. Of arguments
// the lower half is looked at, which is on all these machines the first.
const (
	atNumber = 0
	atArch   = 4
	atArgs   = 16
)

func argument(i uint32) uint32 { return atArgs + 8*i }

func statement(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }

func load(at uint32) unix.SockFilter { return statement(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, at) }

func answer(action uint32) unix.SockFilter { return statement(unix.BPF_RET|unix.BPF_K, action) }

func jump(test uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | test, K: k, Jt: yes, Jf: no}
}

const (
	allow  = unix.SECCOMP_RET_ALLOW
	refuse = unix.SECCOMP_RET_ERRNO | uint32(syscall.EPERM)
	absent = unix.SECCOMP_RET_ERRNO | uint32(syscall.ENOSYS)
)

// sameArch begins a filter: system calls of another machine, those of 32 bits for
// instance, have other numbers, and are refused.
func sameArch() []unix.SockFilter {
	return []unix.SockFilter{
		load(atArch), jump(unix.BPF_JEQ, arch, 1, 0), answer(refuse),
		load(atNumber), jump(unix.BPF_JGE, otherNumbers, 0, 1), answer(refuse),
	}
}

// filter is the program for the kernel. It finds the number of the system call by
// halving, so that it takes few steps; the kernel runs it once for each number when
// it is installed.
func (p Profile) filter() []unix.SockFilter {
	a := assembler{profile: p, rules: p.rules()}
	a.code = append(make([]unix.SockFilter, 0, 4*len(a.rules)), sameArch()...)
	a.search(0, len(a.rules))
	return a.code
}

// assembler writes a filter.
type assembler struct {
	profile Profile
	rules   []rule
	code    []unix.SockFilter
}

// search decides among the rules from one to another. Of jumps, those on a condition
// reach 255 instructions, the other one any.
func (a *assembler) search(from, to int) {
	if to-from == 1 {
		a.code = a.profile.decide(a.code, a.rules[from].verdict)
		return
	}
	half := (from + to) / 2
	a.code = append(a.code, jump(unix.BPF_JGE, a.rules[half].first, 0, 1))
	over := len(a.code)
	a.code = append(a.code, statement(unix.BPF_JMP|unix.BPF_JA, 0))
	a.search(from, half)
	a.code[over].K = uint32(len(a.code) - over - 1)
	a.search(half, to)
}
