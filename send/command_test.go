package send

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"goqmail/internal/sendctl"
	"goqmail/queue"
)

// connect returns a connection to qmail-send.
func (w *world) connect() *sendctl.Conn {
	w.t.Helper()
	path := filepath.Join(w.home, "queue", sendctl.Path)
	for {
		c, err := sendctl.Dial(path)
		if err == nil {
			w.t.Cleanup(func() { c.Close() })
			if err := c.Greet(); err != nil {
				w.t.Fatal(err)
			}
			return c
		}
		time.Sleep(time.Millisecond) // it does not tell when it listens
	}
}

// ask sends an order and returns the answers, by number. It asks again while the
// queue is being read or the messages preprocessed.
func (w *world) ask(verb string, numbers ...queue.Number) map[queue.Number]string {
	w.t.Helper()
	c := w.connect()
	defer c.Close()
	r := sendctl.Request{Verb: verb}
	for _, n := range numbers {
		r.Numbers = append(r.Numbers, uint64(n))
	}
	for {
		got := map[queue.Number]string{}
		err := c.Ask(r, func(a sendctl.Answer) { got[queue.Number(a.Number)] = a.Words })
		var refused *sendctl.RefusedError
		switch {
		case errors.As(err, &refused):
		case err != nil:
			w.t.Fatal(err)
		case !slices.Contains(slices.Collect(valuesOf(got)), sendctl.New):
			return got
		}
		time.Sleep(time.Millisecond)
	}
}

