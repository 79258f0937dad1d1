package send

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goqmail/bounce"
	"goqmail/queue"
)

// one returns the bounce that must be the only one, parsed.
func (w *world) one() *bounce.Bounce {
	w.t.Helper()
	all := w.bounces()
	if len(all) != 1 {
		w.t.Fatalf("there are %d bounces: %q", len(all), all)
	}
	return w.parse(all[0])
}

func (w *world) parse(text string) *bounce.Bounce {
	w.t.Helper()
	_, message, _ := strings.Cut(text, "\x00\x00")
	b, err := bounce.Parse(strings.NewReader(message))
	if err != nil {
		w.t.Fatalf("%q is not parsed: %v", text, err)
	}
	return b
}

// recipients counts the bounces that name a recipient.
func (w *world) recipients() map[string]int {
	w.t.Helper()
	told := map[string]int{}
	for _, text := range w.bounces() {
		for _, f := range w.parse(text).Failures {
			told[f.Recipient]++
		}
	}
	return told
}

// path is where a file of a message is.
func (w *world) path(kind queue.Kind, n queue.Number) string {
	return filepath.Join(w.home, "queue", w.q.Name(kind, n))
}

// age makes a message older.
func (w *world) age(n queue.Number, by time.Duration) {
	w.t.Helper()
	birth := time.Now().Add(-by)
	if err := os.Chtimes(w.path(queue.Info, n), birth, birth); err != nil {
		w.t.Fatal(err)
	}
}

func TestBounceControls(t *testing.T) {
	w := newWorld(t)
	w.submitter()
	w.control("bouncefrom", "robot")
	w.control("bouncehost", "bounces.example")
	w.control("custombouncetext", "# not this\nAsk postmaster@example.org.\n\n<joe@example.org>:")
	w.control("bouncemaxbytes", "70")
	w.reply = func(string) string { return "Dno\n" }
	w.start()
	n := w.queue("ann@far.example", "joe@example.org")
	w.wait("end msg", 1)
	w.stop()
	b := w.one()
	if !strings.Contains(b.Header, "\nFrom: robot@bounces.example\n") {
		t.Errorf("the header is %q", b.Header)
	}
	if !strings.HasPrefix(b.Intro, "Hi. This is the qmail-send program at bounces.example.\n") ||
		!strings.HasSuffix(b.Intro, "work out.\nAsk postmaster@example.org.\n <joe@example.org>:\n\n") {
		t.Errorf("the introduction is %q", b.Intro)
	}
	copied := string(b.Original)
	if !b.Stripped() || !strings.Contains(copied, "\nReceived: (qmail ") || strings.Contains(copied, "body") {
		t.Errorf("the copy of message %d is %q", n, copied)
	}
}

func TestDoubleBounces(t *testing.T) {
	for _, tt := range []struct{ to, logged, sent string }{
		{"", "double bounce: discarding bounce/", ""},
		{"keeper\n", "bounce msg", "F#@[]\x00Tkeeper@mx.example.org\x00\x00"},
	} {
		w := newWorld(t)
		w.submitter()
		w.control("doublebounceto", tt.to)
		w.reply = func(string) string { return "Dno\n" }
		w.start()
		w.queue("", "joe@example.org")
		w.wait("end msg", 1)
		w.stop()
		bounces := w.bounces()
		if w.logged(tt.logged) != 1 || (len(bounces) == 1) != (tt.sent != "") {
			t.Errorf("doublebounceto %q: %d double bounces", tt.to, len(bounces))
		}
		for _, b := range bounces {
			if !strings.HasPrefix(b, tt.sent) {
				t.Errorf("doublebounceto %q: the double bounce is %q", tt.to, b)
			}
		}
	}
}

func TestBounceLifetime(t *testing.T) {
	w := newWorld(t)
	w.submitter()
	w.control("bouncelifetime", "3600")
	w.reply = func(string) string { return "Zlater\n" }
	w.start()
	old := w.queue("", "joe@example.org")
	w.wait("deferral", 1)
	young := w.queue("ann@far.example", "joe@example.org")
	w.wait("deferral", 2)
	w.age(old, 2*time.Hour)
	w.age(young, 2*time.Hour)
	w.server.RunNow()
	w.wait("end msg", 1)
	w.wait("deferral", 3)
	w.stop()
	if w.logged("end msg "+old.String()) != 1 || w.logged("failure: later/I'm_not_going_to_try_again") != 1 {
		t.Errorf("the log is %q", w.log)
	}
}

