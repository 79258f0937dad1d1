package send

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"goqmail/internal/durable"
	"goqmail/internal/qq"
	"goqmail/queue"
)

// world is a qmail-send with spawners and a qmail-clean that the test plays.
type world struct {
	t      *testing.T
	home   string
	q      *queue.Queue
	server *Server
	done   chan struct{} // closed when Run has returned

	mu      sync.Mutex
	changed sync.Cond
	log     []string
	asked   []string // deliveries, as "channel sender recipient"

	// reply gives the report of a delivery; "" means that none comes.
	reply func(asked string) string
	now   func() time.Time
	fs    durable.FS  // if not the folder's own
	pipes []io.Closer // to those whom the test plays
	many  int         // as in Options
	// straight is as in Options.
	straight time.Duration
	// oldClean has a qmail-clean that knows foop/N and todo/N only.
	oldClean bool
}

// newWorld makes a home; start runs qmail-send on it.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, home: t.TempDir(), now: time.Now, reply: func(string) string { return "Kok\n" }}
	w.changed.L = &w.mu
	if err := queue.Make(filepath.Join(w.home, "queue"), 3); err != nil {
		t.Fatal(err)
	}
	os.Mkdir(filepath.Join(w.home, "control"), 0o755)
	w.control("me", "mx.example.org")
	w.control("locals", "example.org")
	var err error
	if w.q, err = queue.Open(durable.NewDir(filepath.Join(w.home, "queue"))); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) control(name, text string) {
	if err := os.WriteFile(filepath.Join(w.home, "control", name), []byte(text+"\n"), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// Write takes qmail-send's log.
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for line := range strings.Lines(string(p)) {
		w.log = append(w.log, strings.TrimSuffix(line, "\n"))
	}
	w.changed.Broadcast()
	return len(p), nil
}

func (w *world) start() {
	w.t.Helper()
	pair := func() (Spawner, io.Reader, io.WriteCloser) {
		fromSend, to := io.Pipe()
		from, toSend := io.Pipe()
		w.pipes = append(w.pipes, to)
		return Spawner{To: to, From: from}, fromSend, toSend
	}
	options := Options{Home: w.home, FS: w.fs, Log: w, Now: w.now, Many: w.many, Straight: w.straight, Submit: func() (Submission, error) {
		return qq.Queue{Home: w.home, Program: filepath.Join(w.home, "submit"), Env: os.Environ()}.Open()
	}}
	var in io.Reader
	var out io.WriteCloser
	options.Local, in, out = pair()
	go w.spawn("local", in, out)
	options.Remote, in, out = pair()
	go w.spawn("remote", in, out)
	clean, commands, answers := pair()
	options.Clean = Clean(clean)
	if w.oldClean {
		commands = unknowing{commands}
	}
	go func() { w.q.Clean(commands, answers, time.Now, nil); answers.Close() }()
	var err error
	if w.server, err = Start(options); err != nil {
		w.t.Fatal(err)
	}
	w.done = make(chan struct{})
	go func() { w.server.Run(); close(w.done) }()
}

// unknowing has commands that another qmail does not know become such that none does.
type unknowing struct{ io.Reader }

func (u unknowing) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	copy(p, strings.ReplaceAll(string(p[:n]), "done/", "DONE/"))
	return n, err
}

func (w *world) stop() {
	w.server.Stop()
	<-w.done
	for _, pipe := range w.pipes {
		pipe.Close()
	}
	w.pipes = nil
}

// spawn plays a spawner.
func (w *world) spawn(ch string, in io.Reader, out io.WriteCloser) {
	defer out.Close()
	out.Write([]byte{120})
	br := bufio.NewReader(in)
	var writing sync.Mutex
	for {
		place, err := br.ReadByte()
		if err != nil {
			return
		}
		br.ReadString(0)
		sender, _ := br.ReadString(0)
		recipient, _ := br.ReadString(0)
		asked := ch + " " + strings.TrimSuffix(sender, "\x00") + " " + strings.TrimSuffix(recipient, "\x00")
		w.mu.Lock()
		w.asked = append(w.asked, asked)
		w.changed.Broadcast()
		w.mu.Unlock()
		go func() {
			report := w.reply(asked)
			if report == "" {
				return
			}
			writing.Lock()
			defer writing.Unlock()
			out.Write(slices.Concat([]byte{place}, []byte(report), []byte{0}))
		}()
	}
}