func valuesOf(m map[queue.Number]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

func (w *world) want(got map[queue.Number]string, n queue.Number, words string) {
	w.t.Helper()
	if got[n] != words {
		w.t.Errorf("message %d: %q, want %q", n, got[n], words)
	}
}

func (w *world) mtime(kind queue.Kind, n queue.Number) time.Time {
	w.t.Helper()
	st, err := os.Stat(filepath.Join(w.home, "queue", w.q.Name(kind, n)))
	if err != nil {
		w.t.Fatal(err)
	}
	return st.ModTime()
}

// A held message is tried neither when it is due nor at ALRM nor after a restart,
// until it is released.
func TestHoldAndRelease(t *testing.T) {
	w := newWorld(t)
	w.reply = func(string) string { return "Zlater\n" }
	w.start()
	n := w.queue("ann@far.example", "bob@far.example", "joe@example.org")
	other := w.queue("ann@far.example", "eve@far.example")
	w.wait("deferral", 3)
	w.want(w.ask(sendctl.Hold, n), n, sendctl.OK)
	if !queue.IsHeld(w.mtime(queue.Local, n), time.Now()) || !queue.IsHeld(w.mtime(queue.Remote, n), time.Now()) {
		t.Error("the files do not say that the message is held")
	}
	w.server.RunNow()
	w.wait("deferral", 4) // the other one
	w.want(w.ask(sendctl.Retry, n), n, "!it is held")
	w.stop()
	w.start()
	w.server.RunNow()
	w.wait("deferral", 5)
	if got := w.logged("to remote bob@far.example"); got != 1 {
		t.Errorf("the held message was tried %d times", got)
	}
	w.want(w.ask(sendctl.Release, other), other, "!it is not held")
	w.want(w.ask(sendctl.Release, n), n, sendctl.OK)
	w.wait("to remote bob@far.example", 2)
	w.wait("to local joe@example.org", 2)
	w.stop()
}

func TestRetry(t *testing.T) {
	w := newWorld(t)
	w.reply = func(string) string { return "Zlater\n" }
	w.start()
	n := w.queue("ann@far.example", "bob@far.example")
	w.wait("deferral", 1)
	got := w.ask(sendctl.Retry, n, 4711)
	w.want(got, n, sendctl.OK)
	w.want(got, 4711, sendctl.Gone)
	w.wait("deferral", 2)
	w.stop()
}

// An order about a message that is being delivered waits for the delivery. No
// recipient is tried after that.
func TestOrderWaits(t *testing.T) {
	w := newWorld(t)
	w.control("concurrencyremote", "1")
	var once sync.Once
	gate := make(chan struct{})
	w.reply = func(string) string { <-gate; return "Zlater\n" }
	w.start()
	var recipients []string
	for i := range 200 {
		recipients = append(recipients, strings.Repeat("x", i+1)+"@far.example")
	}
	n := w.queue("ann@far.example", recipients...)
	w.wait("starting delivery", 1)
	w.want(w.ask(sendctl.Active), n, "remote 0")
	w.want(w.ask(sendctl.Hold, n), n, sendctl.Later)
	once.Do(func() { close(gate) })
	w.wait("command: hold msg", 1)
	w.server.RunNow()
	other := w.queue("ann@far.example", "eve@far.example")
	w.wait("deferral", 2)
	if got := w.logged("starting delivery"); got != 2 {
		t.Errorf("%d deliveries, want 2", got)
	}
	w.want(w.ask(sendctl.Delete, n, other), n, sendctl.OK)
	w.stop()
	if left := w.left(); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// Orders about messages that wait for a place of their destination leave the place
// to those behind them.
func TestOrderLeavesPlace(t *testing.T) {
	w := newWorld(t)
	w.control("concurrencydestination", "1")
	gate := make(chan struct{})
	w.reply = func(string) string { <-gate; return "Kok\n" }
	w.start()
	first := w.queue("ann@far.example", "a@far.example")
	w.wait("starting delivery", 1)
	var held []queue.Number
	for range 20 {
		n := w.queue("ann@far.example", "b@far.example")
		w.scheduled(n)
		held = append(held, n)
	}
	last := w.queue("ann@far.example", "c@far.example")
	w.scheduled(last)
	for n, words := range w.ask(sendctl.Hold, held...) {
		if words != sendctl.OK {
			t.Errorf("message %d: %q", n, words)
		}
	}
	close(gate)
	w.wait("end msg", 2)
	w.stop()
	if got := w.deliveries(); len(got) != 2 {
		t.Errorf("messages %d and %d: %q", first, last, got)
	}
}

func TestDelete(t *testing.T) {
	w := newWorld(t)
	w.submitter()
	w.reply = func(asked string) string {
		if strings.HasPrefix(asked, "local") {
			return "Dno\n"
		}
		return "Zlater\n"
	}
	w.start()
	n := w.queue("ann@far.example", "bob@far.example", "joe@example.org")
	w.wait("deferral", 1)
	w.wait("failure", 1)
	w.want(w.ask(sendctl.Delete, n), n, sendctl.OK)
	w.want(w.ask(sendctl.Delete, n), n, sendctl.Gone)
	w.stop()
	if left := w.left(); len(left) > 0 || len(w.bounces()) > 0 {
		t.Errorf("%q are left, bounces %q", left, w.bounces())
	}
	if got := w.q.ReadReports(queue.Remote, n); len(got) > 0 {
		t.Errorf("reports %v are left", got)
	}
}

// A message that cannot be preprocessed can be deleted.
func TestDeleteNew(t *testing.T) {
	w := newWorld(t)
	n := w.queue("ann@far.example", "bob@far.example")
	todo := filepath.Join(w.home, "queue", w.q.Name(queue.Todo, n))
	if err := os.WriteFile(todo, []byte("nonsense\x00"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.wait("unknown record type in todo/", 1)
	for {
		if got := w.ask(sendctl.Delete, n); got[n] == sendctl.OK {
			break
		}
	}
	w.stop()
	if left := w.left(); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// Who is left fails without another try, with the last report.
func TestBounceNow(t *testing.T) {
	w := newWorld(t)
	w.submitter()
	w.control("virtualdomains", "virtual.example:joe")
	w.reply = func(asked string) string {
		if strings.HasSuffix(asked, "done@far.example") {
			return "Kok\n"
		}
		return "ZConnected to 192.0.2.1 but greeting failed.\n"
	}
	w.start()
	n := w.queue("ann@far.example", "bob@far.example", "done@far.example", "x@virtual.example")
	w.wait("deferral", 2)
	w.wait("success", 1)
	w.want(w.ask(sendctl.Bounce, n), n, sendctl.OK)
	w.wait("end msg", 1)
	w.stop()
	bounces := w.bounces()
	want := "<x@virtual.example>:\nConnected to 192.0.2.1 but greeting failed.\n" + returned + "\n" +
		"<bob@far.example>:\nConnected to 192.0.2.1 but greeting failed.\n" + returned + "\n--- Below"
	if len(bounces) != 1 || !strings.Contains(bounces[0], want) {
		t.Errorf("bounces are %q", bounces)
	}
	if left := w.left(); len(left) > 0 || w.logged("starting delivery") != 3 {
		t.Errorf("%q are left; log %q", left, w.log)
	}
}

// After control files have changed, those who are left go other ways; those who
// had it do not get it again.
func TestReroute(t *testing.T) {
	w := newWorld(t)
	w.control("virtualdomains", "virtual.example:joe\nstays.example:joe")
	w.reply = func(asked string) string {
		if strings.HasSuffix(asked, "done@virtual.example") {
			return "Kok\n"
		}
		return "Zlater\n"
	}
	w.start()
	n := w.queue("ann@far.example", "a@virtual.example", "done@virtual.example", "b@far.example", "c@new.example", "d@stays.example", "joe@example.org")
	w.wait("deferral", 5)
	w.wait("success", 1)
	w.control("virtualdomains", "virtual.example:bob\nnew.example:eve\nstays.example:joe")
	w.server.Reload()
	w.reply = func(asked string) string { return "Kok\n" }
	w.wait("status: local 0/10 remote 0/20", 2)
	before := len(w.deliveries())
	w.want(w.ask(sendctl.Reroute, n), n, sendctl.OK)
	w.wait("end msg", 1)
	w.stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	var got []string
	for _, asked := range w.asked[before:] {
		ch, recipient, _ := strings.Cut(asked, " ann@far.example ")
		got = append(got, ch+" "+recipient)
	}
	slices.Sort(got)
	want := []string{"local bob-a@virtual.example", "local eve-c@new.example", "local joe-d@stays.example", "local joe@example.org", "remote b@far.example"}
	if !slices.Equal(got, want) {
		t.Errorf("deliveries %q, want %q", got, want)
	}
}

// The last report survives a restart, and goes with the recipient.
func TestReportsKept(t *testing.T) {
	w := newWorld(t)
	w.reply = func(asked string) string { return "Z" + asked + "\n" }
	w.start()
	n := w.queue("ann@far.example", "a@far.example", "b@far.example")
	w.wait("deferral", 2)
	w.stop()
	want := queue.Reports{0: "remote ann@far.example a@far.example\n", 15: "remote ann@far.example b@far.example\n"}
	if got := w.q.ReadReports(queue.Remote, n); len(got) != 2 || got[0] != want[0] || got[15] != want[15] {
		t.Errorf("reports %v, want %v", got, want)
	}
	w.reply = func(string) string { return "Kok\n" }
	w.start()
	w.ask(sendctl.Retry, n)
	w.wait("end msg", 1)
	w.stop()
	if got := w.q.ReadReports(queue.Remote, n); len(got) > 0 {
		t.Errorf("reports %v are left", got)
	}
}

// Reports about a message that somebody has deleted by hand go at the next start.
func TestReportsCleaned(t *testing.T) {
	w := newWorld(t)
	if err := w.q.MergeReports(queue.Remote, 7, queue.Reports{0: "later\n"}); err != nil {
		t.Fatal(err)
	}
	(&Server{q: w.q, stopping: make(chan struct{})}).cleanReports()
	if got := w.q.ReadReports(queue.Remote, 7); len(got) > 0 {
		t.Errorf("reports %v are left", got)
	}
}

// Whatever is asked while mail flows, each message is delivered once.
func TestOrdersWhileMailFlows(t *testing.T) {
	w := newWorld(t)
	w.start()
	var numbers []queue.Number
	for range 150 {
		numbers = append(numbers, w.queue("ann@far.example", "joe@example.org", "bob@far.example"))
		if len(numbers)%10 == 0 {
			w.ask(sendctl.Hold, numbers...)
			w.ask(sendctl.Retry, numbers...)
			w.ask(sendctl.Reroute, numbers...)
			w.ask(sendctl.Release, numbers...)
		}
	}
	w.ask(sendctl.Release, numbers...)
	w.wait("end msg", 150)
	w.stop()
	if left := w.left(); len(left) > 0 || len(w.deliveries()) != 300 {
		t.Errorf("%q are left, %d deliveries, want 300", left, len(w.deliveries()))
	}
}

func TestBadRequests(t *testing.T) {
	w := newWorld(t)
	w.start()
	c := w.connect()
	var refused *sendctl.RefusedError
	if err := c.Ask(sendctl.Request{Verb: "dance"}, nil); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
	c.WriteLines("hold \x00")
	if line, err := c.ReadLine(); err == nil {
		t.Errorf("got %q", line)
	}
	w.stop()
}

func TestOffline(t *testing.T) {
	w := newWorld(t)
	w.submitter()
	w.reply = func(string) string { return "Zlater\n" }
	w.start()
	held := w.queue("ann@far.example", "a@far.example")
	bounced := w.queue("ann@far.example", "b@far.example")
	deleted := w.queue("ann@far.example", "c@far.example")
	rerouted := w.queue("ann@far.example", "d@far.example")
	w.wait("deferral", 4)
	w.stop()
	w.control("locals", "example.org\nfar.example")
	tool, err := NewOffline(w.q, w.home, time.Now, func(remove func() bool) bool { return remove() })
	if err != nil {
		t.Fatal(err)
	}
	for verb, n := range map[string]queue.Number{sendctl.Hold: held, sendctl.Bounce: bounced, sendctl.Delete: deleted, sendctl.Reroute: rerouted} {
		if got := tool.Do(verb, n, 0); got != sendctl.OK {
			t.Errorf("%s: %q", verb, got)
		}
	}
	if got := tool.Do(sendctl.Retry, 4711, 0); got != sendctl.Gone {
		t.Errorf("got %q", got)
	}
	w.start()
	w.wait("end msg", 1)
	w.wait("to local d@far.example", 1)
	w.stop()
	if len(w.bounces()) != 1 || w.logged("starting delivery") != 5 {
		t.Errorf("bounces %q, log %q", w.bounces(), w.log)
	}
}

func TestUndo(t *testing.T) {
	w := newWorld(t)
	w.control("virtualdomains", "v.example:joe-v\nann@mx.example:ann\n.wild.example:w\nexcept.wild.example:")
	c, err := LoadConfig(filepath.Join(w.home, "control"))
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{
		"joe-v-x-y@v.example":     "x-y@v.example",
		"ann-ann@mx.example":      "ann@mx.example",
		"w-a@b.wild.example":      "a@b.wild.example",
		"joe-v-x@example.org":     "joe-v-x@example.org",
		"w-a@except.wild.example": "",
		"x@v.example":             "",
	} {
		if got, ok := c.Routes.Undo(addr); got != want || ok != (want != "") {
			t.Errorf("Undo(%q) = %q, %v, want %q", addr, got, ok, want)
		}
	}
}

// TestStopWithMany ends qmail-send while more want to talk to it than can at a time.
func TestStopWithMany(t *testing.T) {
	w := newWorld(t)
	w.start()
	for range talksAtOnce {
		w.connect()
	}
	for range 3 {
		c, err := sendctl.Dial(filepath.Join(w.home, "queue", sendctl.Path))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	w.stop()
}
