package hostile

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"goqmail/internal/smtpsink"
)

// places are the ways out. Each address has the number of a message at its end.
var places = []string{"joe-dir-", "joe-box-", "joe-program-", "joe-forward-", "joe-fail-", "friend-"}

// makePlaces makes what the addresses of joe's are for. Mail to joe-back is what
// comes back to the senders.
func (s *system) makePlaces() {
	s.t.Helper()
	for _, folder := range []string{"dir", "again", "back", "smuggled"} {
		if out, err := s.command("maildirmake", s.path("joe/"+folder)).CombinedOutput(); err != nil {
			s.t.Fatalf("maildirmake: %v %s", err, out)
		}
	}
	must(s.t, os.Mkdir(s.path("joe/programs"), 0o755))
	for name, text := range map[string]string{
		"dir-default": "./dir/\n", "box-default": "./box\n", "program-default": "|cat >programs/$DEFAULT; echo x >>programs/$DEFAULT.times\n",
		"forward-default": "&joe-again@here.test\n", "again": "./again/\n", "fail-default": "|exit 100\n",
		"back-default": "./back/\n", "smuggled": "./smuggled/\n",
	} {
		s.write("joe/.qmail-"+name, text)
	}
}

// TestMessages sends each message of the corpus by every way in to every way out. It
// is refused for good, and then there is nothing of it; or it arrives at each place
// once, to the byte, or comes back with a reason.
func TestMessages(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	must(t, os.Chown(s.home.Dir, s.home.UID, s.home.GID))
	must(t, os.Chown(s.path("joe"), s.home.UID, s.home.GID))
	s.makePlaces()
	sink := s.sink()
	s.begin()
	all := corpus()
	sent := &sentMessages{of: map[string][]byte{}, by: map[string]way{}}
	var senders sync.WaitGroup
	for i, w := range ways(s.listen("qmail-smtpd"), s.listen("qmail-qmtpd")) {
		senders.Go(func() {
			for j, m := range all {
				sent.send(s, w, m, strconv.Itoa(i*1000+j))
			}
		})
	}
	senders.Wait()
	// Each accepted message makes two more: the one forwarded, and a notice.
	s.log.Wait(t, "\nend msg ", 3*len(sent.of))
	peaks := s.peaks()
	log := s.end()
	if got := strings.Count(log, "\nnew msg "); got != 3*len(sent.of) {
		t.Errorf("%d messages were queued, want 3 for each of %d", got, len(sent.of))
	}
	if left := s.left(); len(left) > 0 {
		t.Errorf("%d files are left in the queue", len(left))
	}
	if strings.Contains(log, "deferral") || strings.Contains(log, "crashed") {
		t.Errorf("not everything went well:\n%.4000s", log)
	}
	a := s.arrivals(sink)
	for number, text := range sent.of {
		a.check(t, number, sent.by[number], text)
	}
	if got, _ := os.ReadDir(s.path("joe/smuggled/new")); len(got) > 0 {
		t.Errorf("%d messages were smuggled in", len(got))
	}
	t.Logf("%d messages, %d refused, %d accepted; the largest processes, in MB: %v", len(all), sent.refused, len(sent.of), peaks)
}

// sentMessages are those that were accepted, by number.
type sentMessages struct {
	mu      sync.Mutex
	of      map[string][]byte
	by      map[string]way
	refused int
}

func (sent *sentMessages) send(s *system, w way, m message, number string) {
	to := make([]string, len(places))
	for i, place := range places {
		to[i] = place + number + "@here.test"
	}
	to[len(to)-1] = "friend-" + number + "@elsewhere.test"
	accepted, err := w.send(s, bytes.NewReader(m.text), int64(len(m.text)), "joe-back-"+number+"@here.test", to)
	if err != nil {
		s.t.Errorf("%s by %s: %v", m.name, w.name, err)
		return
	}
	if !accepted && w.arrives != nil && m.isText() && !m.looping {
		s.t.Errorf("%s is refused by %s", m.name, w.name)
	}
	if accepted && w.name == "SMTP" && (!m.isText() || m.looping) {
		s.t.Errorf("%s is taken by %s", m.name, w.name)
	}
	sent.mu.Lock()
	defer sent.mu.Unlock()
	if !accepted {
		sent.refused++
		return
	}
	sent.of[number], sent.by[number] = m.text, w
}