// queue puts a message into the queue and pulls the trigger.
func (w *world) queue(sender string, recipients ...string) queue.Number {
	w.t.Helper()
	envelope := "F" + sender + "\x00"
	for _, r := range recipients {
		envelope += "T" + r + "\x00"
	}
	n, err := w.q.Submit(strings.NewReader("Subject: test\n\nbody\n"), strings.NewReader(envelope+"\x00"), queue.Origin{UID: 1, PID: os.Getpid(), Time: time.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
	queue.PullTrigger(filepath.Join(w.home, "queue"))
	return n
}

// wait returns when a line with that text has been logged so many times.
func (w *world) wait(text string, times int) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.count(text) < times {
		w.changed.Wait()
	}
}

func (w *world) count(text string) int {
	count := 0
	for _, line := range w.log {
		if strings.Contains(line, text) {
			count++
		}
	}
	return count
}

// logged is how often a line with that text has been logged.
func (w *world) logged(text string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count(text)
}

func (w *world) deliveries() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(slices.Values(w.asked))
}

// left lists the files of messages.
func (w *world) left() []string {
	var names []string
	for _, pattern := range []string{"mess/*/*", "intd/*", "todo/*", "info/*/*", "local/*/*", "remote/*/*", "bounce/*"} {
		found, _ := filepath.Glob(filepath.Join(w.home, "queue", pattern))
		for _, name := range found {
			names = append(names, strings.TrimPrefix(name, w.home+"/queue/"))
		}
	}
	return names
}

// submitter makes the program that takes bounces: it keeps them below the home.
func (w *world) submitter() {
	script := fmt.Sprintf("#!/bin/sh\ncat >%[1]s/bounce.$$ && cat <&1 >%[1]s/envelope.$$\n", w.home)
	if err := os.WriteFile(filepath.Join(w.home, "submit"), []byte(script), 0o755); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) bounces() []string {
	var all []string
	names, _ := filepath.Glob(filepath.Join(w.home, "bounce.*"))
	for _, name := range names {
		text, _ := os.ReadFile(name)
		envelope, _ := os.ReadFile(strings.Replace(name, "bounce.", "envelope.", 1))
		all = append(all, string(envelope)+string(text))
	}
	return all
}

