//go:build linux && amd64

package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"goqmail/internal/qq"
	"goqmail/internal/smtpsink"
)

// Mail of the scenario of the whole system.
const (
	toPat    = "pat@here.test"
	toBob    = "bob@here.test"
	toFred   = "fred@here.test"
	toNobody = "nobody@here.test"
	toFriend = "friend@elsewhere.test"
)

// mail is one message. Its name is also its subject.
type mail struct {
	name string
	to   []string
	text string

	accepted bool
	refused  string // by whom it was tried, and what they said
}

func newMail(name string, size int, to ...string) *mail {
	line := "the text of " + name + ", line after line\n"
	text := "Subject: " + name + "\n\n" + strings.Repeat(line, size/len(line)+1) + "end of " + name + "\n"
	return &mail{name: name, to: to, text: text}
}

// patience is after how long something is said to hang.
const patience = 25 * time.Second

// world is a system that delivers some mail.
type world struct {
	*outcome
	plan  plan
	env   []string
	early []*mail   // queued before the system is started
	waves [][]*mail // and afterwards, each when the one before is done

	sink struct {
		sync.Mutex
		got []string
	}
	log     syncBuffer
	stopped bool // something had to be started again
	forced  bool // the first run had to be killed
}

// syncBuffer takes what programs say.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// deliver has the whole system deliver mail while a plan is carried out, and then, if
// that has ended it, once more without.
func deliver(o *outcome, p plan, many bool, env ...string) {
	w := &world{outcome: o, plan: p}
	w.env = append([]string{"PATH=/usr/bin:/bin"}, env...)
	w.early = []*mail{
		newMail("first", 100<<10, toPat), newMail("second", 3000, toBob), newMail("third", 70<<10, toFriend),
		newMail("fourth", 500, toNobody), newMail("fifth", 500, toPat, toFriend, toBob),
	}
	w.waves = [][]*mail{{newMail("sixth", 900, toFred), newMail("seventh", 2000, toFriend), newMail("eighth", 40<<10, toPat)}}
	if many {
		w.hurry()
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	defer listener.Close()
	go (&smtpsink.Server{Deliver: w.arrived}).Serve(ctx, listener)
	fresh(map[string]string{"me": "here.test\n", "smtproutes": ":" + listener.Addr().String() + "\n"})

	w.submit(w.early)
	w.run(true)
	w.Log = w.log.String()
	if w.restarts() {
		w.stopped = true
		w.run(false)
		w.Log += "-- again --\n" + w.log.String()
	}
	w.judge()
}

// hurry adds so many messages that some are delivered straight from todo, and some that
// come so late that they may use files of others again.
func (w *world) hurry() {
	for i := range 24 {
		w.early = append(w.early, newMail("one of many, "+string(rune('a'+i)), 300, []string{toPat, toFriend}[i%2]))
	}
	w.waves = append(w.waves, []*mail{newMail("ninth", 5000, toPat), newMail("tenth", 200, toFriend), newMail("eleventh", 400, toNobody)})
}

// mails are all messages.
func (w *world) mails() []*mail { return append(slices.Clip(w.early), slices.Concat(w.waves...)...) }

func (w *world) arrived(m *smtpsink.Message) error {
	w.sink.Lock()
	defer w.sink.Unlock()
	w.sink.got = append(w.sink.got, string(m.Text()))
	return nil
}

// restarts reports whether a second run has something to do.
func (w *world) restarts() bool {
	return w.busy() || slices.ContainsFunc(w.mails(), func(m *mail) bool { return !m.accepted })
}

// submit queues mail that was not accepted before.
func (w *world) submit(mails []*mail) {
	q := qq.Queue{Home: home, Env: w.env}
	limit := patience
	if strings.HasSuffix(w.plan.Action, forGood) {
		limit = 2 * time.Second // a client waits for 10 seconds, for each message
	}
	reap := time.AfterFunc(limit, func() {
		if limit == patience {
			w.log.Write([]byte("it hangs, with a message\n"))
		}
		reapTraced()
	})
	defer func() { w.forced = !reap.Stop() || w.forced }()
	for _, m := range mails {
		if m.accepted {
			continue
		}
		message, err := q.Open()
		if err == nil {
			message.WriteString(m.text)
			message.From(toPat)
			for _, to := range m.to {
				message.To(to)
			}
			err = message.Close()
		}
		if err == nil {
			m.accepted = true
			continue
		}
		m.refused = err.Error()
	}
}

// run runs the system until there is nothing left to do, or it ends itself.
func (w *world) run(faulty bool) {
	w.log.text.Reset()
	reportFile := "/var/report"
	argv := []string{home + "/bin/qmail-start", "./Maildir/"}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = w.env
	if faulty {
		cmd = under(w.plan, argv, w.env)
	}
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", &w.log, &w.log
	must(cmd.Start())
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	w.attend(cmd.Process, ended, faulty)
	if faulty {
		must(w.read(reportFile))
	}
}

// under is a program to be run under a plan.
func under(p plan, argv, env []string) *exec.Cmd {
	p.Report = "/var/report"
	os.Remove(p.Report)
	if p.Files == 0 {
		p.Files = 3
	}
	text, err := json.Marshal(p)
	must(err)
	cmd := exec.Command("/proc/self/exe", argv...)
	cmd.Env = append(slices.Clip(env), traced+"="+string(text))
	return cmd
}

func (o *outcome) read(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &o.Report); err != nil {
		return err
	}
	if o.Report.Err != "" {
		return fmt.Errorf("the tracer: %s", o.Report.Err)
	}
	return nil
}