// sinkMail is what came by SMTP, by recipient.
type sinkMail struct {
	mu    sync.Mutex
	mails map[string][][]byte
}

// sink plays the rest of the world.
func (s *system) sink() *sinkMail {
	s.t.Helper()
	k := &sinkMail{mails: map[string][][]byte{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(s.t, err)
	s.t.Cleanup(func() { listener.Close() })
	go (&smtpsink.Server{Deliver: func(m *smtpsink.Message) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, to := range m.Recipients {
			k.mails[to] = append(k.mails[to], m.Text())
		}
		return nil
	}}).Serve(s.t.Context(), listener)
	must(s.t, s.home.Relay(listener.Addr().String()))
	return k
}

// arrivals are all mails that have arrived, without the lines of the last delivery,
// by the recipient.
type arrivals struct {
	mails    map[string][][]byte
	programs string
	sink     *sinkMail
}

func (s *system) arrivals(sink *sinkMail) *arrivals {
	s.t.Helper()
	a := &arrivals{mails: map[string][][]byte{}, programs: s.path("joe/programs"), sink: sink}
	add := func(mail []byte) {
		returnPath, rest, _ := bytes.Cut(mail, []byte("\n"))
		deliveredTo, rest, _ := bytes.Cut(rest, []byte("\n"))
		to, ok := bytes.CutPrefix(deliveredTo, []byte("Delivered-To: "))
		if !ok || !bytes.HasPrefix(returnPath, []byte("Return-Path: <")) {
			s.t.Errorf("a mail begins with %.100q", mail)
			return
		}
		if string(to) == "joe-again@here.test" { // the line that says whose it was is the second
			_, rest, _ = bytes.Cut(rest, []byte("\nDelivered-To: "))
			to, rest, _ = bytes.Cut(rest, []byte("\n"))
		}
		a.mails[string(to)] = append(a.mails[string(to)], rest)
	}
	for _, folder := range []string{"dir", "again", "back", "Maildir"} {
		names, err := filepath.Glob(s.path("joe/" + folder + "/new/*"))
		must(s.t, err)
		for _, name := range names {
			mail, err := os.ReadFile(name)
			must(s.t, err)
			add(mail)
		}
	}
	box, err := os.ReadFile(s.path("joe/box"))
	must(s.t, err)
	for _, mail := range readBox(box) {
		add(mail)
	}
	return a
}

// readBox reads an mbox as strictly as any reader: a line that begins with From and
// a blank begins a message, whatever is before it.
func readBox(box []byte) (mails [][]byte) {
	for len(box) > 0 {
		_, rest, _ := bytes.Cut(box, []byte("\n")) // the From_ line
		mail, next, found := bytes.Cut(rest, []byte("\nFrom "))
		box = nil
		if found {
			box = next
			mail = append(bytes.Clone(mail), '\n')
		}
		mails = append(mails, unquote(bytes.TrimSuffix(mail, []byte("\n"))))
	}
	return mails
}

// unquote takes away the > that lines with From have got.
func unquote(mail []byte) []byte {
	pieces := bytes.Split(mail, []byte("\n>"))
	plain := bytes.Clone(pieces[0])
	for _, piece := range pieces[1:] {
		plain = append(plain, '\n')
		if !bytes.HasPrefix(bytes.TrimLeft(piece, ">"), []byte("From ")) {
			plain = append(plain, '>')
		}
		plain = append(plain, piece...)
	}
	return plain
}

// check compares all that has come of a message with what was sent.
func (a *arrivals) check(t *testing.T, number string, w way, sent []byte) {
	t.Helper()
	at := fmt.Sprintf("message %s by %s", number, w.name)
	queued, err := os.ReadFile(filepath.Join(a.programs, number))
	if err != nil {
		t.Error(at, err)
		return
	}
	if times, _ := os.ReadFile(filepath.Join(a.programs, number+".times")); string(times) != "x\n" {
		t.Errorf("%s came to the program %q times", at, times)
	}
	checkQueued(t, at, w, sent, queued)
	for place, want := range map[string][]byte{"joe-dir-": queued, "joe-box-": withNewline(queued), "joe-forward-": queued} {
		mails := a.mails[place+number+"@here.test"]
		switch {
		case len(mails) != 1:
			t.Errorf("%s came to %s %d times", at, place, len(mails))
		case !bytes.Equal(mails[0], want):
			t.Errorf("%s came to %s with %d bytes, want %d", at, place, len(mails[0]), len(want))
		}
	}
	a.checkNotice(t, at, number, queued)
}

// checkNotice looks at what came back: one notice with all of the message, about
// joe-fail, and about friend if the message did not go there.
func (a *arrivals) checkNotice(t *testing.T, at, number string, queued []byte) {
	t.Helper()
	notices := a.mails["joe-back-"+number+"@here.test"]
	if len(notices) != 1 {
		t.Errorf("%s came back %d times", at, len(notices))
		return
	}
	words, copied, found := bytes.Cut(notices[0], []byte("\n--- Below this line is a copy of the message.\n\nReturn-Path: <joe-back-"+number+"@here.test>\n"))
	if !found || !bytes.HasSuffix(bytes.TrimSuffix(copied, []byte("\n")), bytes.TrimSuffix(queued, []byte("\n"))) {
		t.Errorf("%s came back with %d bytes, want %d", at, len(copied), len(queued))
	}
	friend := "friend-" + number + "@elsewhere.test"
	sent := a.sink.mails[friend]
	failed := bytes.Contains(words, []byte("<"+friend+">:\n"))
	switch {
	case !bytes.Contains(words, []byte("<joe-fail-"+number+"@here.test>:\n")):
		t.Errorf("%s: the notice says %.500q", at, words)
	case failed == (len(sent) > 0), len(sent) > 1:
		t.Errorf("%s was sent %d times, and the notice says %.500q", at, len(sent), words)
	case failed && bytes.HasSuffix(queued, []byte("\n")):
		t.Errorf("%s was not sent: %.500q", at, words)
	case !failed && string(sent[0]) != remoteLineEnd.Replace(string(queued)):
		t.Errorf("%s was sent with %d bytes, want %d", at, len(sent[0]), len(queued))
	}
}

// remoteLineEnd is what ends a line for qmail-remote, so that it ends one for everybody.
var remoteLineEnd = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// checkQueued compares what is in the queue with what was sent.
func checkQueued(t *testing.T, at string, w way, sent, queued []byte) {
	t.Helper()
	if w.arrives == nil {
		if want := w.ending(sent); !bytes.HasSuffix(queued, want) || !bytes.HasPrefix(queued, []byte("Received: (qmail ")) {
			t.Errorf("%s: in the queue are %d bytes, which do not end in the body of %d", at, len(queued), len(want))
		}
		return
	}
	want := w.arrives(sent)
	head, ok := bytes.CutSuffix(queued, want)
	if !ok || len(head) > 1000 {
		t.Errorf("%s: in the queue are %d bytes, which do not end in the %d that were sent", at, len(queued), len(want))
	}
	if ok && !received.Match(head[:min(len(head), 1000)]) {
		t.Errorf("%s: what was put in front is %.500q", at, head)
	}
}

// received is what qmail-queue and servers put in front: a field or two.
var received = regexp.MustCompile(`\A(Received: [^\n]*\n([ \t][^\n]*\n)*){1,2}\z`)
