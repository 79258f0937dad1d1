package tcpenv

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

var ends = Endpoints{netip.MustParseAddrPort("192.0.2.1:25"), netip.MustParseAddrPort("192.0.2.2:1025")}

// play is a network with these names and one ident server, which answers so.
func play(t *testing.T, names map[string]string, reply string) Network {
	t.Helper()
	return Network{
		Names: func(_ context.Context, addr string) ([]string, error) {
			if name, ok := names[addr]; ok {
				return []string{name, "second.example."}, nil
			}
			return nil, errors.New("no such name")
		},
		Dial: func(_ context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error) {
			if from != ends.Local.Addr() || to.String() != "192.0.2.2:113" {
				t.Errorf("connects from %v to %v", from, to)
			}
			if reply == "" {
				return nil, syscall.ECONNREFUSED
			}
			here, there := net.Pipe()
			go func() {
				buf := make([]byte, 100)
				n, _ := there.Read(buf)
				if got := string(buf[:n]); got != "1025 , 25\r\n" {
					t.Errorf("asks %q", got)
				}
				io.WriteString(there, reply)
				there.Close()
			}()
			return here, nil
		},
	}
}

func TestEnvironment(t *testing.T) {
	both := map[string]string{"192.0.2.1": "Mx.Test.Example.", "192.0.2.2": "host.remote.example."}
	for _, tt := range []struct {
		name  string
		names map[string]string
		reply string
		limit time.Duration
		want  []string // beside addresses and ports
	}{
		{"names", both, "", 0, []string{"TCPLOCALHOST=mx.test.example", "TCPREMOTEHOST=host.remote.example"}},
		{"no names", nil, "", 0, nil},
		{"odd name", map[string]string{"192.0.2.1": "a b.", "192.0.2.2": strings.Repeat("x", 256)}, "", 0, nil},
		{"ident", nil, "1025 , 25 : USERID : UNIX : sue\r\n", time.Minute, []string{"TCPREMOTEINFO=sue"}},
		{"no ident", nil, "1025 , 25 : ERROR : NO-USER\r\n", time.Minute, nil},
		{"no ident server", nil, "", time.Minute, nil},
		{"ident without end", nil, "1025 , 25 : USERID : UNIX : " + strings.Repeat("x", 5000), time.Minute, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := []string{"HOME=/", "PROTO=SSL", "TCPREMOTEINFO=old", "TCPREMOTEHOST=old", "TCPLOCALPORT=1", "TCPREMOTEIPX=y"}
			got := play(t, tt.names, tt.reply).Environment(context.Background(), env, ends, tt.limit)
			want := append([]string{"HOME=/", "TCPREMOTEIPX=y", "PROTO=TCP", "TCPLOCALIP=192.0.2.1", "TCPLOCALPORT=25", "TCPREMOTEIP=192.0.2.2", "TCPREMOTEPORT=1025"}, tt.want...)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// An ident server that says nothing is not waited for longer than asked.
func TestIdentLimit(t *testing.T) {
	n := play(t, nil, "")
	n.Dial = func(ctx context.Context, _ netip.Addr, _ netip.AddrPort) (net.Conn, error) {
		if end, ok := ctx.Deadline(); !ok || time.Until(end) > time.Minute {
			t.Errorf("may connect until %v", end)
		}
		here, there := net.Pipe()
		go io.Copy(io.Discard, there)
		return here, nil
	}
	if got := n.ident(context.Background(), ends, time.Millisecond); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestParseIdent(t *testing.T) {
	for _, tt := range []struct{ reply, want string }{
		{"6193, 23 : USERID : UNIX : stjohns\r\n", "stjohns"},
		{"6193,23:userid:OTHER,US-ASCII: a b : c\n", "ab:c"},
		{"1,2:USERID:UNIX:\x1b[2J\xc3\xa9\x00\n", "?[2J???"},
		{"1,2:USERID:UNIX:" + strings.Repeat("x", 2000) + "\n", strings.Repeat("x", 512)},
		{"1,2:USERID:UNIX:\n", ""},
		{"1,2:USERID:UNIX\n", ""},
		{"1,2:ERROR:NO-USER\n", ""},
		{"1,2:ERROR:X:y\n", ""},
		{"", ""},
	} {
		if got := ParseIdent(tt.reply); got != tt.want {
			t.Errorf("%.50q: got %q, want %q", tt.reply, got, tt.want)
		}
	}
}

func FuzzParseIdent(f *testing.F) {
	f.Add("6193, 23 : USERID : UNIX : stjohns\r\n")
	f.Add("1,2:ERROR:NO-USER\n")
	f.Fuzz(func(t *testing.T, reply string) {
		user := ParseIdent(reply)
		if len(user) > maxUser || printable(user) != user {
			t.Fatalf("%q: %q", reply, user)
		}
		if again := ParseIdent("1,2:USERID:UNIX:" + user); again != user {
			t.Errorf("%q becomes %q", user, again)
		}
	})
}

// connect makes a connection on this host and returns the descriptor of one end.
func connect(t *testing.T, network, address string) (fd int, local, remote net.Addr) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	there, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { there.Close() })
	here, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	file, err := here.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return int(file.Fd()), here.LocalAddr(), here.RemoteAddr()
}

func TestOf(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		fd, local, remote := connect(t, "tcp", address)
		e, err := Of(fd)
		if err != nil || e.Local.String() != local.String() || e.Remote.String() != remote.String() {
			t.Errorf("%s: got %v, %v, want %v, %v", address, e, err, local, remote)
		}
	}
	fd, _, _ := connect(t, "unix", t.TempDir()+"/socket")
	if _, err := Of(fd); err != errFamily {
		t.Errorf("a Unix socket: %v", err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if _, err := Of(int(null.Fd())); !errors.Is(err, syscall.ENOTSOCK) {
		t.Errorf("no socket: %v", err)
	}
}

func TestAddrPort(t *testing.T) {
	mapped := netip.MustParseAddr("::ffff:192.0.2.1").As16()
	local := netip.MustParseAddr("fe80::1").As16()
	for _, tt := range []struct {
		addr syscall.Sockaddr
		want string
	}{
		{&syscall.SockaddrInet4{Port: 25, Addr: [4]byte{192, 0, 2, 1}}, "192.0.2.1:25"},
		{&syscall.SockaddrInet6{Port: 25, Addr: mapped, ZoneId: 2}, "192.0.2.1:25"},
		{&syscall.SockaddrInet6{Port: 25, Addr: local, ZoneId: 2}, "[fe80::1%2]:25"},
	} {
		if got, err := addrPort(tt.addr); err != nil || got.String() != tt.want {
			t.Errorf("got %v, %v, want %s", got, err, tt.want)
		}
	}
}
