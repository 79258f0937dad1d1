package receive

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goqmail/control"
	"goqmail/internal/durable"
	"goqmail/users"
)

var now = time.Date(2026, 11, 21, 18, 4, 7, 0, time.UTC)

func TestReceived(t *testing.T) {
	helo := "mx.example.org"
	odd := "a b(c)\n\x80"
	for _, tt := range []struct {
		name string
		env  Env
		helo *string
		want string
	}{
		{"all", Env{"TCPREMOTEIP": "192.0.2.1", "TCPREMOTEHOST": "relay.example.org", "TCPREMOTEINFO": "joe", "TCPLOCALHOST": "mx.test.example", "TCPLOCALIP": "192.0.2.2"}, &helo,
			"Received: from relay.example.org (HELO mx.example.org) (joe@192.0.2.1)\n  by mx.test.example with SMTP; 21 Nov 2026 18:04:07 -0000\n"},
		{"nothing", nil, nil, "Received: from unknown (unknown)\n  by unknown with SMTP; 21 Nov 2026 18:04:07 -0000\n"},
		{"the address of this end", Env{"TCPLOCALIP": "192.0.2.2"}, nil, "Received: from unknown (unknown)\n  by 192.0.2.2 with SMTP; 21 Nov 2026 18:04:07 -0000\n"},
		{"empty is not missing", Env{"TCPREMOTEIP": "", "TCPREMOTEHOST": "", "TCPREMOTEINFO": "", "TCPLOCALHOST": ""}, nil,
			"Received: from  (@)\n  by  with SMTP; 21 Nov 2026 18:04:07 -0000\n"},
		{"odd", Env{"TCPREMOTEIP": "2001:db8::1"}, &odd, "Received: from unknown (HELO a?b?c???) (2001:db8::1)\n  by unknown with SMTP; 21 Nov 2026 18:04:07 -0000\n"},
	} {
		if got := PeerOf(tt.env).Received("SMTP", tt.helo, now); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestHosts(t *testing.T) {
	dir := folder(t, map[string]string{"rcpthosts": "# ours\nexample.org\n.Sub.example.net\n"})
	list := filepath.Join(dir, "morercpthosts")
	if err := os.WriteFile(list, []byte("more.example\n.below.example\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := users.RebuildHosts(durable.NewDir(dir)); err != nil {
		t.Fatal(err)
	}
	h, err := ReadHosts(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, tt := range []struct {
		addr string
		want bool
	}{
		{"a@example.org", true}, {"a@EXAMPLE.org", true}, {"a@sub.example.org", false},
		{"a@sub.example.net", false}, {"a@x.y.sub.example.net", true}, {"postmaster", true},
		{"a@", false}, {"a@example.org@other.example", false}, {"a%other.example@example.org", true},
		{"a@more.example", true}, {"a@More.Example", true}, {"a@x.more.example", false}, {"a@x.below.example", true},
		{"a@example.org.", false}, {"", true},
	} {
		if got, err := h.Allowed(tt.addr); got != tt.want || err != nil {
			t.Errorf("Allowed(%q) = %v, %v, want %v", tt.addr, got, err, tt.want)
		}
	}
}

func TestWithoutHosts(t *testing.T) {
	h, err := ReadHosts(folder(t, map[string]string{"morercpthosts.cdb": ""}))
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{"a@example.org", "postmaster"} {
		if ok, err := h.Allowed(addr); ok || err != nil {
			t.Errorf("without rcpthosts, Allowed(%q) = %v, %v", addr, ok, err)
		}
	}
}

func TestDamagedHosts(t *testing.T) {
	h, err := ReadHosts(folder(t, map[string]string{"rcpthosts": "example.org\n", "morercpthosts.cdb": "x"}))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.Allowed("a@example.org"); !ok || err != nil {
		t.Errorf("a listed host: %v, %v", ok, err)
	}
	if ok, err := h.Allowed("a@example.net"); ok || err == nil {
		t.Errorf("a host to be sought in a damaged file: %v, %v", ok, err)
	}
}

func TestDatabytes(t *testing.T) {
	for _, tt := range []struct {
		file string
		env  Env
		want int64
	}{
		{"", nil, 0}, {"5\n", nil, 5}, {"5\n", Env{"DATABYTES": "11"}, 11}, {"5\n", Env{"DATABYTES": "0"}, 0},
		{"5\n", Env{"DATABYTES": "much"}, 0}, {"5\n", Env{"DATABYTES": ""}, 0}, {"5\n", Env{"DATABYTES": "7x"}, 7},
		{"", Env{"DATABYTES": "99999999999999999999"}, 1<<63 - 1},
	} {
		files, err := control.Open(folder(t, map[string]string{"databytes": tt.file}))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Databytes(files, tt.env); got != tt.want || err != nil {
			t.Errorf("file %q, environment %v: %d, %v, want %d", tt.file, tt.env, got, err, tt.want)
		}
	}
}

// talk is a connection that is a text.
type talk struct {
	net.Conn
	in  io.Reader
	out strings.Builder
}

func (c *talk) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *talk) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *talk) SetReadDeadline(time.Time) error  { return nil }
func (c *talk) SetWriteDeadline(time.Time) error { return nil }

func TestCommand(t *testing.T) {
	long := strings.Repeat("n", 60<<10)
	w := NewWire(&talk{in: strings.NewReader("NOOP\r\nmail  FROM:<a> \r\n\r\n x\nNO\x00OP\nnoop " + long + "\r\n" +
		strings.Repeat("x", 100<<10) + "\r\nA\rB\r\r\nend")}, time.Second)
	for _, want := range []struct {
		verb, argument string
		err            error
	}{
		{"noop", "", nil}, {"mail", "FROM:<a> ", nil}, {"", "", nil}, {"", "x", nil}, {"no", "", nil}, {"noop", long, nil},
		{"", "", ErrLineTooLong}, {"a\rb\r", "", nil}, {"", "", io.EOF},
	} {
		verb, argument, err := w.Command()
		if verb != want.verb || argument != want.argument || !errors.Is(err, want.err) {
			t.Errorf("%q, %.20q, %v, want %q, %.20q, %v", verb, argument, err, want.verb, want.argument, want.err)
		}
	}
	w = NewWire(&talk{in: strings.NewReader(strings.Repeat("x", 2<<20))}, time.Second)
	if _, _, err := w.Command(); !errors.Is(err, ErrFlood) {
		t.Errorf("an endless line: %v", err)
	}
}

// TestFlush checks that replies go out before more input is waited for, and not
// one by one.
func TestFlush(t *testing.T) {
	c := &talk{in: strings.NewReader("a\nb\n")}
	w := NewWire(c, time.Second)
	for range 2 {
		if _, err := w.Line(); err != nil {
			t.Fatal(err)
		}
		w.WriteString("r")
		if c.out.Len() > 0 {
			t.Error("a reply was sent although a command is waiting")
		}
	}
	w.Line()
	if c.out.String() != "rr" {
		t.Errorf("sent %q", c.out.String())
	}
}

func TestSingle(t *testing.T) {
	in := strings.NewReader("PASS x\r\nSTAT\r\n")
	w := NewWire(&talk{in: in}, time.Second)
	w.Single = true
	if line, err := w.Line(); line != "PASS x" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	if in.Len() != len("STAT\r\n") {
		t.Errorf("%d bytes are left", in.Len())
	}
}

func FuzzCommand(f *testing.F) {
	f.Add("MAIL FROM:<a@example.org>\r\nQUIT\n")
	f.Add("a\x00b\n\r\r\n \n")
	f.Fuzz(func(t *testing.T, in string) {
		w := NewWire(&talk{in: strings.NewReader(in)}, time.Second)
		n := 0
		for {
			verb, argument, err := w.Command()
			if err != nil {
				break
			}
			n++
			if strings.ContainsAny(verb, " \n\x00") || strings.ContainsAny(argument, "\n\x00") || strings.HasPrefix(argument, " ") {
				t.Errorf("%q is a command %q, %q", in, verb, argument)
			}
		}
		if len(in) < maxLine && n != strings.Count(in, "\n") {
			t.Errorf("%q has %d commands", in, n)
		}
	})
}
