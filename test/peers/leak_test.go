package peers

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/smtp"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// cutConn is a connection that breaks when so many bytes have been written.
type cutConn struct {
	net.Conn
	left  int
	reset bool // it breaks by a reset
}

var errCut = errors.New("the connection is cut")

func (c *cutConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p[:min(len(p), c.left)])
	c.left -= n
	if err == nil && n < len(p) {
		c.Close()
		err = errCut
	}
	return n, err
}

func (c *cutConn) Close() error {
	if c.reset {
		c.Conn.(*net.TCPConn).SetLinger(0)
	}
	return c.Conn.Close()
}

// careless sends the message as a client that goes away at any time: in the middle
// of a command, of the handshake of TLS, of the message. Nobody minds its errors.
func careless(address string, random *rand.Rand) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	broken := &cutConn{Conn: conn, left: random.IntN(6000), reset: random.IntN(2) == 0}
	defer broken.Close()
	c, err := smtp.NewClient(broken, "127.0.0.1")
	if err == nil && random.IntN(2) == 0 {
		err = c.StartTLS(&tls.Config{InsecureSkipVerify: true})
	}
	if err == nil && random.IntN(8) == 0 {
		err = c.Auth(smtp.PlainAuth("", "joe", []string{"secret", "wrong"}[random.IntN(2)], "127.0.0.1"))
	}
	for _, step := range []func() error{
		func() error { return c.Mail("sue@far.example") },
		func() error { return c.Rcpt("joe@here.test") },
		func() error { _ = c.Rcpt("bob@far.example"); return nil },
		func() error { return carelessData(c) },
		c.Reset,
		c.Noop,
		func() error { return [...]func() error{c.Quit, func() error { return nil }}[random.IntN(2)]() },
	} {
		if err == nil {
			err = step()
		}
	}
	return err
}

func carelessData(c *smtp.Client) error {
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err = w.Write([]byte(strings.ReplaceAll(message, "\n", "\r\n"))); err != nil {
		return err
	}
	return w.Close()
}

// storm has many careless clients at a time, and smtp-source if it is there, which
// is killed in the middle of its work.
func (h *host) storm(server *running, address string, seed uint64) {
	h.t.Helper()
	before := strings.Count(server.log(), "accepted qp ")
	source := h.tryMany(address)
	var clients sync.WaitGroup
	for i := range uint64(20) {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(seed, i))
			for range 60 {
				_ = careless(address, random)
			}
		})
	}
	server.wait("accepted qp ", before+50)
	if source != nil {
		source.cmd.Process.Kill()
	}
	clients.Wait()
}

// tryMany starts smtp-source.
func (h *host) tryMany(address string) *running {
	root := peerFolder("postfix", "usr/sbin/smtp-source")
	if root == "" {
		return nil
	}
	program, environment := h.postfixTool("smtp-source")
	cmd := h.command(program, "-s", "10", "-m", "100000", "-d", "-l", "20000", "-f", "sue@far.example", "-t", "joe@here.test", address)
	cmd.Env = append(cmd.Env, environment)
	return h.start(cmd)
}

// figures are what a process has.
type figures struct {
	descriptors, children int
	memory                int // in KB
}