// Whatever is wanted, a double bounce that fails is the end, so that there are no
// loops.
func TestTripleBounce(t *testing.T) {
	w := newWorld(t)
	w.submitter()
	for file, value := range map[string]string{"bounceinterval": "1", "bouncemime": "1", "delaywarning": "1", "bouncelifetime": "0"} {
		w.control(file, value)
	}
	later(w, func(to string, try int) bool { return to == "dead@far.example" || try == 2 })
	w.start()
	w.queue("#@[]", "dead@far.example", "slow@far.example")
	w.wait("triple bounce: discarding bounce/", 1)
	w.server.RunNow()
	w.wait("triple bounce: discarding bounce/", 2)
	w.wait("end msg", 1)
	w.stop()
	if all := w.bounces(); len(all) > 0 || w.logged("qp ") != 1 {
		t.Errorf("somebody is told of a double bounce: %q", all)
	}
}

// 8-bit, binary and long originals come back as they were, in either form.
func TestBounceKeepsOriginal(t *testing.T) {
	for _, mime := range []string{"0", "1"} {
		w := newWorld(t)
		w.submitter()
		w.control("bouncemime", mime)
		w.reply = func(string) string { return "D\xff\xfe no (#5.1.1)\n" }
		message := "Subject: \xe4\n\n\x00\x01\r\n--- x\n\n" + strings.Repeat("\xc3\xa4", 100000) + "\r"
		n, err := w.q.Submit(strings.NewReader(message), strings.NewReader("Fann@far.example\x00Tjoe@example.org\x00\x00"), queue.Origin{Time: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		w.start()
		w.wait("end msg "+n.String(), 1)
		w.stop()
		b := w.one()
		if !strings.HasSuffix(string(b.Original), "\n"+message) || !strings.HasPrefix(string(b.Original), "Return-Path: <ann@far.example>\nReceived: ") {
			t.Errorf("bouncemime %s: the copy is %.200q", mime, b.Original)
		}
		if multipart := strings.Contains(b.Header, "\nContent-Type: multipart/report;"); multipart != (mime == "1") {
			t.Errorf("bouncemime %s: the header is %q", mime, b.Header)
		}
		if len(b.Failures) != 1 || b.Failures[0] != (bounce.Failure{Recipient: "joe@example.org", Report: "\xff\xfe no (#5.1.1)\n"}) {
			t.Errorf("bouncemime %s: the failures are %q", mime, b.Failures)
		}
	}
}

// later answers with a failure for some recipients, once they may fail.
func later(w *world, fail func(recipient string, try int) bool) {
	tries := map[string]int{}
	w.reply = func(asked string) string {
		to := asked[strings.LastIndexByte(asked, ' ')+1:]
		w.mu.Lock()
		defer w.mu.Unlock()
		tries[to]++
		if fail(to, tries[to]) {
			return "Dno " + to + "\n"
		}
		return "Zlater\n"
	}
}

// One failure is told at once while another recipient is still tried; the next
// one waits until the interval is over, or for another qmail-send.
func TestBounceEarly(t *testing.T) {
	w := newWorld(t)
	w.submitter()
	w.control("bounceinterval", "3600")
	later(w, func(to string, try int) bool {
		return to == "dead@far.example" || to == "dying@far.example" && try == 2
	})
	w.start()
	n := w.queue("ann@far.example", "dead@far.example", "dying@far.example", "slow@far.example")
	w.wait("bounce msg", 1)
	w.wait("deferral", 2)
	w.server.RunNow()
	w.wait("failure", 2)
	w.wait("deferral", 3)
	w.stop()
	if told := w.recipients(); len(told) != 1 || told["dead@far.example"] != 1 {
		t.Errorf("told of %v, want of the dead recipient once", told)
	}
	if _, err := os.Stat(w.path(queue.Bounce, n)); err != nil {
		t.Errorf("the second failure is forgotten: %v", err)
	}
	w.start()
	w.server.RunNow()
	w.wait("bounce msg", 2)
	w.stop()
	if told := w.recipients(); len(told) != 2 || told["dead@far.example"] != 1 || told["dying@far.example"] != 1 {
		t.Errorf("told of %v, want of both failures once", told)
	}
	if w.logged("end msg") != 0 {
		t.Error("the message has ended, but not for the slow recipient")
	}
}

// What has to wait is told when its time has come, and a message does not end
// before.
func TestBounceIntervalPasses(t *testing.T) {
	w := newWorld(t)
	w.submitter()
	w.control("bounceinterval", "1")
	later(w, func(to string, try int) bool {
		i := strings.Index("abc", to[:1])
		return try > i
	})
	w.start()
	w.queue("ann@far.example", "a@far.example", "b@far.example", "c@far.example")
	for i := 1; i <= 3; i++ {
		w.wait("bounce msg", i)
		w.wait("deferral", map[int]int{1: 2, 2: 3, 3: 3}[i])
		w.server.RunNow()
	}
	w.wait("end msg", 1)
	w.stop()
	if told := w.recipients(); len(told) != 3 || told["a@far.example"]+told["b@far.example"]+told["c@far.example"] != 3 {
		t.Errorf("told of %v, want of each once", told)
	}
	if left := w.left(); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

func TestEarly(t *testing.T) {
	var e early
	now := time.Unix(1000, 0)
	if !e.quietUntil(1, now, time.Minute).IsZero() || e.wait(1, true) {
		t.Error("a message has to wait without a notice before")
	}
	e.note(1, now, time.Minute)
	if got := e.quietUntil(1, now.Add(59*time.Second), time.Minute); !got.Equal(now.Add(time.Minute)) {
		t.Errorf("the next notice is due at %v", got)
	}
	if !e.quietUntil(1, now.Add(time.Minute), time.Minute).IsZero() {
		t.Error("the interval does not end")
	}
	if !e.wait(1, true) || e.wait(1, true) || !e.wait(1, false) {
		t.Error("what waits is not known")
	}
	e.forget(1)
	if !e.quietUntil(1, now, time.Minute).IsZero() {
		t.Error("a message is not forgotten")
	}
	for n := range queue.Number(10000) {
		e.note(n, now.Add(time.Duration(n)*time.Second), time.Minute)
	}
	if len(e.last) > 1000 {
		t.Errorf("%d notices are remembered", len(e.last))
	}
}

// A failed try to tell early loses nothing.
func TestBounceEarlyWaits(t *testing.T) {
	w := newWorld(t)
	w.control("bounceinterval", "60")
	later(w, func(to string, _ int) bool { return to == "dead@far.example" })
	w.start()
	w.queue("ann@far.example", "dead@far.example", "slow@far.example")
	w.wait("trouble injecting bounce message, will try later", 1)
	w.submitter()
	w.server.RunNow()
	w.wait("bounce msg", 1)
	w.stop()
	if told := w.recipients(); told["dead@far.example"] != 1 {
		t.Errorf("told of %v", told)
	}
}

// submit queues a message of one's own.
func (w *world) submit(message, sender string, recipients ...string) queue.Number {
	w.t.Helper()
	envelope := "F" + sender + "\x00T" + strings.Join(recipients, "\x00T") + "\x00\x00"
	n, err := w.q.Submit(strings.NewReader(message), strings.NewReader(envelope), queue.Origin{Time: time.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
	queue.PullTrigger(filepath.Join(w.home, "queue"))
	return n
}

func TestDelayWarning(t *testing.T) {
	w := newWorld(t)
	w.submitter()
	w.control("delaywarning", "4")
	w.control("virtualdomains", "v.example:user")
	later(w, func(to string, _ int) bool { return to == "dead@far.example" })
	w.start()
	n := w.submit("Subject: hello\n\nbody\n", "ann@x.example", "dead@far.example", "slow@far.example", "joe@v.example")
	w.wait("deferral", 2)
	w.server.RunNow()
	w.wait("deferral", 4)
	if got := w.logged("delay msg"); got != 0 {
		t.Fatalf("%d warnings about a young message", got)
	}
	w.age(n, 5*time.Hour)
	w.server.RunNow()
	w.wait("deferral", 6)
	w.wait("delay msg "+n.String()+" qp ", 1)
	w.stop()
	st, err := os.Stat(w.path(queue.Info, n))
	if err != nil || time.Since(st.ModTime()) < 5*time.Hour {
		t.Errorf("the birth of the message is %v, %v", st.ModTime(), err)
	}
	// Another qmail-send knows.
	w.start()
	w.server.RunNow()
	w.wait("deferral", 8)
	w.stop()
	all := w.bounces()
	if len(all) != 1 {
		t.Fatalf("there are %d warnings: %q", len(all), all)
	}
	for _, want := range []string{
		"F\x00Tann@x.example\x00\x00Date: ", "\nTo: ann@x.example\n", "\nSubject: deferral notice\n", "\nAuto-Submitted: auto-replied\n",
		"\nFinal-Recipient: rfc822; slow@far.example\nAction: delayed\nStatus: 4.0.0\nDiagnostic-Code: x-qmail; later\n",
		"\nFinal-Recipient: rfc822; joe@v.example\nAction: delayed\n",
		"\nSubject: hello\n\n--=_",
	} {
		if !strings.Contains(all[0], want) {
			t.Errorf("the warning %q lacks %q", all[0], want)
		}
	}
	if strings.Contains(all[0], "dead@") || strings.Contains(all[0], "body") || strings.Contains(all[0], "user-joe") {
		t.Errorf("the warning %q says too much", all[0])
	}
}

func TestNoDelayWarning(t *testing.T) {
	for _, tt := range []struct{ name, hours, message, sender string }{
		{"not wanted", "0", "\n", "ann@x.example"},
		{"bounce", "4", "\n", ""},
		{"double bounce", "4", "\n", "#@[]"},
		{"list", "4", "\n", "list-@x.example-@[]"},
		{"bulk", "4", "precedence:  Bulk\n\n", "ann@x.example"},
		{"too young", "6", "\n", "ann@x.example"},
	} {
		w := newWorld(t)
		w.submitter()
		w.control("delaywarning", tt.hours)
		w.reply = func(string) string { return "Zlater\n" }
		w.start()
		n := w.submit(tt.message, tt.sender, "slow@far.example")
		w.wait("deferral", 1)
		w.age(n, 5*time.Hour)
		w.server.RunNow()
		w.wait("deferral", 2)
		w.stop()
		if all := w.bounces(); len(all) > 0 || w.logged("delay") > 0 {
			t.Errorf("%s: there is a warning: %q", tt.name, all)
		}
	}
}

// A warning that cannot be queued comes with the next try.
func TestDelayWarningWaits(t *testing.T) {
	w := newWorld(t)
	w.control("delaywarning", "4")
	w.reply = func(string) string { return "Zlater\n" }
	w.start()
	n := w.submit("\n", "ann@x.example", "slow@far.example")
	w.wait("deferral", 1)
	w.age(n, 5*time.Hour)
	w.server.RunNow()
	w.wait("warning: trouble injecting", 1)
	w.submitter()
	w.server.RunNow()
	w.wait("delay msg", 1)
	w.stop()
	if got := len(w.bounces()); got != 1 {
		t.Errorf("%d warnings, want 1", got)
	}
}

func TestDelayWarningNamesSome(t *testing.T) {
	w := newWorld(t)
	var envelope strings.Builder
	for i := range maxDelayed + 5 {
		fmt.Fprintf(&envelope, "T%d@far.example\x00", i)
	}
	envelope.WriteString("Ddone@far.example\x00")
	os.WriteFile(w.path(queue.Remote, 4), []byte(envelope.String()), 0o600)
	s := &Server{q: w.q}
	recipients, more := s.delayed(4, time.Now(), map[queue.Kind]queue.Reports{queue.Remote: {0: "new\n"}})
	if len(recipients) != maxDelayed || more != 5 || recipients[0] != (bounce.Failure{Recipient: "0@far.example", Report: "new"}) {
		t.Errorf("%d recipients, %d more, the first is %q", len(recipients), more, recipients[0])
	}
}

// A crash between telling and forgetting tells twice, and never not at all.
func TestBounceEarlyCrash(t *testing.T) {
	w := newWorld(t)
	w.submitter()
	w.control("bounceinterval", "3600")
	later(w, func(to string, try int) bool {
		return to == "dead@far.example" || to == "dying@far.example" && try == 2
	})
	w.start()
	n := w.submit("\n", "ann@far.example", "dead@far.example", "dying@far.example", "slow@far.example")
	w.wait("bounce msg", 1)
	w.wait("deferral", 2)
	w.stop()
	// As if the removal had not come to the disk.
	os.WriteFile(w.path(queue.Bounce, n), []byte(bounce.Paragraph("dead@far.example", "no\n")), 0o600)
	w.start()
	w.server.RunNow()
	w.wait("bounce msg", 2)
	w.stop()
	if told := w.recipients(); told["dead@far.example"] != 2 || told["dying@far.example"] != 1 {
		t.Errorf("told of %v", told)
	}
}
