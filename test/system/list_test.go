package system

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"goqmail/internal/smtpsink"
)

// How many subscribe, and how many of those by mail.
const (
	subscribers = 1000
	byMail      = 40
)

// TestList sets up a mailing list as doc/lists.md says, word by word. Subscribers come,
// a message goes out, and the bounces of all kinds say who they are about.
func TestList(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the whole system")
	}
	for _, program := range []string{"flock", "sha256sum", "base64"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (Debian: coreutils, util-linux)", program)
		}
	}
	l := newList(t)
	l.write("control/concurrencyremote", "40\n")
	l.run2()
	l.subscribe()
	l.post()
	l.stop()
	l.cleanUp()
}

// list is a mailing list and the hosts of its subscribers.
type list struct {
	*system
	all, refused, late []string // addresses
	cleaning           []string // the commands that are for later

	mu      sync.Mutex
	changed sync.Cond
	asked   []string                     // where answers are to go that confirm
	copies  map[string]*smtpsink.Message // by recipient
}

func newList(t *testing.T) *list {
	l := &list{system: newSystem(t), copies: map[string]*smtpsink.Message{}}
	l.changed.L = &l.mu
	odd := []string{"Mixed.Case@Example.ORG", "a=b@example.org", "x-owner-y@d-e.example", "one+two@example.org", "_@x.example", "0@example.org"}
	for i := range subscribers {
		switch address := fmt.Sprintf("user%d@host%d.example", i, i%7); {
		case i < len(odd):
			l.all = append(l.all, odd[i])
		case i%25 == 0:
			l.all = append(l.all, "no"+address)
			l.refused = append(l.refused, "no"+address)
		case i%25 == 1:
			l.all = append(l.all, "late-"+address)
			l.late = append(l.late, "late-"+address)
		default:
			l.all = append(l.all, address)
		}
	}
	l.refused, l.late = append(l.refused, "no=one@example.org"), append(l.late, "late=r@d-e.example")
	l.all[7], l.all[8] = l.refused[len(l.refused)-1], l.late[len(l.late)-1]
	l.hosts()
	l.setUp()
	return l
}

// hosts play the hosts of all subscribers.
func (l *list) hosts() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	l.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	l.t.Cleanup(cancel)
	server := &smtpsink.Server{Deliver: l.arrive, Refuse: func(verb, path string) string {
		if verb == "RCPT" && slices.Contains(l.refused, path) && !l.isAsking() {
			return "550 no such user"
		}
		return ""
	}}
	go server.Serve(ctx, listener)
	l.must(l.home.Relay(listener.Addr().String()))
}

// isAsking reports whether messages are those that want to be confirmed: by the time
// that the list is used some of those who did are gone.
func (l *list) isAsking() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.asked) < byMail
}

func (l *list) arrive(m *smtpsink.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from := regexp.MustCompile(`(?m)^From: (joe-friends-confirm-\S+)$`).FindSubmatch(m.Text()); from != nil {
		l.asked = append(l.asked, string(from[1]))
	} else if strings.HasPrefix(m.Sender, "joe-friends-owner-") {
		l.copies[m.Recipients[0]] = m
	}
	l.changed.Broadcast()
	return nil
}

// until waits for messages.
func (l *list) until(enough func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !enough() {
		l.changed.Wait()
	}
}

func (l *list) joes(name string) string { return filepath.Join(filepath.Dir(l.home.Mailbox()), name) }

// setUp does what the page says.
func (l *list) setUp() {
	page, err := os.ReadFile("../../doc/lists.md")
	l.must(err)
	var blocks []string
	for _, block := range regexp.MustCompile("(?s)\n```sh\n(.*?)```\n").FindAllSubmatch(page, -1) {
		blocks = append(blocks, string(block[1]))
	}
	if len(blocks) != 6 {
		l.t.Fatalf("doc/lists.md has %d blocks of commands", len(blocks))
	}
	l.must(os.WriteFile(l.joes("addresses"), []byte(strings.Join(l.all[byMail:], "\n")+"\n"), 0o644))
	l.shell(strings.Join(blocks[:4], ""))
	l.cleaning = blocks[4:]
}

