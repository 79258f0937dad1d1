// Package load_test has thousands of clients come to qmail-smtpd and go away in the
// middle of whatever they do, under TLS and in the clear: nothing of them may stay
// behind.
package load_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/ids"
	"goqmail/internal/testbin"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testbin.Remove()
	os.Exit(code)
}

const (
	clients = 20   // at a time
	warm    = 1000 // sessions, after which the server has what it needs
	more    = 3000
	nobody  = 65534
)

// server is a qmail-smtpd that listens.
type server struct {
	t       *testing.T
	cmd     *exec.Cmd
	plain   string // addresses
	secure  string
	log     *bufio.Scanner
	drained chan struct{}
}

// certificate makes a key and a certificate.
func certificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mx.test.example"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(crand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
}

// home makes a home with a program in the place of qmail-queue, which takes all.
func home(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "load")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	syscall.ForkLock.RLock() // or the program could be busy
	defer syscall.ForkLock.RUnlock()
	for name, text := range map[string]string{
		"control/me": "mx.test.example\n", "control/rcpthosts": "test.example\n", "control/servercert.pem": string(certificate(t)),
		"control/concurrencyincoming": "200\n", "control/smtpusers": "joe:plain:secret\n",
		"queue": "#!/bin/sh\ncat >/dev/null && exec cat <&1 >/dev/null\n",
	} {
		os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(t *testing.T, asRoot bool) *server {
	t.Helper()
	bin, err := testbin.Dir()
	if err != nil {
		t.Fatal(err)
	}
	dir := home(t)
	s := &server{t: t, cmd: exec.Command(filepath.Join(bin, "qmail-smtpd"), "-listen", "127.0.0.1:0", "-smtps", "127.0.0.1:0"), drained: make(chan struct{})}
	s.cmd.Dir = "/"
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "QMAILHOME=" + dir, "QMAILQUEUE=" + filepath.Join(dir, "queue"), "SMTPAUTH=+cram"}
	if os.Geteuid() == 0 && !asRoot {
		s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill() })
	s.log = bufio.NewScanner(stderr)
	for _, to := range []*string{&s.plain, &s.secure} {
		if !s.log.Scan() {
			t.Fatal("the server does not listen")
		}
		line := strings.Fields(s.log.Text())
		*to = line[len(line)-2]
	}
	go func() {
		for s.log.Scan() {
		}
		close(s.drained)
	}()
	return s
}

// files counts the server's descriptors.
func (s *server) files() int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(entries)
}

// status returns a number of the server's status.
func (s *server) status(name string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n"+name+":")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// children counts those of the server, of all its threads.
func (s *server) children() (n int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.cmd.Process.Pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		n += len(strings.Fields(string(text)))
	}
	return n
}

// settles waits until the server has no more descriptors than it had.
func (s *server) settles(want int) {
	s.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for got := s.files(); got > want || s.children() > 0; got = s.files() {
		if time.Now().After(deadline) {
			s.t.Fatalf("%d descriptors, want %d; %d children", got, want, s.children())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// dialogue is what a whole session says, a piece each.
var dialogue = []string{
	"EHLO client.example.org\r\n", "AUTH CRAM-MD5\r\n", "am9lIDEyMw==\r\n", "NOOP\r\n", "MAIL FROM:<s@example.org>\r\n", "RCPT TO:<r@test.example>\r\n",
	"DATA\r\n", "Subject: x\r\n\r\n", strings.Repeat("some text\r\n", 5000), ".\r\n",
	"MAIL FROM:<s@example.org>\r\n", "RCPT TO:<r@test.example>\r\n", "BDAT 10\r\n0123456789", "BDAT 5 LAST\r\nabcde", "FOO\r\n", "QUIT\r\n",
}

// session is one client: it says some of the dialogue, the last piece not to its end,
// reads some of the answers, or none, and goes away, politely or not.
func (s *server) session(r *rand.Rand) error {
	address := s.plain
	if r.IntN(3) == 0 {
		address = s.secure
	}
	raw, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(20 * time.Second))
	if r.IntN(2) == 0 {
		defer raw.(*net.TCPConn).SetLinger(0) // a reset
	}
	conn := raw
	switch kind := r.IntN(10); {
	case kind == 0: // at once, or after rubbish
		io.WriteString(raw, strings.Repeat("\x16\x03\x01", r.IntN(3)))
		return nil
	case address == s.secure:
		secure := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
		if err := secure.Handshake(); err != nil {
			return err
		}
		conn = secure
	case kind < 4:
		if conn, err = startTLS(raw); err != nil {
			return err
		}
	}
	reads := r.IntN(2) == 0
	answers := bufio.NewReader(conn)
	for _, piece := range dialogue[:r.IntN(len(dialogue)+1)] {
		if r.IntN(8) == 0 {
			io.WriteString(conn, piece[:r.IntN(len(piece))])
			return nil
		}
		if _, err := io.WriteString(conn, piece); err != nil {
			return nil // told to go
		}
		if reads {
			answers.ReadString('\n')
		}
	}
	return nil
}

// startTLS goes on under TLS.
func startTLS(raw net.Conn) (net.Conn, error) {
	r := bufio.NewReader(raw)
	io.WriteString(raw, "STARTTLS\r\n")
	for range 2 {
		if line, err := r.ReadString('\n'); err != nil || line[0] != '2' {
			return nil, fmt.Errorf("%q, %w", line, err)
		}
	}
	secure := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
	return secure, secure.Handshake()
}

// sessions has n clients.
func (s *server) sessions(n int, seed uint64) {
	s.t.Helper()
	var group sync.WaitGroup
	var left, failed atomic.Int64
	left.Store(int64(n))
	for i := range clients {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		group.Go(func() {
			for left.Add(-1) >= 0 {
				if err := s.session(r); err != nil && failed.Add(1) == 1 {
					s.t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n := failed.Load(); n > 1 {
		s.t.Errorf("%d clients could not go as far as they wanted", n)
	}
}

// TestLeaks counts what the server has before and after.
func TestLeaks(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("there is no /proc")
	}
	s := start(t, false)
	s.sessions(1, 0)
	s.settles(s.files())
	before := s.files()
	s.sessions(warm, 1)
	s.settles(before)
	memory := s.status("VmRSS")
	s.sessions(more, 2)
	s.settles(before)
	if after := s.status("VmRSS"); after > memory+memory/2+4096 {
		t.Errorf("%d kB of memory after %d sessions, %d after %d more", memory, warm, after, more)
	} else {
		t.Logf("%d descriptors, %d threads, %d kB, then %d kB", before, s.status("Threads"), memory, after)
	}
	s.stops()
}

// stops has the server stop: no session is left that it would have to wait for.
func (s *server) stops() {
	s.t.Helper()
	began := time.Now()
	s.cmd.Process.Signal(syscall.SIGTERM)
	<-s.drained
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("the server ends with %v", err)
	}
	if d := time.Since(began); d > 20*time.Second {
		s.t.Errorf("it took %v", d)
	}
}

// TestGivesUpRoot has root start the server: it is qmaild by the time that it listens,
// and serves as that.
func TestGivesUpRoot(t *testing.T) {
	qmaild, err := ids.System.UID("qmaild")
	if os.Geteuid() != 0 || err != nil {
		t.Skip("needs root and the account qmaild")
	}
	s := start(t, true)
	for _, name := range []string{"Uid", "Gid", "Groups"} {
		if id := s.status(name); id == 0 || name == "Uid" && id != qmaild {
			t.Errorf("%s is %d", name, id)
		}
	}
	s.sessions(20, 3)
	s.stops()
}