func TestDelivery(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.queue("ann@far.example", "joe@example.org", "bob@far.example")
	w.wait("end msg", 1)
	w.stop()
	want := []string{"local ann@far.example joe@example.org", "remote ann@far.example bob@far.example"}
	if got := w.deliveries(); !slices.Equal(got, want) {
		t.Errorf("deliveries %q, want %q", got, want)
	}
	if left := w.left(); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

func TestFoundInQueue(t *testing.T) {
	w := newWorld(t)
	for range 100 {
		w.queue("ann@far.example", "joe@example.org")
	}
	w.start()
	w.wait("end msg", 100)
	w.stop()
	if got := len(w.deliveries()); got != 100 {
		t.Errorf("%d deliveries, want 100", got)
	}
}

func TestBounce(t *testing.T) {
	w := newWorld(t)
	w.submitter()
	w.reply = func(asked string) string {
		if strings.HasPrefix(asked, "local") {
			return "DSorry, no mailbox here by that name. (#5.1.1)\n"
		}
		return "Kok\n"
	}
	w.start()
	n := w.queue("ann@far.example", "joe@example.org", "bob@far.example")
	w.wait("end msg", 1)
	w.stop()
	bounces := w.bounces()
	if len(bounces) != 1 || !strings.HasPrefix(bounces[0], "F\x00Tann@far.example\x00\x00Date: ") ||
		!strings.Contains(bounces[0], "\n<joe@example.org>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n--- Below") {
		t.Errorf("bounces are %q", bounces)
	}
	if w.logged("bounce msg "+n.String()+" qp ") != 1 {
		t.Errorf("the log does not tell of the bounce: %q", w.log)
	}
}

// A bounce that cannot be queued waits, and nothing is lost meanwhile.
func TestBounceWaits(t *testing.T) {
	w := newWorld(t)
	w.reply = func(string) string { return "Dno\n" }
	w.start()
	n := w.queue("ann@far.example", "joe@example.org")
	w.wait("trouble injecting bounce message, will try later", 1)
	w.stop()
	want := []string{w.q.Name(queue.Mess, n), w.q.Name(queue.Info, n), w.q.Name(queue.Bounce, n)}
	if left := w.left(); !slices.Equal(left, want) {
		t.Errorf("%q are left, want %q", left, want)
	}
	w.submitter()
	w.start()
	w.wait("end msg", 1)
	w.stop()
	if got := len(w.bounces()); got != 1 {
		t.Errorf("%d bounces, want 1", got)
	}
}

func TestDeferral(t *testing.T) {
	w := newWorld(t)
	w.reply = func(string) string { return "Zlater\n" }
	w.start()
	n := w.queue("ann@far.example", "bob@far.example")
	w.wait("deferral", 1)
	w.server.RunNow()
	w.wait("deferral", 2)
	w.stop()
	st, err := os.Stat(filepath.Join(w.home, "queue", w.q.Name(queue.Remote, n)))
	if err != nil {
		t.Fatal(err)
	}
	if in := time.Until(st.ModTime()); in < 390*time.Second || in > 410*time.Second {
		t.Errorf("the next try is in %v, want 400 s", in)
	}
	// Another qmail-send keeps to the time.
	w.start()
	w.wait("status: local 0/10 remote 0/20", 1)
	w.stop()
	if got := len(w.deliveries()); got != 2 {
		t.Errorf("%d deliveries, want 2", got)
	}
}

// scheduled returns when a message is preprocessed and handed over.
func (w *world) scheduled(n queue.Number) {
	w.t.Helper()
	in := w.server.intake
	for {
		has, err := w.q.Has(queue.Todo, n)
		in.mu.Lock()
		busy := in.busy[n]
		in.mu.Unlock()
		if err != nil {
			w.t.Fatal(err)
		}
		if !has && !busy {
			return
		}
		time.Sleep(time.Millisecond) // nothing is logged then
	}
}

// A message with many recipients takes turns with others.
func TestListLeavesRoom(t *testing.T) {
	w := newWorld(t)
	w.control("concurrencylocal", "2")
	gate := make(chan struct{})
	var once sync.Once
	var afterOther int
	w.reply = func(asked string) string {
		if strings.HasSuffix(asked, "other@example.org") {
			once.Do(func() { afterOther = len(w.deliveries()) })
		}
		<-gate
		return "Kok\n"
	}
	w.start()
	var list []string
	for i := range 500 {
		list = append(list, fmt.Sprintf("%d@example.org", i))
	}
	w.queue("list@far.example", list...)
	w.wait("starting delivery", 2)
	w.scheduled(w.queue("ann@far.example", "other@example.org"))
	close(gate)
	w.wait("end msg", 2)
	w.stop()
	if afterOther == 0 || afterOther > 250 {
		t.Errorf("the other message is delivery %d of 501", afterOther)
	}
}

// A flood of new mail is taken in while deliveries go on, each beside the other.
func TestFloodAndDeliveries(t *testing.T) {
	w := newWorld(t)
	var once sync.Once
	flooded := make(chan struct{})
	w.reply = func(asked string) string {
		once.Do(func() { <-flooded }) // the first delivery takes as long as the flood
		return "Kok\n"
	}
	w.start()
	for range 300 {
		w.queue("ann@far.example", "joe@example.org")
	}
	w.wait("new msg", 300)
	close(flooded)
	w.wait("end msg", 300)
	w.stop()
	if left := w.left(); len(left) > 0 {
		t.Errorf("%d files are left", len(left))
	}
}

func TestReload(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.queue("ann@far.example", "joe@new.example")
	w.wait("end msg", 1)
	w.control("locals", "new.example")
	w.control("concurrencylocal", "3")
	w.server.Reload()
	w.wait("status: local 0/3 remote 0/20", 1)
	w.queue("ann@far.example", "joe@new.example")
	w.wait("end msg", 2)
	// A bad file: everything stays.
	w.control("concurrencylocal", "4")
	os.Remove(filepath.Join(w.home, "control/percenthack"))
	os.Mkdir(filepath.Join(w.home, "control/percenthack"), 0o755)
	w.server.Reload()
	w.wait("alert: unable to reread control/percenthack", 1)
	w.queue("ann@far.example", "joe@new.example")
	w.wait("end msg", 3)
	w.stop()
	if w.logged("/4") != 0 {
		t.Error("half of the bad control files was taken over")
	}
	want := []string{"local ann@far.example joe@new.example", "local ann@far.example joe@new.example", "remote ann@far.example joe@new.example"}
	if got := w.deliveries(); !slices.Equal(got, want) {
		t.Errorf("deliveries %q, want %q", got, want)
	}
}

// Files that somebody deletes under qmail-send are no trouble.
func TestFilesVanish(t *testing.T) {
	w := newWorld(t)
	w.reply = func(string) string { return "Zlater\n" }
	w.start()
	n := w.queue("ann@far.example", "bob@far.example")
	w.wait("deferral", 1)
	for _, kind := range []queue.Kind{queue.Remote, queue.Info, queue.Mess} {
		os.Remove(filepath.Join(w.home, "queue", w.q.Name(kind, n)))
	}
	w.server.RunNow()
	w.wait(w.q.Name(queue.Remote, n)+" is gone", 1)
	w.stop()
	if left := w.left(); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

func TestStartFails(t *testing.T) {
	silent := Options{Now: time.Now, Log: io.Discard, Local: Spawner{From: strings.NewReader("")}}
	w := newWorld(t)
	for _, tt := range []struct {
		want  string
		spoil func(home string)
	}{
		{"hath the daemon spawn no fire?", func(string) {}},
		{"unable to open mutex", func(home string) { os.Remove(home + "/queue/lock/sendmutex") }},
		{"unable to switch to queue directory", func(home string) { os.Rename(home+"/queue", home+"/q") }},
		{"unable to read controls", func(home string) { os.Remove(home + "/control/me"); os.Mkdir(home+"/control/me", 0o755) }},
	} {
		tt.spoil(w.home)
		silent.Home = w.home
		if _, err := Start(silent); err == nil || err.Error() != tt.want {
			t.Errorf("Start fails with %v, want %s", err, tt.want)
		}
	}
}

func FuzzReadReports(f *testing.F) {
	f.Add([]byte("\x01Kok\n\x00\x00Dno\x00\x02\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var again []byte
		wire{}.readReports(strings.NewReader(string(data)), func(all []outcome) {
			for _, o := range all {
				if len(o.text) > maxReport {
					t.Errorf("a report of %d bytes", len(o.text))
				}
				again = append(append(append(again, byte(o.place)), o.text...), 0)
			}
		})
		if len(data) <= maxReport && !strings.HasPrefix(string(data), string(again)) {
			t.Errorf("%q is read as %q", data, again)
		}
	})
}

// FuzzSafe checks that nothing from outside can end a log line or begin another field.
func FuzzSafe(f *testing.F) {
	f.Add("a b\n%\xff")
	f.Fuzz(func(t *testing.T, text string) {
		got := safe(text)
		if len(got) != len(text) || strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' || r == '%' }) {
			t.Errorf("safe(%q) = %q", text, got)
		}
	})
}