// shell runs commands as joe, at home.
func (l *list) shell(commands string) string {
	l.t.Helper()
	cmd := l.command("qmail-inject") // to be joe
	cmd.Path, _ = exec.LookPath("sh")
	cmd.Args = []string{"sh", "-ec", commands}
	cmd.Dir = filepath.Dir(l.home.Mailbox())
	cmd.Env = append(cmd.Env, "HOME="+cmd.Dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		l.t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// run2 is run, with other limits.
func (l *list) run2() {
	l.start()
	l.wait("status: local 0/10 remote 0/40\n", 1)
}

// joins is an address of the list about a subscriber.
func joins(command, subscriber string) string {
	at := strings.LastIndexByte(subscriber, '@')
	return "joe-friends-" + command + "-" + subscriber[:at] + "=" + subscriber[at+1:] + "@here.test"
}

// subscribe has subscribers ask, and confirm; some twice, and somebody for another one.
func (l *list) subscribe() {
	var requests []string
	for _, s := range l.all[:byMail] {
		requests = append(requests, joins("subscribe", s))
	}
	l.queue("anybody@example.org", requests, []byte("Subject: subscribe\n\n"))
	l.until(func() bool { return len(l.asked) == byMail })
	answers := append(slices.Clone(l.asked), l.asked[0], joins("confirm", "0123456789abcdef0123.forged@example.org"))
	l.queue("anybody@example.org", answers, []byte("Subject: yes\n\n"))
	l.wait("not_the_address_that_you_were_sent", 1)
	l.wait("end msg", 3+byMail) // and the bounce
	l.queue("anybody@example.org", []string{joins("unsubscribe", l.all[byMail-1])}, []byte("Subject: no more\n\n"))
	l.wait("end msg", 4+byMail)
	text, err := os.ReadFile(l.joes(".qmail-friends"))
	l.must(err)
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	var want []string
	for _, s := range slices.Delete(slices.Clone(l.all), byMail-1, byMail) {
		want = append(want, "&"+s)
	}
	compare(l.t, "subscribed", lines[2:], want)
	l.shell("echo '" + l.all[byMail-1] + "' | friends/list add")
}

// post sends one message to the list, and has bounces sent.
func (l *list) post() {
	if code := l.queue("stranger@example.org", []string{"joe-friends@here.test"}, []byte("Subject: buy\n\n")); code != 0 {
		l.t.Fatalf("qmail-queue exits with %d", code)
	}
	l.wait("Only_subscribers_may_write", 1)
	l.queue(l.all[0], []string{"joe-friends@here.test"}, []byte("Subject: hello\n\nall\n"))
	l.until(func() bool { return len(l.copies) == subscribers-len(l.refused) })
	for address, m := range l.copies {
		if m.Sender != joins("owner", address) || len(m.Recipients) != 1 || !strings.Contains(string(m.Text()), "\nall\n") {
			l.t.Errorf("the copy for %s is from %q to %q", address, m.Sender, m.Recipients)
		}
	}
	for i, address := range l.late {
		sender := ""
		if i == 0 { // of the others nobody is on holiday
			l.queue("vacation@example.net", []string{l.copies[l.all[0]].Sender}, []byte("Subject: away\n\n"))
		}
		if code := l.queue(sender, []string{l.copies[address].Sender}, []byte("Subject: failure notice\n\nIt could not be delivered.\n")); code != 0 {
			l.t.Fatalf("qmail-queue exits with %d", code)
		}
	}
	want := append(slices.Clone(l.refused), l.late...)
	l.eventually("the bounces", func() bool { return len(l.bounces()) >= len(want) && len(l.inQueue()) == 0 })
	compare(l.t, "identified", l.bounces(), want)
}

func (l *list) bounces() []string {
	text, _ := os.ReadFile(l.joes("friends/bounces"))
	return strings.Fields(string(text))
}

// cleanUp ends the subscriptions of those who have bounced five times, as the page
// says.
func (l *list) cleanUp() {
	bad, once := l.refused[0], l.late[0]
	file, err := os.OpenFile(l.joes("friends/bounces"), os.O_APPEND|os.O_WRONLY, 0)
	l.must(err)
	_, err = file.WriteString(strings.Repeat(bad+"\n", 4))
	l.must(err)
	l.must(file.Close())
	worst := l.shell(l.cleaning[0])
	if !strings.HasPrefix(strings.TrimSpace(worst), "5 "+bad+"\n") {
		l.t.Errorf("the worst are\n%s", worst)
	}
	l.shell(l.cleaning[1])
	text, _ := os.ReadFile(l.joes(".qmail-friends"))
	if strings.Contains(string(text), "&"+bad+"\n") || !strings.Contains(string(text), "&"+once+"\n") || len(l.bounces()) != 0 {
		l.t.Errorf("%s is to be gone, %s is to stay:\n%s", bad, once, text)
	}
}

// compare compares two sets in which nothing is twice.
func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if slices.Equal(got, want) {
		return
	}
	for _, s := range got {
		if !slices.Contains(want, s) {
			t.Errorf("%s: %s, which is wrong", what, s)
		}
	}
	for _, s := range want {
		if !slices.Contains(got, s) {
			t.Errorf("%s is not %s", s, what)
		}
	}
	t.Errorf("%s: %d, want %d", what, len(got), len(want))
}
