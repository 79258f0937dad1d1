package popup

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/receive"
	"goqmail/receive/certs"
	"goqmail/receive/pop3"
	"goqmail/receive/receivetest"
)

// client is the other side of a session over a pipe.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	done chan error
}

func connect(t *testing.T, p *Server) *client {
	here, there := net.Pipe()
	c := &client{t: t, conn: here, r: bufio.NewReader(here), done: make(chan error, 1)}
	here.SetDeadline(time.Now().Add(20 * time.Second))
	go func() {
		c.done <- p.Serve(there)
		there.Close()
	}()
	t.Cleanup(func() { here.Close() })
	return c
}

func (c *client) says(text, want string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
	c.reads(want)
}

// reads expects lines.
func (c *client) reads(want string) {
	c.t.Helper()
	got := ""
	for range strings.Count(want, "\n") {
		line, err := c.r.ReadString('\n')
		got += line
		if err != nil {
			c.t.Fatalf("after %q: %v", got, err)
		}
	}
	if got != want {
		c.t.Errorf("got %q, want %q", got, want)
	}
}

func (c *client) secure() {
	c.t.Helper()
	conn := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true, ServerName: "pop.test.example"})
	if err := conn.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.conn, c.r = conn, bufio.NewReader(conn)
}

const hello = "+OK <77.1795284247@pop.test.example>\r\n"

func secured(t *testing.T, shell string) (*Server, *strings.Builder) {
	dir := receivetest.Control(t, map[string]string{"servercert.pem": receivetest.Certificate(t, "pop.test.example")})
	log := &strings.Builder{}
	return &Server{
		Host: "pop.test.example", PID: 77, Now: receivetest.Now, Start: checker(shell), Certs: certs.Folder(dir),
		Peer: receive.Peer{IP: "192.0.2.7"}, Log: &receive.Log{Name: "qmail-popup", Out: log, Network: true},
	}, log
}

func TestSTLS(t *testing.T) {
	told := filepath.Join(t.TempDir(), "told")
	p, _ := secured(t, "cat <&3 >"+told+"; exec 3<&-; echo +OK in $POP3CAPA $POP3TLS; read line; echo \"got $line\"")
	c := connect(t, p)
	c.reads(hello)
	c.says("CAPA\r\n", "+OK \r\nUSER\r\nTOP\r\nUIDL\r\nPIPELINING\r\nSTLS\r\nIMPLEMENTATION goqmail\r\n.\r\n")
	c.says("USER evil\r\n", "+OK \r\n")
	c.says("STLS now\r\n", pop3.ReplySyntax+"\r\n")
	c.says("STLS\r\n", replyTLS+"\r\n")
	c.secure()
	c.says("PASS x\r\n", replyUserFirst+"\r\n") // what was said before is forgotten
	c.says("STLS\r\n", replyTLSTwice+"\r\n")
	c.says("CAPA\r\n", "+OK \r\nUSER\r\nTOP\r\nUIDL\r\nPIPELINING\r\nIMPLEMENTATION goqmail\r\n.\r\n")
	c.says("USER joe\r\n", "+OK \r\n")
	c.says("PASS secret\r\nin advance\r\n", "+OK in 1 TLS1.3\ngot in advance\r\n")
	if rest, err := io.ReadAll(c.conn); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	<-c.done
	if got, _ := os.ReadFile(told); !strings.HasPrefix(string(got), "joe\x00secret\x00<") {
		t.Errorf("the checker is told %q", got)
	}
}

func TestTLSRefused(t *testing.T) {
	p, log := secured(t, "exit 1")
	p.Implicit = true
	c := connect(t, p)
	c.secure()
	c.reads(hello)
	c.says("USER joe\r\nPASS x\r\n", "+OK \r\n"+replyRefused+"\r\n")
	io.ReadAll(c.conn) // the end of TLS
	<-c.done
	if got, want := log.String(), "qmail-popup: refused user <joe> client 192.0.2.7 tls TLS1.3 reply -ERR_authorization_failed\n"; got != want {
		t.Errorf("log: %q, want %q", got, want)
	}
}

func TestMustTLS(t *testing.T) {
	p, _ := secured(t, "exit 0")
	p.MustTLS = true
	c := connect(t, p)
	c.reads(hello)
	c.says("USER joe\r\n", replyMustTLS+"\r\n")
	c.says("APOP joe x\r\n", replyMustTLS+"\r\n")
	c.says("CAPA\r\n", "+OK \r\nTOP\r\nUIDL\r\nPIPELINING\r\nSTLS\r\nIMPLEMENTATION goqmail\r\n.\r\n")
	os.WriteFile(string(p.Certs)+"/servercert.pem", []byte("rubbish"), 0o600)
	c.says("STLS\r\n", replyNoTLS+"\r\n")
	c.says("QUIT\r\n", "+OK \r\n")
}

// TestClientGone has the client go away: the program reads the end of its input.
func TestClientGone(t *testing.T) {
	p, _ := secured(t, "echo +OK; cat >&2; exit 0")
	c := connect(t, p)
	c.reads(hello)
	c.says("STLS\r\n", replyTLS+"\r\n")
	plain := c.conn
	c.secure()
	c.says("USER joe\r\n", "+OK \r\n")
	c.says("PASS x\r\n", "+OK\n")
	plain.Close()
	<-c.done
}

// TestLarge has a lot to be said at a time, by both sides.
func TestLarge(t *testing.T) {
	p, _ := secured(t, "exec cat")
	p.Implicit = true
	c := connect(t, p)
	c.secure()
	c.reads(hello)
	c.says("USER joe\r\n", "+OK \r\n")
	text := strings.Repeat("0123456789abcde\n", 1<<16)
	go func() {
		io.WriteString(c.conn, "PASS x\r\n"+text)
		c.conn.(*tls.Conn).CloseWrite()
	}()
	got, err := io.ReadAll(c.r)
	if string(got) != text || err != nil {
		t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
	}
	<-c.done
}

// TestUCSPI has the server before this one do TLS: user, password and program use
// descriptors of their own.
func TestUCSPI(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	control := os.NewFile(uintptr(fds[0]), "control")
	defer control.Close()
	defer syscall.Close(fds[1])
	tls, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(tls[0]), "tls")
	conn, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	defer conn.Close()
	fd := strconv.Itoa(tls[1])
	env := receive.Env{"UCSPITLS": "", "SSLCTLFD": strconv.Itoa(fds[1]), "SSLREADFD": fd, "SSLWRITEFD": fd}
	p, _ := secured(t, "cat <&3 >/dev/null; echo +OK in; read line; echo \"got $line\"")
	if p.Other, err = receive.UCSPIOf(env); err != nil {
		t.Fatal(err)
	}
	c := connect(t, p)
	c.reads(hello)
	c.says("STLS\r\n", replyTLS+"\r\n")
	var b [1]byte
	if _, err := io.ReadFull(control, b[:]); err != nil || b[0] != 'y' {
		t.Fatalf("the server is told %q, %v", b, err)
	}
	c.conn, c.r = conn, bufio.NewReader(conn)
	c.says("USER joe\r\n", "+OK \r\n")
	c.says("PASS x\r\nin advance\n", "+OK in\ngot in advance\n")
	<-c.done
}
