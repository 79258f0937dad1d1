//go:build linux && (amd64 || arm64)

package confine

import (
	"encoding/binary"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// run is what the kernel does with a filter. It fails the test at an instruction
// that is not used here or a jump out of the program.
func run(t testing.TB, code []unix.SockFilter, arch, number uint32, args ...uint64) uint32 {
	t.Helper()
	var data [64]byte
	binary.NativeEndian.PutUint32(data[atNumber:], number)
	binary.NativeEndian.PutUint32(data[atArch:], arch)
	for i, a := range args {
		binary.NativeEndian.PutUint64(data[atArgs+8*i:], a)
	}
	var acc uint32
	for pc := 0; pc < len(code); pc++ {
		in, yes := code[pc], false
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			acc = binary.NativeEndian.Uint32(data[in.K:])
			continue
		case unix.BPF_RET | unix.BPF_K:
			return in.K
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(in.K)
			continue
		case unix.BPF_JMP | unix.BPF_K | unix.BPF_JEQ:
			yes = acc == in.K
		case unix.BPF_JMP | unix.BPF_K | unix.BPF_JGE:
			yes = acc >= in.K
		case unix.BPF_JMP | unix.BPF_K | unix.BPF_JSET:
			yes = acc&in.K != 0
		default:
			t.Fatalf("instruction %d is %+v", pc, in)
		}
		if yes {
			pc += int(in.Jt)
		} else {
			pc += int(in.Jf)
		}
	}
	t.Fatal("the filter ends without an answer")
	return 0
}

// TestFilter runs the filter for every number, and for what it looks at arguments.
func TestFilter(t *testing.T) {
	t.Parallel()
	for _, p := range []Profile{Clean("q"), Queue("q"), Remote("h"), Staying("h"), Rspawn("h"), Send("h"), Receive(), {}} {
		code := p.filter()
		if len(code) > 4096 {
			t.Errorf("%d instructions", len(code))
		}
		no := slices.Concat(never, neverHere)
		if !p.Start {
			no = slices.Concat(no, starting, startingHere)
		}
		if len(p.Sockets) == 0 {
			no = append(no, unix.SYS_SOCKETPAIR)
		}
		byArguments := []uint32{unix.SYS_CLONE, unix.SYS_SOCKET, unix.SYS_IOCTL}
		for n := range uint32(1000) {
			want := uint32(allow)
			switch {
			case slices.Contains(byArguments, n):
				continue
			case n == unix.SYS_CLONE3:
				want = absent
			case slices.Contains(no, n):
				want = refuse
			}
			if got := run(t, code, arch, n); got != want {
				t.Errorf("%+v: system call %d gives %x, want %x", p, n, got, want)
			}
		}
		p.checkArguments(t, code)
	}
}

func (p Profile) checkArguments(t *testing.T, code []unix.SockFilter) {
	t.Helper()
	process := uint32(refuse)
	if p.Start {
		process = allow
	}
	for _, tt := range []struct {
		name   string
		arch   uint32
		number uint32
		arg    [2]uint64
		want   uint32
	}{
		{"read", arch, unix.SYS_READ, [2]uint64{}, allow},
		{"of another machine", arch ^ 1, unix.SYS_READ, [2]uint64{}, refuse},
		{"of another ABI", arch, otherNumbers | unix.SYS_READ, [2]uint64{}, refuse},
		{"none", arch, 0xffffffff, [2]uint64{}, refuse},
		{"new", arch, 5000, [2]uint64{}, allow},
		{"thread", arch, unix.SYS_CLONE, [2]uint64{syscall.CLONE_THREAD | syscall.CLONE_VM | syscall.CLONE_SIGHAND}, allow},
		{"process", arch, unix.SYS_CLONE, [2]uint64{uint64(syscall.SIGCHLD)}, process},
		{"vfork", arch, unix.SYS_CLONE, [2]uint64{syscall.CLONE_VM | syscall.CLONE_VFORK | uint64(syscall.SIGCHLD)}, process},
		{"process in a name space", arch, unix.SYS_CLONE, [2]uint64{syscall.CLONE_NEWUSER | uint64(syscall.SIGCHLD)}, refuse},
		{"thread in a name space", arch, unix.SYS_CLONE, [2]uint64{syscall.CLONE_NEWNET | syscall.CLONE_THREAD}, refuse},
		{"TIOCSTI", arch, unix.SYS_IOCTL, [2]uint64{0, unix.TIOCSTI}, refuse},
		{"TIOCLINUX", arch, unix.SYS_IOCTL, [2]uint64{0, unix.TIOCLINUX}, refuse},
		{"TIOCSTI with more above", arch, unix.SYS_IOCTL, [2]uint64{0, 1<<32 | unix.TIOCSTI}, refuse},
		{"the question", arch, unix.SYS_IOCTL, [2]uint64{^uint64(0), question}, recognized},
		{"TCGETS", arch, unix.SYS_IOCTL, [2]uint64{0, unix.TCGETS}, allow},
		{"AF_PACKET", arch, unix.SYS_SOCKET, [2]uint64{unix.AF_PACKET}, refuse},
		{"AF_VSOCK", arch, unix.SYS_SOCKET, [2]uint64{unix.AF_VSOCK}, refuse},
	} {
		if got := run(t, code, tt.arch, tt.number, tt.arg[:]...); got != tt.want {
			t.Errorf("%+v: %s gives %x, want %x", p, tt.name, got, tt.want)
		}
	}
	for _, family := range []int{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK} {
		want := uint32(refuse)
		if slices.Contains(p.Sockets, family) {
			want = allow
		}
		if got := run(t, code, arch, unix.SYS_SOCKET, uint64(family)); got != want {
			t.Errorf("%+v: a socket of family %d gives %x, want %x", p, family, got, want)
		}
	}
}
