package dns

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"goqmail/internal/smtpsink"
	"goqmail/receive/qmtp"
	"goqmail/receive/receivetest"
)

// The servers of resolv.conf.
const (
	resolver = "127.0.0.1" // unbound
	closed   = "127.0.0.7" // nobody is there
	silent   = "127.0.0.8" // takes packets and says nothing
	slow     = "127.0.0.6" // asks the resolver, after a while
)

// world is what there is in the name spaces.
type world struct {
	resolvConf string
	ipv6       bool

	mu      sync.Mutex
	clients []string // who connected to the SMTP server, by address
}

// enter sets the name spaces up: addresses, the resolver, an SMTP server at every
// address, a QMTP server at one, and a resolv.conf of their own.
func enter(t *testing.T) *world {
	t.Helper()
	w := &world{resolvConf: filepath.Join(t.TempDir(), "resolv.conf")}
	for _, line := range []string{
		"link set lo up",
		"address add 203.0.113.1/32 dev lo", // this host's, the others are not
		"route add local 192.0.2.0/24 dev lo",
	} {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Skipf("ip %s: %v: %s", line, err, out)
		}
	}
	w.ipv6 = exec.Command("ip", "-6", "route", "add", "local", "2001:db8::/32", "dev", "lo").Run() == nil
	w.resolveWith(t, "nameserver "+resolver)
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Skip("mount: ", err)
	}
	if err := syscall.Mount(w.resolvConf, "/etc/resolv.conf", "", syscall.MS_BIND, ""); err != nil {
		t.Skip("mount /etc/resolv.conf: ", err)
	}
	w.serveSMTP(t)
	serveQMTP(t)
	packets, err := net.ListenPacket("udp", silent+":53")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { packets.Close() })
	startUnbound(t)
	serveSlowly(t)
	return w
}

// resolveWith writes resolv.conf, which stays the same file.
func (w *world) resolveWith(t *testing.T, lines ...string) {
	t.Helper()
	if err := os.WriteFile(w.resolvConf, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (w *world) serveSMTP(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", ":25")
	if err != nil {
		t.Fatal(err)
	}
	server := &smtpsink.Server{Deliver: func(m *smtpsink.Message) error {
		client, _, _ := net.SplitHostPort(m.Client)
		w.mu.Lock()
		w.clients = append(w.clients, client)
		w.mu.Unlock()
		return nil
	}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// serveQMTP has a QMTP server at 192.0.2.4.
func serveQMTP(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", "192.0.2.4:209")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	server := &qmtp.Server{
		Control: receivetest.Control(t, map[string]string{"rcpthosts": ".example.org\n"}),
		Queue:   (&receivetest.Queue{}).Open, Now: receivetest.Now,
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			server.ServeQMTP(conn, nil)
			conn.Close()
		}
	}()
}

// serveSlowly has a server that takes its time with each answer.
func serveSlowly(t *testing.T) {
	t.Helper()
	packets, err := net.ListenPacket("udp", slow+":53")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: packets, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
		time.Sleep(1500 * time.Millisecond)
		if reply, err := dns.Exchange(query, resolver+":53"); err == nil {
			w.WriteMsg(reply)
		}
	})}
	go server.ActivateAndServe()
	t.Cleanup(func() { server.Shutdown() })
}

// records are many records of a kind, which testdata would be too long with.
func records(n int, format string) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, format+"\n", i, i/250, i%250)
	}
	return text.String()
}

// startUnbound runs a resolver that knows one zone, sends no more than 512 bytes in
// a packet, and asks a silent server about another zone.
func startUnbound(t *testing.T) {
	t.Helper()
	zone, err := os.ReadFile("testdata/example.org.zone")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text := string(zone) +
		records(40, "many MX %[1]d m%[1]d\nm%[1]d A 192.0.2.%[3]d") +
		records(2000, "huge MX %[1]d h%[1]d") + "h0 A 192.0.2.100\n" +
		records(4000, "beyond MX %[1]d much-too-long-for-one-answer-%[1]d") +
		records(1000, "wide A 192.0.2.%[3]d")
	config := `server:
	interface: 127.0.0.1
	port: 53
	username: ""
	chroot: ""
	pidfile: ""
	directory: "` + dir + `"
	use-syslog: no
	do-daemonize: no
	do-not-query-localhost: no
	module-config: "iterator"
	max-udp-size: 512
remote-control:
	control-enable: no
auth-zone:
	name: "example.org."
	zonefile: "zone"
	for-upstream: yes
	for-downstream: no
stub-zone:
	name: "silent.example."
	stub-addr: ` + silent + `
stub-zone:
	name: "closed.example."
	stub-addr: ` + closed + `
`
	for name, text := range map[string]string{"zone": text, "conf": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(unbound(), "-d", "-c", filepath.Join(dir, "conf"))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	var said bytes.Buffer
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "start of service") {
			go func() {
				for lines.Scan() {
				}
			}()
			return
		}
	}
	t.Fatalf("unbound does not start:\n%s", said.String())
}