// waits are log lines that say that something will be done some minutes later. The test
// has it done after a restart. For the fence seconds are waited.
var waits = regexp.MustCompile(`will try|sleeping|(warning|alert): (trouble|unable to ([^k]|k[^e]))`)

// attend waits for the system's end, and brings it about.
func (w *world) attend(start *os.Process, ended <-chan struct{}, faulty bool) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := patience
	if faulty && strings.HasSuffix(w.plan.Action, forGood) {
		limit = 3 * time.Second // as it may not get any further
	}
	deadline := time.Now().Add(limit)
	told, submitted, n := false, 0, 0
	next := func() bool { // all is done that was handed over
		if n++; submitted == 0 {
			_, err := os.Stat(home + "/queue/socket")
			return err == nil || n > 100
		}
		return !w.busy()
	}
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		idle := next()
		if idle && submitted < len(w.waves) {
			w.submit(w.waves[submitted])
			submitted++
			idle = false
		}
		if submitted > 0 && n%20 == 0 && strings.Contains(w.log.String(), "status: ") {
			start.Signal(syscall.SIGALRM) // before, there would be nobody to obey it
		}
		if faulty && !told && limit == patience && waits.MatchString(w.log.String()) {
			limit = time.Second
			deadline = time.Now().Add(limit)
		}
		switch {
		case time.Now().After(deadline) && told:
			if limit == patience {
				w.problem("it does not end")
			}
			if faulty {
				w.forced = true
				start.Signal(syscall.SIGQUIT)
			} else {
				syscall.Kill(-1, syscall.SIGKILL)
			}
			<-ended
			return
		case !told && (idle || time.Now().After(deadline)):
			if time.Now().After(deadline) && limit == patience {
				w.problem("it hangs")
			}
			told, deadline = true, time.Now().Add(limit)
			start.Signal(syscall.SIGTERM)
		}
	}
}

// busy reports whether there are messages in the queue. They are looked for twice, as
// they may go from one folder to another.
func (w *world) busy() bool {
	for range 2 {
		for _, pattern := range []string{"todo/*", "info/*/*", "local/*/*", "remote/*/*", "bounce/*"} {
			if found, _ := filepath.Glob(home + "/queue/" + pattern); len(found) > 0 {
				return true
			}
		}
	}
	return false
}