func (r *running) figures() (f figures) {
	r.t.Helper()
	pid := r.cmd.Process.Pid
	f.descriptors, f.children = descriptors(pid), len(children(pid))
	if f.descriptors == 0 {
		r.t.Skipf("/proc/%d/fd cannot be read", pid)
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	f.memory, _ = strconv.Atoi(strings.Fields(rest)[0])
	return f
}

// descriptors counts those that a process has open.
func descriptors(pid int) int {
	open, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(open)
}

// children are the process ids of those of a process.
func children(pid int) (all []int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, name := range tasks {
		text, _ := os.ReadFile(name)
		for _, word := range strings.Fields(string(text)) {
			child, _ := strconv.Atoi(word)
			all = append(all, child)
		}
	}
	return all
}

// staying are the descriptors of a process and of all that it has started, by their
// process ids.
func (r *running) staying() map[int]int {
	all := map[int]int{}
	for todo := []int{r.cmd.Process.Pid}; len(todo) > 0; todo = todo[1:] {
		all[todo[0]] = descriptors(todo[0])
		todo = append(todo, children(todo[0])...)
	}
	return all
}

// calm waits until all that was there before has hardly more descriptors than it had.
func (r *running) calm(before map[int]int) {
	r.t.Helper()
	const few = 2 // for what it has learned to need
	for give := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		now, busy := r.staying(), ""
		for pid, n := range before {
			if now[pid] > n+few {
				name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
				busy = fmt.Sprintf("%s had %d descriptors and has %d", strings.TrimSpace(string(name)), n, now[pid])
			}
		}
		if busy == "" {
			return
		}
		if time.Now().After(give) {
			r.t.Error(busy)
			return
		}
	}
}

// settle waits until the process has no more descriptors and children than these.
func (r *running) settle(first figures) (f figures) {
	r.t.Helper()
	for give := time.Now().Add(patience); time.Now().Before(give); time.Sleep(20 * time.Millisecond) {
		if f = r.figures(); f.descriptors <= first.descriptors && f.children <= first.children {
			return f
		}
	}
	r.t.Fatalf("it had %d descriptors and %d children, and now has %d and %d:\n%s", first.descriptors, first.children, f.descriptors, f.children, tail(r.log()))
	return f
}

// goroutines ends the process with the signal at which Go tells what it was doing,
// and returns the stacks of all goroutines that are not of Go's own.
func (r *running) goroutines() map[string]string {
	before := len(r.log())
	r.cmd.Process.Signal(syscall.SIGQUIT)
	<-r.ended
	all := map[string]string{}
	for block := range strings.SplitSeq(r.log()[before:], "\n\n") {
		number, stack, ok := strings.Cut(strings.TrimPrefix(block, "goroutine "), " ")
		if ok && strings.HasPrefix(block, "goroutine ") && number != "0" && !strings.Contains(stack, "created by runtime.") {
			all[number] = stack
		}
	}
	return all
}

// TestLeaks looks at what a server that stays has left after storms of clients that
// go away at any time: descriptors, processes, goroutines, memory, and files in the
// queue. There are three of them, or as many as $PEERS_STORMS says: 500 take an hour.
func TestLeaks(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.certificate()
	h.control("concurrencyincoming", "100\n")
	checker := h.checkpassword()
	server, address := h.smtpd(nil, checker, "true")
	first := server.settle(figures{descriptors: 1 << 20})
	h.storm(server, address, 1)
	warm := server.settle(first)
	storms, err := strconv.ParseUint(os.Getenv("PEERS_STORMS"), 10, 64)
	if err != nil {
		storms = 3
	}
	for seed := uint64(2); seed <= storms; seed++ {
		h.take()
		h.storm(server, address, seed)
	}
	last := server.settle(first)
	t.Logf("at first %+v, then %+v, at last %+v", first, warm, last)
	if last.memory > warm.memory+8<<10 {
		t.Errorf("it had %d KB of memory after one storm, and %d KB after %d", warm.memory, last.memory, storms)
	}
	const few = 10 // it needs three, and there were thousands of sessions
	if left := server.goroutines(); len(left) > few || len(left) == 0 {
		t.Errorf("%d goroutines are left, want no more than %d", len(left), few)
		for number, stack := range left {
			t.Logf("%s %s", number, clip(stack))
		}
	}
	h.take()
	for _, folder := range []string{"mess/*", "todo", "pid"} { // take leaves those in intd
		if names, _ := filepath.Glob(h.path("queue/" + folder + "/*")); len(names) > 0 {
			t.Errorf("%d files are left in %s", len(names), folder)
		}
	}
}
