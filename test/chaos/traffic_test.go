package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"goqmail/internal/exitcode"
)

// senders is how many submit mail at a time, and mostOpen how many recipients may wait
// for it: the mail systems that send to us have queues of their own.
const (
	senders  = 8
	mostOpen = 1000
)

// way is a way into the queue.
type way struct {
	name      string
	anySender bool // it takes every sender
	send      func(*submitter, *message) (verdict, string)
}

// ways of sending, each as likely as it is often here.
var ways = []way{
	{"SMTP", true, (*submitter).smtp}, {"SMTP", true, (*submitter).smtp}, {"SMTP", true, (*submitter).smtp},
	{"SMTP cut short", true, (*submitter).cutSMTP},
	{"QMTP", true, (*submitter).qmtp}, {"QMTP", true, (*submitter).qmtp},
	{"qmail-queue", true, (*submitter).queue}, {"qmail-queue", true, (*submitter).queue},
	{"qmail-inject", false, (*submitter).inject},
	{"sendmail -t", false, (*submitter).sendmail},
}

// traffic sends mail for so long.
func (w *world) traffic(length time.Duration) {
	w.t.Helper()
	end := time.Now().Add(length)
	counts := map[string]int{}
	var mu sync.Mutex
	var group sync.WaitGroup
	before := w.total()
	for range senders {
		s := &submitter{w: w, r: w.chance()}
		group.Go(func() {
			defer s.hangUp()
			for time.Now().Before(end) {
				if w.left() > mostOpen {
					w.nextArrival(100 * time.Millisecond)
					continue
				}
				way := ways[s.r.IntN(len(ways))]
				m := w.next(s.r, way.anySender)
				v, why := way.send(s, m)
				w.note(m, v, why)
				mu.Lock()
				counts[way.name+" "+v.String()]++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	var all []string
	for what, n := range counts {
		all = append(all, fmt.Sprintf("%s %d", what, n))
	}
	slices.Sort(all)
	w.t.Logf("sent in %v: %s; %d have arrived meanwhile", length, strings.Join(all, ", "), w.total()-before)
}

func (v verdict) String() string { return [...]string{"without an answer", "accepted", "refused"}[v] }

// submitter is somebody who sends mail, a message at a time.
type submitter struct {
	w           *world
	r           *rand.Rand
	smtpSession *smtpSession
	qmtpSession *qmtpSession
}

// died reports whether an answer says that a program has died, or has not been able to
// say what became of the message.
func died(text string) bool {
	return strings.Contains(text, "crashed") || strings.Contains(text, "waitpid")
}

// refusal is a no, unless it is because something died.
func refusal(text string) (verdict, string) {
	if died(text) {
		return unknown, text
	}
	return refused, text
}

// as is a program that a person runs.
func (s *submitter) as(person string, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(home, "bin", program), args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/var/qmail/bin:/usr/bin:/bin", "USER=" + person}
	uid := uint32(personUID(person))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return cmd
}

// ended judges how a program has ended. A qmail-queue that could not sync its last
// step says so, and the message may be there.
func ended(cmd *exec.Cmd, err error, said string) (verdict, string) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return accepted, ""
	case errors.As(err, &exit) && exit.ExitCode() == exitcode.QueueTodo:
		return unknown, "todo could not be linked or synced"
	case errors.As(err, &exit) && exit.Exited():
		return refusal(fmt.Sprintf("%s exits with %d, %s", filepath.Base(cmd.Path), exit.ExitCode(), said))
	case cmd.ProcessState != nil && cmd.ProcessState.Exited():
		return refusal(fmt.Sprintf("%s exits with %d, %s, %v", filepath.Base(cmd.Path), cmd.ProcessState.ExitCode(), said, err))
	}
	return unknown, err.Error()
}

// queue hands the message to qmail-queue itself.
func (s *submitter) queue(m *message) (verdict, string) {
	cmd := s.as("job", "qmail-queue")
	envelope, feed, err := os.Pipe()
	if err != nil {
		return refused, err.Error()
	}
	defer feed.Close()
	cmd.Stdin, cmd.Stdout = bytes.NewReader(m.text()), envelope
	err = cmd.Start()
	envelope.Close()
	if err != nil {
		return refused, err.Error()
	}
	fmt.Fprintf(feed, "F%s\x00", m.sender)
	for _, to := range m.to {
		fmt.Fprintf(feed, "T%s\x00", to)
	}
	fmt.Fprint(feed, "\x00")
	feed.Close()
	return ended(cmd, cmd.Wait(), "")
}

// inject gives the recipients as arguments.
func (s *submitter) inject(m *message) (verdict, string) {
	return s.submit(m, "qmail-inject", append([]string{"-a", "-f" + m.sender}, m.to...)...)
}

// sendmail has the recipients in the header.
func (s *submitter) sendmail(m *message) (verdict, string) {
	return s.submit(m, "sendmail", "-t", "-i", "-f", m.sender)
}

func (s *submitter) submit(m *message, program string, args ...string) (verdict, string) {
	cmd := s.as("job", program, args...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(m.text()), &said, &said
	return ended(cmd, cmd.Run(), said.String())
}
